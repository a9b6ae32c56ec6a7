"""Two-point function of the points of a layer: how many have a neighbour close by, by radius."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from calozoo_core.detector import load_detector
from calozoo_core.frames import axis_offsets
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray

__all__ = ["RADIUS_EDGES_MM", "neighbour_distances", "neighbour_fractions"]

RADIUS_EDGES_MM: Final = (0.0, 5.0, 10.0, 20.0, 40.0, 80.0, 300.0)
"""Rings that neighbours are looked at in, around the axis."""


def neighbour_distances(showers: Showers, most_mm: float) -> FloatArray:
    """Distance of each point to its nearest neighbour in the layer.

    Arguments:
        showers: Points of any representation.
        most_mm: Neighbours farther away than this are not looked for.

    Returns:
        In mm, infinite where there is none, shape (N,).
    """
    row = showers.shower_index * 256 + showers.layer
    order = np.lexsort((showers.x, row))
    x, y = showers.x[order].astype(np.float64), showers.y[order].astype(np.float64)
    row = row[order]
    nearest = np.full(len(x), float(most_mm))
    is_found = np.zeros(len(x), bool)
    # In order of x: away from each point, either way, until x alone is farther than its nearest.
    for side in (1, -1):
        active, step = np.arange(len(x)), 0
        while len(active):
            step += side
            active = active[(active + step >= 0) & (active + step < len(x))]
            other = active + step
            near = (row[other] == row[active]) & (np.abs(x[other] - x[active]) <= nearest[active])
            active, other = active[near], other[near]
            apart = np.hypot(x[other] - x[active], y[other] - y[active])
            closer = apart <= nearest[active]
            nearest[active[closer]] = apart[closer]
            is_found[active[closer]] = True
    found: FloatArray = np.empty(len(x))
    found[order] = np.where(is_found, nearest, np.inf)
    return found


def neighbour_fractions(
    showers: Showers,
    within_mm: Sequence[float] = (1.6, 3.0),
    edges_mm: Sequence[float] = RADIUS_EDGES_MM,
) -> FloatArray:
    """Fraction of points that have a neighbour in their layer, by distance to the axis.

    Tracks that cross a layer at an angle leave several points side by side, which independent
    points lack: at 40 to 80 mm from the axis more than half of Geant4's have a neighbour within
    1.6 mm, and 2 % of independent ones.

    Arguments:
        showers: Points of any representation.
        within_mm: Distances within which a neighbour counts.
        edges_mm: Edges of the rings, measured in the layer.

    Returns:
        NaN where a ring holds no points, shape (len(within_mm), len(edges_mm) - 1).

    Raises:
        DetectorError: If a layer is beyond the detector's last.
    """
    dx, dy = axis_offsets(showers, load_detector(showers.detector))
    radius = np.hypot(showers.x - dx, showers.y - dy)
    nearest = neighbour_distances(showers, max(within_mm))
    number = np.histogram(radius, edges_mm)[0].astype(np.float64)
    number[number == 0] = np.nan
    # Points are stored with 32 bits: neighbours on a grid are not at its pitch to the last bit.
    return np.stack(
        [np.histogram(radius[nearest <= d + 1e-4], edges_mm)[0] / number for d in within_mm]
    )
