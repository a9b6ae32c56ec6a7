"""Models: their names, the plugins that bring them, the index, and where weights are found."""
