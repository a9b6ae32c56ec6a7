"""Events: sources of primary particles, and their simulation with or without a model."""
