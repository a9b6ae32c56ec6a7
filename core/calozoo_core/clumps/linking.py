"""Linking of the deposits of a layer to clumps."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from calozoo_core.detector import load_detector
from calozoo_core.frames import perpendicular_positions
from calozoo_core.showers import Showers
from calozoo_core.strict_model import StrictModel
from calozoo_core.typing import FloatArray, IntArray

__all__ = ["Clumps", "Linking", "link_clumps"]

_Length = Annotated[float, Field(ge=0, le=1000)]


class Linking(StrictModel):
    """Distance below which two deposits of a layer belong to one clump.

    Deposits link if they are closer than `growth` times the smaller of their distances to the axis,
    but at least `least_mm` and at most `most_mm`: so far that clumps stay whole, and less than the
    voxels there measure, or clumps of voxels side by side would be filled into each other. All
    lengths are measured in the plane at right angles to the axis.

    Arguments:
        growth: Linking distance over the distance to the axis.
        least_mm: Shortest linking distance.
        most_mm: Longest linking distance.
    """

    growth: Annotated[float, Field(ge=0, le=1)] = 0.12
    least_mm: _Length = 0.35
    most_mm: _Length = 6.0

    @model_validator(mode="after")
    def _lengths_are_ordered(self) -> Linking:
        if self.least_mm > self.most_mm:
            msg = "least_mm must not be above most_mm"
            raise ValueError(msg)
        return self


class Clumps(NamedTuple):
    """Clumps of a sample, ordered by shower and layer.

    Arguments:
        of_point: Clump of each point of the sample, shape (N,).
        x: Centre of gravity about the axis, in the plane at right angles to it, in mm, shape (m,).
        y: The same, the other way.
        energy: Summed energy, in MeV, shape (m,).
        shower: Row of the shower, shape (m,).
        layer: Shape (m,).
    """

    of_point: IntArray
    x: FloatArray
    y: FloatArray
    energy: FloatArray
    shower: IntArray
    layer: IntArray


def link_clumps(showers: Showers, linking: Linking | None = None) -> Clumps:
    """Clumps of showers: the connected components of their linked deposits.

    Arguments:
        showers: Points of any representation; the distances were found for "x225" and "x25".
        linking: Distances; by default those of `Linking()`.

    Raises:
        DetectorError: If a layer is beyond the detector's last.

    Example:
        >>> from calozoo_core.incident import Incident
        >>> pair_and_one = Showers([0, 3], x=[20, 21, 40], y=[0, 0, 0], layer=[3, 3, 3],
        ...                        energy=[0.1, 0.3, 0.2], incident=Incident(10, (0, 0, 1)),
        ...                        representation="x25", detector="ild_siecal_regular")
        >>> clumps = link_clumps(pair_and_one)
        >>> clumps.of_point.tolist(), clumps.x.round(2).tolist()
        ([0, 0, 1], [20.75, 40.0])
    """
    linking = linking or Linking()
    detector = load_detector(showers.detector)
    x, y = perpendicular_positions(showers, detector)
    row = showers.shower_index * detector.n_layers + showers.layer
    reach = np.clip(linking.growth * np.hypot(x, y), linking.least_mm, linking.most_mm)
    label = _components(len(x), *_close_pairs(x, y, row, reach))
    # Labels are the smallest point of each component: numbered by row, then by that point.
    first, inverse = np.unique(label, return_inverse=True)
    order = np.lexsort((first, row[first]))
    rank = np.empty(len(first), np.int64)
    rank[order] = np.arange(len(first))
    of_point = rank[inverse.reshape(-1)]
    # A clump without energy has its centre in the middle of its points.
    weight = showers.energy.astype(np.float64) + np.finfo(np.float64).tiny
    total: FloatArray = np.bincount(of_point, weight, len(first)).astype(np.float64)
    shower, layer = np.divmod(row[first[order]], detector.n_layers)
    return Clumps(
        of_point,
        np.bincount(of_point, weight * x, len(first)) / total,
        np.bincount(of_point, weight * y, len(first)) / total,
        total,
        shower,
        layer,
    )


def _close_pairs(
    x: FloatArray, y: FloatArray, row: IntArray, reach: FloatArray
) -> tuple[IntArray, IntArray]:
    """Pairs of points of one row that are closer than the smaller reach of the two.

    Returns:
        Numbers of the one and of the other point, each pair once, two of shape (p,).
    """
    order = np.lexsort((x, row))
    x, y, row, reach = x[order], y[order], row[order], reach[order]
    pairs = [np.zeros((2, 0), np.int64)]
    # Points in order of x: the partners of each are its next ones, until x alone is too far.
    active = np.arange(len(order))
    step = 0
    while len(active):
        step += 1
        active = active[active + step < len(order)]
        other = active + step
        active = active[(row[other] == row[active]) & (x[other] - x[active] <= reach[active])]
        other = active + step
        limit = np.minimum(reach[active], reach[other])
        linked = np.hypot(x[other] - x[active], y[other] - y[active]) <= limit
        pairs.append(np.stack([order[active[linked]], order[other[linked]]]))
    one, other = np.concatenate(pairs, axis=1)
    return one, other


def _components(n: int, one: IntArray, two: IntArray) -> IntArray:
    """Smallest member of the connected component of each of n points, shape (n,)."""
    label = np.arange(n)
    while len(one):
        low = np.minimum(label[one], label[two])
        np.minimum.at(label, label[one], low)
        np.minimum.at(label, label[two], low)
        label = _roots(label)
        open_ = label[one] != label[two]
        one, two = one[open_], two[open_]
    return label


def _roots(label: IntArray) -> IntArray:
    """Labels followed to the end of each chain."""
    while True:
        next_ = label[label]
        if np.array_equal(next_, label):
            return label
        label = next_
