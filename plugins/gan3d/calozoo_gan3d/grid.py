"""The voxels about the shower axis, and what falls into them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calozoo_core.typing import FloatArray, IntArray
from calozoo_gan3d.config import GridConfig

__all__ = ["Voxels", "edges", "fill", "ring_index"]


class Voxels(NamedTuple):
    """The voxels with energy in them, sorted by shower, layer, row (y') and column (x').

    Arguments:
        offsets: Where each shower begins, shape (n + 1,).
        index: (layer * cells + row) * cells + column, shape (N,), int32.
        energy: In MeV, shape (N,), float32.
    """

    offsets: IntArray
    index: NDArray[np.int32]
    energy: NDArray[np.float32]


def edges(grid: GridConfig) -> FloatArray:
    """Edges of the voxels along x' and y', in mm, shape (cells + 1,).

    Example:
        >>> edges(GridConfig(cells=8, core_mm=8, half_mm=150)).round(1).tolist()
        [-150.0, -60.4, -23.9, -8.3, 0.0, 8.3, 23.9, 60.4, 150.0]
    """
    reach = np.arcsinh(grid.half_mm / grid.core_mm)
    return np.asarray(grid.core_mm * np.sinh(np.linspace(-reach, reach, grid.cells + 1)))


def fill(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    layer: NDArray[np.uint8],
    energy: NDArray[np.float32],
    shower: IntArray,
    n: int,
    grid: GridConfig,
) -> Voxels:
    """Deposits of upright showers, summed voxel by voxel; what lies outside the box is left out.

    Arguments:
        x: Positions about the shower axis, in mm, shape (N,).
        y: The same, the other way.
        layer: Layer of each deposit.
        energy: In MeV.
        shower: Which shower each deposit belongs to.
        n: Number of showers.
        grid: The voxels.
    """
    column, row = (_place(values, grid) for values in (x, y))
    size = grid.layers * grid.cells**2
    inside = (column >= 0) & (column < grid.cells) & (row >= 0) & (row < grid.cells)
    key = ((shower * grid.layers + layer) * grid.cells + row) * grid.cells + column
    key, which = np.unique(key[inside], return_inverse=True)
    total = np.bincount(which, energy[inside], minlength=len(key))
    owner, index = np.divmod(key, size)
    return Voxels(
        np.searchsorted(owner, np.arange(n + 1)).astype(np.int64),
        index.astype(np.int32),
        total.astype(np.float32),
    )


def ring_index(grid: GridConfig) -> IntArray:
    """Which ring about the axis each voxel of a layer belongs to, shape (cells * cells,).

    Rings are as wide as the voxels they pass through: ring k reaches from edge k to edge k + 1 of
    the positive axis.
    """
    positive = edges(grid)[grid.cells // 2 :]
    bounds = edges(grid)
    middle = (bounds[1:] + bounds[:-1]) / 2
    radius = np.hypot(middle[:, None], middle[None, :]).ravel()
    found = np.searchsorted(positive, radius, side="right") - 1
    return np.minimum(found, grid.cells // 2 - 1).astype(np.int64)


def _place(values: NDArray[np.floating], grid: GridConfig) -> IntArray:
    return np.searchsorted(edges(grid), values, side="right").astype(np.int64) - 1
