"""From voxels to points: how many a voxel holds, and where in it they lie."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calozoo_core.random import stream
from calozoo_core.typing import Float32Array as FloatArray
from calozoo_core.typing import IntArray
from calozoo_gan3d.config import GridConfig
from calozoo_gan3d.grid import Voxels, edges, ring_index

__all__ = [
    "ENERGY_BINS",
    "GROUP",
    "QUANTILES",
    "SPLIT",
    "Cloud",
    "PointTables",
    "energy_bin",
    "scatter",
    "shapes",
]

SPLIT = 4
"""Parts of a voxel along each axis, for which it is known how much of the energy lies there."""

GROUP = 3
"""Layers that share a table."""

QUANTILES = 64
"""Entries of a table: its value at the middles of as many equal parts of the probability."""

ENERGY_BINS = 30
_LOWEST, _DECADES = -3.0, 5.0


class PointTables(NamedTuple):
    """What was measured of the points in the voxels of Geant4 showers, all uint8.

    Arguments:
        inside: Where in a voxel the energy lies, as quantiles of the number of one of its 4 x 4
            parts, for each group of layers and each voxel of a layer, shape
            (groups, cells * cells, 64).
        counts: Quantiles of the number of sub-cells hit in a voxel, for each ring about the axis
            and each bin of the voxel's energy, shape (rings, 30, 64).
    """

    inside: NDArray[np.uint8]
    counts: NDArray[np.uint8]


class Cloud(NamedTuple):
    """Points about the axis of their showers.

    Arguments:
        offsets: Where each shower begins, shape (n + 1,).
        x: In mm, shape (N,).
        y: In mm.
        layer: Their layers, uint8.
        energy: In MeV.
    """

    offsets: IntArray
    x: FloatArray
    y: FloatArray
    layer: NDArray[np.uint8]
    energy: FloatArray


def shapes(grid: GridConfig) -> dict[str, tuple[int, ...]]:
    """Shapes of the tables, by name."""
    return {
        "inside": (-(-grid.layers // GROUP), grid.cells**2, QUANTILES),
        "counts": (grid.cells // 2, ENERGY_BINS, QUANTILES),
    }


def scatter(voxels: Voxels, tables: PointTables, grid: GridConfig, seed: int, first: int) -> Cloud:
    """Points for voxels: each gets as many as were measured in such voxels.

    They share its energy as exponential numbers do, and lie where the energy in such a voxel does.

    Arguments:
        voxels: With energy in them.
        tables: What was measured.
        grid: The voxels.
        seed: The user's seed.
        first: Number of the first of these showers in the whole sample.
    """
    layer, place = np.divmod(voxels.index, np.int32(grid.cells**2))
    kind = ring_index(grid)[place] * ENERGY_BINS + energy_bin(voxels.energy)
    table = tables.counts.reshape(-1, QUANTILES)
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
    layer, place = layer[owner], place[owner]
    which, along, across = np.concatenate(numbers, axis=1)
    quantile = (which * QUANTILES).astype(np.int64)
    part = tables.inside[layer // GROUP, place, quantile].astype(np.float32)
    part_row = np.floor(part / SPLIT)
    row, column = np.divmod(place, np.int32(grid.cells))
    bounds = edges(grid).astype(np.float32)
    widths = np.diff(bounds) / np.float32(SPLIT)
    x = bounds[column] + widths[column] * (part - part_row * SPLIT + along)
    y = bounds[row] + widths[row] * (part_row + across)
    return Cloud(offsets, x, y, layer.astype(np.uint8), share)


def energy_bin(energy: FloatArray) -> IntArray:
    """Bin of each energy, in MeV, on a logarithmic axis; what lies outside is in the end bins."""
    place = (np.log10(np.maximum(energy, 1e-9)) - _LOWEST) * (ENERGY_BINS / _DECADES)
    return np.clip(place, 0, ENERGY_BINS - 1).astype(np.int64)
