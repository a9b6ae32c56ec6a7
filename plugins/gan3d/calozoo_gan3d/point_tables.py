"""What is measured of the points in the voxels of Geant4 showers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calozoo_core.typing import IntArray
from calozoo_gan3d.config import GridConfig
from calozoo_gan3d.grid import edges, fill, ring_index
from calozoo_gan3d.points import (
    ENERGY_BINS,
    GROUP,
    QUANTILES,
    SPLIT,
    PointTables,
    energy_bin,
    shapes,
)
from calozoo_gan3d.training_data import Upright

__all__ = ["fitted_tables"]

#: Weight of an even distribution in each voxel, in MeV: decides where few showers say anything.
EVEN_MEV = 1.0
#: Fewest voxels for their numbers of points to be trusted.
FEWEST = 30
#: Most points of a voxel.
MOST = 60
#: A sub-cell is a ninth of a readout cell of 5.0883331 mm.
SUB_CELL_MM = 5.0883331 / 3

_MIDDLES = (np.arange(QUANTILES) + 0.5) / QUANTILES


def fitted_tables(points: Upright, n: int, grid: GridConfig) -> PointTables:
    """The tables of a sample.

    Arguments:
        points: Of Geant4 showers.
        n: Number of showers.
        grid: The voxels.
    """
    return PointTables(_inside(points, grid), _counts(points, n, grid))


def _inside(points: Upright, grid: GridConfig) -> NDArray[np.uint8]:
    """Where in its voxel the energy lies; the mirror images of the showers count, too."""
    groups, size, _ = shapes(grid)["inside"]
    sums = np.zeros(groups * size * SPLIT**2)
    row, part_row = _parts(points.y, grid)
    for x in (points.x, -points.x):
        column, part_column = _parts(x, grid)
        ok = (column >= 0) & (column < grid.cells) & (row >= 0) & (row < grid.cells)
        voxel = (points.layer.astype(np.int64) // GROUP) * size + row * grid.cells + column
        index = (voxel * SPLIT + part_row) * SPLIT + part_column
        sums += np.bincount(index[ok], points.energy[ok], minlength=len(sums))
    sums = sums.reshape(groups, size, -1) + EVEN_MEV / SPLIT**2
    return _quantiles(sums)


def _counts(points: Upright, n: int, grid: GridConfig) -> NDArray[np.uint8]:
    """How many sub-cells are hit in a voxel of a ring with an energy."""
    column, row = (_parts(values, grid)[0] for values in (points.x, points.y))
    ok = (column >= 0) & (column < grid.cells) & (row >= 0) & (row < grid.cells)
    owner = (points.shower * grid.layers + points.layer) * grid.cells + row
    owner = owner * grid.cells + column
    # A sub-cell counts in each voxel that it has a point in: 16 bits for its place from here.
    cell = [np.floor(v / SUB_CELL_MM).astype(np.int64) % 256 for v in (points.x, points.y)]
    distinct = np.unique((owner << 16 | cell[1] << 8 | cell[0])[ok])
    _, hit = np.unique(distinct >> 16, return_counts=True)
    filled = fill(points.x, points.y, points.layer, points.energy, points.shower, n, grid)
    kind = ring_index(grid)[filled.index % grid.cells**2] * ENERGY_BINS + energy_bin(filled.energy)
    rings = grid.cells // 2
    index = kind * MOST + np.minimum(hit, MOST - 1)
    table = np.bincount(index, minlength=rings * ENERGY_BINS * MOST).astype(np.float64)
    return _quantiles(_borrowed(table.reshape(rings, ENERGY_BINS, MOST)))


def _borrowed(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where there are too few voxels, those of the nearest bin of the ring with enough."""
    whole = table.copy()
    for ring in whole:
        enough = np.flatnonzero(ring.sum(axis=1) >= FEWEST)
        if len(enough):
            near = np.abs(np.arange(len(ring))[:, None] - enough).argmin(axis=1)
            ring[:] = ring[enough[near]]
        else:
            ring[:] = np.eye(MOST)[1]
    return whole


def _quantiles(weights: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Values at equal parts of the probability, along the last axis, which lists the values."""
    running = np.cumsum(weights, axis=-1)
    running /= running[..., -1:]
    flat = running.reshape(-1, running.shape[-1])
    found = np.stack([np.searchsorted(row, _MIDDLES, side="left") for row in flat])
    return found.reshape(*weights.shape[:-1], QUANTILES).astype(np.uint8)


def _parts(values: NDArray[np.float32], grid: GridConfig) -> tuple[IntArray, IntArray]:
    """The voxel along one axis, and the part of it."""
    bounds = edges(grid)
    place = np.searchsorted(bounds, values, side="right") - 1
    safe = np.clip(place, 0, grid.cells - 1)
    inside = (values - bounds[safe]) / np.diff(bounds)[safe]
    return place.astype(np.int64), np.clip((inside * SPLIT).astype(np.int64), 0, SPLIT - 1)
