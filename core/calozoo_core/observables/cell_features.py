"""Features of a shower's readout cells, in groups: the input of classifiers and distances."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.observables.deposits import Deposits
from calozoo_core.observables.neighbours import adjacent_cells
from calozoo_core.typing import FloatArray, IntArray

__all__ = ["FEATURE_GROUPS", "cell_features", "feature_columns"]

RING_EDGES_CELLS: Final = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 14.0, 22.0)
"""Inner radii of the rings, in cells; the last one has no outer edge."""

DEPTH_GROUPS: Final = 3
"""Parts of the stack whose rings, moments and neighbours are looked at apart."""

SPECTRUM_MEV: Final = (0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 15.0, 50.0)
"""Lower edges of the bins of the cell spectrum; the last one has no upper edge."""

NEIGHBOUR_RINGS_CELLS: Final = (0.0, 2.0, 4.0, 8.0, 16.0)
HOTTEST: Final = 8

FEATURE_GROUPS: Final = (
    "layers",
    "cells_per_layer",
    "rings",
    "moments",
    "hottest_cells",
    "spectrum",
    "neighbours",
)
"""Groups of features that a classifier is also given alone, each with the primary."""


def feature_columns(n_layers: int) -> dict[str, tuple[str, ...]]:
    """Names of the features by group, in the order of the columns of `cell_features`.

    The first group, "primary", is the incident energy and direction: it is given to a classifier
    with every other group, and left out of distances between samples.

    Arguments:
        n_layers: Sensitive layers of the detector.
    """
    parts, rings = range(DEPTH_GROUPS), range(len(RING_EDGES_CELLS))
    weights = ("energy", "root energy")
    moments = [
        f"{what}, {weight}, part {part}"
        for weight in weights
        for what in ("mean x'", "mean y'", "width x'", "width y'", "covariance", "mean radius")
        for part in ("all", *parts)
    ]
    return {
        "primary": ("log energy", "direction x'", "direction y'"),
        "layers": tuple(f"energy of layer {i}" for i in range(n_layers)),
        "cells_per_layer": tuple(f"cells of layer {i}" for i in range(n_layers)),
        "rings": tuple(
            f"{what} in ring {ring}, part {part}"
            for what in ("energy", "cells")
            for part in parts
            for ring in rings
        ),
        "moments": (*moments, "mean depth", "width of depth", "skewness of depth"),
        "hottest_cells": (
            *(f"energy of hottest cell {i}" for i in range(HOTTEST)),
            *(f"radius of hottest cell {i}" for i in range(3)),
            *(f"layer of hottest cell {i}" for i in range(3)),
        ),
        "spectrum": tuple(
            f"cells from {low:g} MeV, {where}"
            for where in ("within 4 cells", "beyond 4 cells")
            for low in SPECTRUM_MEV
        ),
        "neighbours": tuple(
            f"{what} from {low:g} cells"
            for what in ("mean number of neighbours", "cells without a neighbour", "cells behind")
            for low in NEIGHBOUR_RINGS_CELLS
        ),
    }


def cell_features(cells: Deposits) -> NDArray[np.float32]:
    """Features of n showers, a row each, shape (n, n_features).

    Energies enter as logarithms with an offset, so that an empty layer has a value; numbers of
    cells enter as they are. Positions are relative to the shower axis, in mm.

    Arguments:
        cells: Readout cells above threshold.

    References:
        | The groups follow the high-level features of the CaloChallenge:
          https://arxiv.org/abs/2410.21611
    """
    n, n_layers, pitch = len(cells), cells.detector.n_layers, cells.detector.cell_mm
    owner, layer = cells.owner, cells.layer.astype(np.int64)
    part = layer * DEPTH_GROUPS // n_layers
    radius_cells = cells.radius / pitch
    ring = np.searchsorted(RING_EDGES_CELLS, radius_cells, side="right") - 1

    def sums(index: IntArray, size: int, weights: FloatArray | None = None) -> FloatArray:
        summed = np.bincount(owner * size + index, weights, minlength=n * size)
        return summed.reshape(n, size).astype(np.float64)

    n_rings = len(RING_EDGES_CELLS)
    in_part = part * n_rings + ring
    columns = [
        np.log(cells.incident.energy.astype(np.float64))[:, None],
        cells.incident.direction[:, :2].astype(np.float64),
        _log(sums(layer, n_layers, cells.energy)),
        sums(layer, n_layers),
        _log(sums(in_part, DEPTH_GROUPS * n_rings, cells.energy)),
        sums(in_part, DEPTH_GROUPS * n_rings),
        *(_moments(cells, part, weight) for weight in (cells.energy, np.sqrt(cells.energy))),
        _depth_moments(cells),
        _hottest(cells),
        _spectrum(cells, radius_cells),
        _neighbours(cells, radius_cells),
    ]
    return np.concatenate(columns, axis=1).astype(np.float32)


def _log(energy_mev: FloatArray) -> FloatArray:
    return np.asarray(np.log(energy_mev + 0.05))


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    return np.asarray(above / np.where(below > 0, below, 1.0))


def _moments(cells: Deposits, part: IntArray, weight: FloatArray) -> FloatArray:
    """Lateral moments of the shower and of its parts in depth, shape (n, 6 * (1 + parts))."""
    n = len(cells)

    def both(values: FloatArray) -> FloatArray:
        index = cells.owner * DEPTH_GROUPS + part
        parts = np.bincount(index, weight * values, minlength=n * DEPTH_GROUPS)
        parts = parts.reshape(n, DEPTH_GROUPS)
        return np.concatenate([parts.sum(axis=1, keepdims=True), parts], axis=1)

    total = both(np.ones(len(weight)))
    x, y = (_ratio(both(values), total) for values in (cells.dx, cells.dy))
    xx, yy, xy = (
        _ratio(both(a * b), total) - p * q
        for a, b, p, q in (
            (cells.dx, cells.dx, x, x),
            (cells.dy, cells.dy, y, y),
            (cells.dx, cells.dy, x, y),
        )
    )
    widths = [np.sqrt(np.maximum(v, 0)) for v in (xx, yy)]
    return np.concatenate([x, y, *widths, xy, _ratio(both(cells.radius), total)], axis=1)


def _depth_moments(cells: Deposits) -> FloatArray:
    """Mean, width and cube root of the third moment of the depth, in mm, shape (n, 3)."""
    depth = cells.detector.layer_depth_mm[cells.layer]
    total = cells.visible_energy
    mean = _ratio(cells.sums(cells.energy * depth), total)
    apart = depth - mean[cells.owner]
    second = _ratio(cells.sums(cells.energy * apart**2), total)
    third = _ratio(cells.sums(cells.energy * apart**3), total)
    return np.stack([mean, np.sqrt(second), np.cbrt(third)], axis=1)


def _hottest(cells: Deposits) -> FloatArray:
    """Energies of the hottest cells, radii and layers of the first three, shape (n, 14)."""
    n, number = len(cells), len(cells.energy)
    if number == 0:
        return np.concatenate([_log(np.zeros((n, HOTTEST))), np.full((n, 6), -1.0)], axis=1)
    order = np.lexsort((-cells.energy, cells.owner))
    rank = np.arange(HOTTEST)
    is_there = rank < cells.occupancy[:, None]
    row = order[np.minimum(cells.offsets[:-1, None] + rank, number - 1)]
    energy = np.where(is_there, cells.energy[row], 0.0)
    radius, layer = (
        np.where(is_there[:, :3], v[row[:, :3]], -1.0) for v in (cells.radius, cells.layer)
    )
    return np.concatenate([_log(energy), radius, layer], axis=1)


def _spectrum(cells: Deposits, radius_cells: FloatArray) -> FloatArray:
    """Number of cells by energy, near the axis and far from it, shape (n, 2 * bins)."""
    bins = len(SPECTRUM_MEV)
    index = np.maximum(np.searchsorted(SPECTRUM_MEV, cells.energy, side="right") - 1, 0)
    index = index + bins * (radius_cells > 4)
    counts = np.bincount(cells.owner * 2 * bins + index, minlength=len(cells) * 2 * bins)
    return np.asarray(counts.reshape(len(cells), 2 * bins), dtype=np.float64)


def _neighbours(cells: Deposits, radius_cells: FloatArray) -> FloatArray:
    """Neighbours in the layer and cells behind one another, by radius, shape (n, 3 * rings)."""
    n, rings = len(cells), len(NEIGHBOUR_RINGS_CELLS)
    ring = np.searchsorted(NEIGHBOUR_RINGS_CELLS, radius_cells, side="right") - 1
    beside, is_behind = adjacent_cells(cells)
    index = cells.owner * rings + ring

    def by_ring(
        values: NDArray[np.floating] | NDArray[np.integer] | NDArray[np.bool_],
    ) -> FloatArray:
        summed = np.bincount(index, values.astype(np.float64), minlength=n * rings)
        return np.asarray(summed.reshape(n, rings), dtype=np.float64)

    number = by_ring(np.ones(len(ring)))
    return np.concatenate(
        [_ratio(by_ring(beside), number), by_ring(beside == 0), by_ring(is_behind)], axis=1
    )
