"""Points in voxels: number and positions from tables, and the tables from Geant4 showers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calozoo_core.random import stream
from calozoo_core.typing import Float32Array, FloatArray, IntArray
from calozoo_core.weights.layout import Layout, TensorLayout, zeros
from calozoo_gan3d.config import GridConfig
from calozoo_gan3d.grid import Voxels, edges, fill, ring_index

if TYPE_CHECKING:
    from calozoo_gan3d.training_data import UprightPoints

__all__ = [
    "ENERGY_BINS",
    "ENERGY_BINS_PER_DECADE",
    "GROUP",
    "LEAST_SHARE",
    "LOWEST_LOG_MEV",
    "QUANTILES",
    "SPLIT",
    "PointTables",
    "ScatteredPoints",
    "energy_bin",
    "fitted_tables",
    "scatter",
]

SPLIT = 4
"""Parts of a voxel along each axis in the table of positions."""

GROUP = 3
"""Number of layers that share a table of positions."""

QUANTILES = 64
"""Number of quantiles in a table, at the middles of equal parts of the probability."""

ENERGY_BINS = 30
LOWEST_LOG_MEV, ENERGY_BINS_PER_DECADE = -3.0, 6.0
"""Bins of the energy of a voxel, on a logarithmic axis from 1 keV on."""

LEAST_SHARE = 1e-6
"""Weight of every point beside its exponential number, so that no sum is zero."""


class PointTables(NamedTuple):
    """Tables of the points in voxels, arrays of uint8.

    Arguments:
        inside: Quantiles of the index of one of the 4 x 4 parts of a voxel, weighted with energy,
            for each group of layers and each voxel of a layer, shape (groups, cells * cells, 64).
        counts: Quantiles of the number of sub-cells hit in a voxel, for each ring around the axis
            and each bin of the voxel's energy, shape (rings, 30, 64).
    """

    inside: NDArray[np.uint8]
    counts: NDArray[np.uint8]

    @classmethod
    def layout(cls, grid: GridConfig) -> Layout:
        """Layout of the tables for a grid."""
        groups = -(-grid.layers // GROUP)
        return {
            "inside": TensorLayout.table(groups, grid.cells**2, QUANTILES, dtype="uint8"),
            "counts": TensorLayout.table(grid.cells // 2, ENERGY_BINS, QUANTILES, dtype="uint8"),
        }

    @classmethod
    def empty(cls, grid: GridConfig) -> PointTables:
        """Tables of zeros for a grid."""
        return cls(**zeros(cls.layout(grid)))


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
    share = np.concatenate(shares) + np.float32(LEAST_SHARE)
    if len(owner):
        share *= (voxels.energy / np.add.reduceat(share, np.cumsum(counts) - counts))[owner]
    layer, cell = layer[owner], cell[owner]
    uniform, along, across = np.concatenate(numbers, axis=1)
    quantile = (uniform * QUANTILES).astype(np.int64)
    part = tables.inside[layer // GROUP, cell, quantile].astype(np.float32)
    part_row = np.floor(part / SPLIT)
    row, column = np.divmod(cell, np.int32(grid.cells))
    bounds = edges(grid).astype(np.float32)
    widths = np.diff(bounds) / np.float32(SPLIT)
    x = bounds[column] + widths[column] * (part - part_row * SPLIT + along)
    y = bounds[row] + widths[row] * (part_row + across)
    return ScatteredPoints(offsets, x, y, layer.astype(np.uint8), share)


def energy_bin(energy: Float32Array) -> IntArray:
    """Bins of energies in MeV on a logarithmic axis; those outside are in the end bins."""
    position = (np.log10(np.maximum(energy, 1e-9)) - LOWEST_LOG_MEV) * ENERGY_BINS_PER_DECADE
    return np.clip(position, 0, ENERGY_BINS - 1).astype(np.int64)


#: Weight of a uniform distribution in each voxel, in MeV, which counts where showers are few.
UNIFORM_MEV = 1.0
#: Least number of voxels in a bin of the table of counts.
FEWEST = 30
#: Upper bound on the number of points of a voxel.
MOST = 60
#: A sub-cell is a ninth of a readout cell of 5.0883331 mm.
SUB_CELL_MM = 5.0883331 / 3

_MIDDLES = (np.arange(QUANTILES) + 0.5) / QUANTILES


def fitted_tables(points: UprightPoints, n: int, grid: GridConfig) -> PointTables:
    """Tables of a sample.

    Arguments:
        points: Points of Geant4 showers.
        n: Number of showers.
        grid: The voxels.
    """
    return PointTables(_inside(points, grid), _counts(points, n, grid))


def _inside(points: UprightPoints, grid: GridConfig) -> NDArray[np.uint8]:
    """Quantiles of the positions of the energy in voxels, of showers and their mirror images."""
    groups, size = -(-grid.layers // GROUP), grid.cells**2
    sums = np.zeros(groups * size * SPLIT**2)
    row, part_row = _parts(points.y, grid)
    for x in (points.x, -points.x):
        column, part_column = _parts(x, grid)
        ok = (column >= 0) & (column < grid.cells) & (row >= 0) & (row < grid.cells)
        voxel = (points.layer.astype(np.int64) // GROUP) * size + row * grid.cells + column
        index = (voxel * SPLIT + part_row) * SPLIT + part_column
        sums += np.bincount(index[ok], points.energy[ok], minlength=len(sums))
    sums = sums.reshape(groups, size, -1) + UNIFORM_MEV / SPLIT**2
    return _quantiles(sums)


def _counts(points: UprightPoints, n: int, grid: GridConfig) -> NDArray[np.uint8]:
    """Quantiles of the number of sub-cells hit in a voxel, by ring and energy."""
    column, row = (_parts(values, grid)[0] for values in (points.x, points.y))
    ok = (column >= 0) & (column < grid.cells) & (row >= 0) & (row < grid.cells)
    owner = (points.shower * grid.layers + points.layer) * grid.cells + row
    owner = owner * grid.cells + column
    # A sub-cell counts in each voxel that it has a point in; the last 16 bits are its position.
    cell = [np.floor(v / SUB_CELL_MM).astype(np.int64) % 256 for v in (points.x, points.y)]
    distinct = np.unique((owner << 16 | cell[1] << 8 | cell[0])[ok])
    _, hit = np.unique(distinct >> 16, return_counts=True)
    filled = fill(points.x, points.y, points.layer, points.energy, points.shower, n, grid)
    kind = ring_index(grid)[filled.voxel % grid.cells**2] * ENERGY_BINS + energy_bin(filled.energy)
    rings = grid.cells // 2
    index = kind * MOST + np.minimum(hit, MOST - 1)
    table = np.bincount(index, minlength=rings * ENERGY_BINS * MOST).astype(np.float64)
    return _quantiles(_filled_bins(table.reshape(rings, ENERGY_BINS, MOST)))


def _filled_bins(table: FloatArray) -> FloatArray:
    """Table in which bins with too few voxels are those of the nearest bin of the ring."""
    whole = table.copy()
    for ring in whole:
        enough = np.flatnonzero(ring.sum(axis=1) >= FEWEST)
        if len(enough):
            near = np.abs(np.arange(len(ring))[:, None] - enough).argmin(axis=1)
            ring[:] = ring[enough[near]]
        else:
            ring[:] = np.eye(MOST)[1]
    return whole


def _quantiles(weights: FloatArray) -> NDArray[np.uint8]:
    """Quantiles of the index along the last axis, shape (..., 64)."""
    running = np.cumsum(weights, axis=-1)
    running /= running[..., -1:]
    flat = running.reshape(-1, running.shape[-1])
    values = np.stack([np.searchsorted(row, _MIDDLES, side="left") for row in flat])
    return values.reshape(*weights.shape[:-1], QUANTILES).astype(np.uint8)


def _parts(values: NDArray[np.float32], grid: GridConfig) -> tuple[IntArray, IntArray]:
    """Index of the voxel along one axis, and of its part."""
    bounds = edges(grid)
    voxel = np.searchsorted(bounds, values, side="right") - 1
    safe = np.clip(voxel, 0, grid.cells - 1)
    inside = (values - bounds[safe]) / np.diff(bounds)[safe]
    return voxel.astype(np.int64), np.clip((inside * SPLIT).astype(np.int64), 0, SPLIT - 1)
