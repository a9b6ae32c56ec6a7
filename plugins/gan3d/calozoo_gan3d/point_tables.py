"""Measurement of the point tables on Geant4 showers."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from calozoo_core.typing import FloatArray, IntArray
from calozoo_gan3d.config import GridConfig
from calozoo_gan3d.grid import edges, fill, ring_index
from calozoo_gan3d.points import (
    ENERGY_BINS,
    GROUP,
    QUANTILES,
    SPLIT,
    PointTables,
    energy_bin,
)
from calozoo_gan3d.training_data import UprightPoints

__all__ = ["fitted_tables"]

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
    return PointTables(
        torch.from_numpy(_inside(points, grid)), torch.from_numpy(_counts(points, n, grid))
    )


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
