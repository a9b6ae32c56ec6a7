"""Pearson correlations of layers and voxels, and the Frobenius distance between two samples."""

from __future__ import annotations

import numpy as np

from calozoo_core.typing import FloatArray

__all__ = ["frobenius_distance", "layer_correlations", "voxel_correlations"]

_CONSTANT = 1e-12


def layer_correlations(showers: float, layer: FloatArray, layers: FloatArray) -> FloatArray:
    """Pearson correlations between the energies of any two layers.

    Arguments:
        showers: Number of showers.
        layer: Sums over showers of the layer energies, shape (n_layers,).
        layers: Sums of products of two, shape (n_layers, n_layers).

    Returns:
        Shape (n_layers, n_layers); NaN where a layer's energy never changes.

    Example:
        >>> energy = np.array([[1.0, 2, 5], [2, 4, 5], [3, 6, 5]])  # the last layer is constant
        >>> layer_correlations(3, energy.sum(axis=0), energy.T @ energy)[0].round(6).tolist()
        [1.0, 1.0, nan]
    """
    mean = layer / showers
    square = np.diagonal(layers) / showers
    return _pearson(
        layers / showers, mean[:, None], mean[None, :], square[:, None], square[None, :]
    )


def voxel_correlations(
    showers: float, voxel: FloatArray, squares: FloatArray, pairs: FloatArray
) -> FloatArray:
    """Pearson correlations between each voxel and the one at its place a layer deeper.

    Arguments:
        showers: Number of showers.
        voxel: Sums over showers of the voxel energies, shape (n_layers, n_voxels).
        squares: Sums of their squares.
        pairs: Sums of products with the voxel one layer deeper, shape (n_layers - 1, n_voxels).

    Returns:
        Shape (n_layers - 1, n_voxels); NaN where a voxel's energy never changes.
    """
    mean, square = voxel / showers, squares / showers
    return _pearson(pairs / showers, mean[:-1], mean[1:], square[:-1], square[1:])


def frobenius_distance(generated: FloatArray, reference: FloatArray) -> tuple[float, int]:
    r"""Correlation Frobenius Distance: the root of the summed squares of all differences.

    It is not normalised: it grows with the root of the number of entries, and between two samples
    of one law it falls with the root of the number of showers. Where either side has no
    correlation, because a voxel is always empty, the entry is left out.

    Returns:
        The distance, and the number of entries in it.

    References:
        | Ahmad, Venkataswamy, Fox, Correlation Frobenius Distance: a metric for evaluating
          generative models in calorimeter shower simulation (University of Virginia, 2024)

    Example:
        >>> frobenius_distance(np.array([0.5, 0.25, np.nan]), np.array([0.2, 0.65, 1.0]))
        (0.5, 2)
    """
    difference = (generated - reference)[np.isfinite(generated) & np.isfinite(reference)]
    return float(np.sqrt((difference**2).sum())), len(difference)


def _pearson(
    product: FloatArray, mean: FloatArray, other: FloatArray, square: FloatArray, second: FloatArray
) -> FloatArray:
    widths = (square - mean**2) * (second - other**2)
    # Rounding leaves the variance of a constant a little off zero, on either side.
    varies = (square - mean**2 > _CONSTANT * square) & (second - other**2 > _CONSTANT * second)
    root = np.sqrt(np.where(varies, widths, 1))
    return np.where(varies, (product - mean * other) / root, np.nan)
