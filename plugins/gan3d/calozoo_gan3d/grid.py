"""Voxels around the shower axis, and deposits binned into them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calozoo_core.typing import AnyFloatArray, FloatArray, IntArray
from calozoo_gan3d.config import GridConfig

__all__ = ["Voxels", "edges", "fill", "ring_index"]


class Voxels(NamedTuple):
    """Voxels with energy, sorted by shower, layer, row (y') and column (x').

    Arguments:
        offsets: Index of the first voxel of each shower, shape (n + 1,).
        voxel: Index of the voxel, (layer * cells + row) * cells + column, shape (N,), int32.
        energy: Energies in MeV, shape (N,), float32.
    """

    offsets: IntArray
    voxel: NDArray[np.int32]
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
    x: AnyFloatArray,
    y: AnyFloatArray,
    layer: NDArray[np.uint8],
    energy: NDArray[np.float32],
    shower: IntArray,
    n: int,
    grid: GridConfig,
) -> Voxels:
    """Voxels of deposits in the upright frame; deposits outside the box are left out.

    Arguments:
        x: Positions along x', in mm, shape (N,).
        y: Positions along y'.
        layer: Index of the layer of each deposit.
        energy: Energy of each deposit, in MeV.
        shower: Index of the shower of each deposit.
        n: Number of showers.
        grid: The voxels.
    """
    column, row = (_voxel_index(values, grid) for values in (x, y))
    size = grid.layers * grid.cells**2
    inside = (column >= 0) & (column < grid.cells) & (row >= 0) & (row < grid.cells)
    key = ((shower * grid.layers + layer) * grid.cells + row) * grid.cells + column
    key, group = np.unique(key[inside], return_inverse=True)
    total = np.bincount(group, energy[inside], minlength=len(key))
    owner, voxel = np.divmod(key, size)
    return Voxels(
        np.searchsorted(owner, np.arange(n + 1)).astype(np.int64),
        voxel.astype(np.int32),
        total.astype(np.float32),
    )


def ring_index(grid: GridConfig) -> IntArray:
    """Index of the ring around the axis of each voxel of a layer, shape (cells * cells,).

    Rings are as wide as the voxels they pass through: ring k reaches from edge k to edge k + 1 of
    the positive axis.
    """
    positive = edges(grid)[grid.cells // 2 :]
    bounds = edges(grid)
    middle = (bounds[1:] + bounds[:-1]) / 2
    radius = np.hypot(middle[:, None], middle[None, :]).ravel()
    ring = np.searchsorted(positive, radius, side="right") - 1
    return np.minimum(ring, grid.cells // 2 - 1).astype(np.int64)


def _voxel_index(values: AnyFloatArray, grid: GridConfig) -> IntArray:
    """Index of the voxel along one axis; -1 or `cells` outside the box."""
    return np.searchsorted(edges(grid), values, side="right").astype(np.int64) - 1
