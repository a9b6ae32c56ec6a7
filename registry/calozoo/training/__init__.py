"""Training: new weights for a model, from showers or from its authors' files."""
