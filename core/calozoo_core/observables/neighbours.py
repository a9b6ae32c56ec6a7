"""Neighbours within a layer: cells beside cells, points near points, counted by radius."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from calozoo_core.observables.deposits import Deposits
from calozoo_core.ragged import sort_order
from calozoo_core.typing import BoolArray, FloatArray, IntArray

__all__ = [
    "POINT_DISTANCES_MM",
    "RADIUS_BANDS_MM",
    "NeighbourSums",
    "adjacent_cells",
    "has_point_within",
]

RADIUS_BANDS_MM: Final = (0.0, 5.0, 10.0, 20.0, 40.0, 80.0)
"""Inner radii of the bands in which deposits with a neighbour are counted; the last has no end."""

POINT_DISTANCES_MM: Final = (1.6, 3.0)
"""Distances within which a point of the same layer is a neighbour, in rising order."""

_REACH: Final = 1 << 12
"""Squares of the grid that a shower may reach to either side."""

_SIDE: Final = 2 * _REACH + 2
_AROUND: Final = ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))


def adjacent_cells(cells: Deposits) -> tuple[IntArray, BoolArray]:
    """Number of cells beside each cell, and whether there is one at its place a layer deeper.

    Arguments:
        cells: Readout cells, at most one at a place.

    Returns:
        How many of the eight cells around it are hit, from 0 to 8, and whether the one behind it
        is, both of shape (N,).
    """
    pitch = cells.detector.cell_mm
    row, column = (np.round(v / pitch).astype(np.int64) for v in (cells.dy, cells.dx))
    key = _keys(cells, row, column)
    there = key[sort_order(key, _largest(cells))]

    def is_hit(step: int) -> BoolArray:
        place = np.minimum(np.searchsorted(there, key + step), max(len(there) - 1, 0))
        return np.asarray(there[place] == key + step)

    if len(key) == 0:
        return np.zeros(0, np.int64), np.zeros(0, dtype=bool)
    beside = np.zeros(len(key), np.int64)
    for rows, columns in _AROUND:
        beside += is_hit(rows * _SIDE + columns)
    is_last = cells.layer == cells.detector.n_layers - 1
    return beside, is_hit(_SIDE * _SIDE) & ~is_last


def has_point_within(
    points: Deposits, distances_mm: Sequence[float] = POINT_DISTANCES_MM
) -> BoolArray:
    """True for each point that has another one in its layer within some distances.

    Arguments:
        points: Points of showers.
        distances_mm: The distances, in rising order.

    Returns:
        One row a distance, shape (n_distances, N).
    """
    largest = distances_mm[-1]
    row, column = (np.floor(v / largest).astype(np.int64) for v in (points.dy, points.dx))
    key = _keys(points, row, column)
    order = sort_order(key, _largest(points))
    key, x, y = key[order], points.dx[order], points.dy[order]
    found = np.zeros((len(distances_mm), len(key)), dtype=bool)
    for rows in (-1, 0, 1):
        # The squares to the left, here and to the right follow one another in the sorted keys.
        candidate = np.searchsorted(key, key + rows * _SIDE - 1, side="left")
        last = np.searchsorted(key, key + rows * _SIDE + 1, side="right")
        point = np.flatnonzero(~found[0] & (candidate < last))
        candidate, last = candidate[point], last[point]
        while len(point):
            square = (x[point] - x[candidate]) ** 2 + (y[point] - y[candidate]) ** 2
            is_other = candidate != point
            for within, distance in zip(found, distances_mm, strict=True):
                within[point[is_other & (square <= distance**2)]] = True
            candidate += 1
            left = np.flatnonzero(~found[0][point] & (candidate < last))
            point, candidate, last = point[left], candidate[left], last[left]
    result = np.empty_like(found)
    result[:, order] = found
    return result


def _keys(deposits: Deposits, row: IntArray, column: IntArray) -> IntArray:
    """Number of the square of each deposit: neighbours in a layer and behind differ by constants.

    What lies beyond the reach is counted at its edge; no step leads from one row into the next.
    """
    row, column = (np.clip(v, 1 - _REACH, _REACH - 1) + _REACH for v in (row, column))
    stack = deposits.owner * deposits.detector.n_layers + deposits.layer
    return np.asarray((stack * _SIDE + row) * _SIDE + column)


def _largest(deposits: Deposits) -> int:
    return len(deposits) * deposits.detector.n_layers * _SIDE**2


@dataclass(eq=False)
class NeighbourSums:
    """Numbers of deposits, and of those with a neighbour, by block of showers and by radius.

    Arguments:
        n_blocks: Blocks of showers that are kept apart.
        kinds: Kinds of neighbours, by name.

    Attributes:
        deposits: Number of deposits, shape (n_blocks, n_bands).
        with_neighbour: Number of those that have one, shape (n_kinds, n_blocks, n_bands).
    """

    n_blocks: int
    kinds: tuple[str, ...]
    deposits: FloatArray = field(init=False)
    with_neighbour: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        shape = self.n_blocks, len(RADIUS_BANDS_MM)
        self.deposits = np.zeros(shape)
        self.with_neighbour = np.zeros((len(self.kinds), *shape))

    def add(self, deposits: Deposits, has_neighbour: BoolArray, block: IntArray) -> None:
        """Take in the deposits of showers.

        Arguments:
            deposits: Of n showers.
            has_neighbour: One row a kind, shape (n_kinds, N).
            block: Block of each shower, shape (n,).
        """
        n_bands = len(RADIUS_BANDS_MM)
        band = np.searchsorted(RADIUS_BANDS_MM, deposits.radius, side="right") - 1
        index = block[deposits.owner] * n_bands + band
        self.deposits += self._counted(index)
        for sums, has in zip(self.with_neighbour, has_neighbour, strict=True):
            sums += self._counted(index[has])

    def _counted(self, index: IntArray) -> IntArray:
        shape = self.deposits.shape
        return np.bincount(index, minlength=self.deposits.size).reshape(shape)

    def __iadd__(self, other: NeighbourSums) -> NeighbourSums:
        self.deposits = self.deposits + other.deposits
        self.with_neighbour = self.with_neighbour + other.with_neighbour
        return self
