"""Building blocks of networks: each in torch for training, and in numpy for generation.

`spline`, `flow` and the function `mlp` need torch (`pip install calozoo-core[train]`);
`numpy_spline` and `numpy_mlp` do not import it.
"""
