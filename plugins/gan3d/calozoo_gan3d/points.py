"""Points in voxels: their number and positions, from tables measured on Geant4 showers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from calozoo_core.random import stream
from calozoo_core.typing import Float32Array, IntArray
from calozoo_gan3d.config import GridConfig
from calozoo_gan3d.grid import Voxels, edges, ring_index

__all__ = [
    "ENERGY_BINS",
    "GROUP",
    "QUANTILES",
    "SPLIT",
    "PointTables",
    "ScatteredPoints",
    "energy_bin",
    "scatter",
]

SPLIT = 4
"""Parts of a voxel along each axis in the table of positions."""

GROUP = 3
"""Number of layers that share a table of positions."""

QUANTILES = 64
"""Number of quantiles in a table, at the middles of equal parts of the probability."""

ENERGY_BINS = 30
_LOWEST, _DECADES = -3.0, 5.0


class PointTables(NamedTuple):
    """Tables of the points in voxels, tensors of uint8.

    Arguments:
        inside: Quantiles of the index of one of the 4 x 4 parts of a voxel, weighted with energy,
            for each group of layers and each voxel of a layer, shape (groups, cells * cells, 64).
        counts: Quantiles of the number of sub-cells hit in a voxel, for each ring around the axis
            and each bin of the voxel's energy, shape (rings, 30, 64).
    """

    inside: Tensor
    counts: Tensor

    @classmethod
    def empty(cls, grid: GridConfig) -> PointTables:
        """Tables of zeros for a grid."""
        groups = -(-grid.layers // GROUP)
        return cls(
            torch.zeros(groups, grid.cells**2, QUANTILES, dtype=torch.uint8),
            torch.zeros(grid.cells // 2, ENERGY_BINS, QUANTILES, dtype=torch.uint8),
        )


class ScatteredPoints(NamedTuple):
    """Points in the upright frame.

    Arguments:
        offsets: Index of the first point of each shower, shape (n + 1,).
        x: Positions along x', in mm, shape (N,).
        y: Positions along y', in mm.
        layer: Indices of the layers, uint8.
        energy: Energies in MeV.
    """

    offsets: IntArray
    x: Float32Array
    y: Float32Array
    layer: NDArray[np.uint8]
    energy: Float32Array


def scatter(
    voxels: Voxels, tables: PointTables, grid: GridConfig, seed: int, first: int
) -> ScatteredPoints:
    """Points of voxels, numbers and positions drawn from the tables.

    The points of a voxel share its energy in proportion to exponential random numbers.

    Arguments:
        voxels: Voxels with energy.
        tables: Tables of numbers and positions.
        grid: The voxels.
        seed: Seed of the sample.
        first: Number of the first of these showers in the whole sample.
    """
    layer, cell = np.divmod(voxels.voxel, np.int32(grid.cells**2))
    kind = ring_index(grid)[cell] * ENERGY_BINS + energy_bin(voxels.energy)
    table = tables.counts.numpy().reshape(-1, QUANTILES)
    n = len(voxels.offsets) - 1
    counts, offsets = np.empty(len(kind), np.int64), np.zeros(n + 1, np.int64)
    numbers, shares = [np.zeros((3, 0), np.float32)], [np.zeros(0, np.float32)]
    for i in range(n):
        rows = slice(voxels.offsets[i], voxels.offsets[i + 1])
        random = stream(seed, first + i, "points")
        quantile = random.integers(QUANTILES, size=len(kind[rows]))
        counts[rows] = table[kind[rows], quantile]
        total = int(counts[rows].sum())
        numbers.append(random.random((3, total), np.float32))
        shares.append(random.standard_exponential(total, np.float32))
        offsets[i + 1] = offsets[i] + total
    owner = np.repeat(np.arange(len(counts)), counts)
    share = np.concatenate(shares) + np.float32(1e-6)
    if len(owner):
        share *= (voxels.energy / np.add.reduceat(share, np.cumsum(counts) - counts))[owner]
    layer, cell = layer[owner], cell[owner]
    uniform, along, across = np.concatenate(numbers, axis=1)
    quantile = (uniform * QUANTILES).astype(np.int64)
    part = tables.inside.numpy()[layer // GROUP, cell, quantile].astype(np.float32)
    part_row = np.floor(part / SPLIT)
    row, column = np.divmod(cell, np.int32(grid.cells))
    bounds = edges(grid).astype(np.float32)
    widths = np.diff(bounds) / np.float32(SPLIT)
    x = bounds[column] + widths[column] * (part - part_row * SPLIT + along)
    y = bounds[row] + widths[row] * (part_row + across)
    return ScatteredPoints(offsets, x, y, layer.astype(np.uint8), share)


def energy_bin(energy: Float32Array) -> IntArray:
    """Bins of energies in MeV on a logarithmic axis; those outside are in the end bins."""
    position = (np.log10(np.maximum(energy, 1e-9)) - _LOWEST) * (ENERGY_BINS / _DECADES)
    return np.clip(position, 0, ENERGY_BINS - 1).astype(np.int64)
