"""Readout of showers: from points in the parts of a detector to hits of its cells."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calozoo_core.hits import Hits, sum_cells
from calozoo_core.placement.cell_axis import DEAD
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray, IntArray

__all__ = ["CellReadout", "Entry"]

POINTS_AT_ONCE = 32768
"""Points read out at once: few enough for what is computed of them to stay in a CPU's cache."""


class Entry(NamedTuple):
    """Entry points of primaries in the parts of a detector, each array of shape (n,).

    A part is what has a local frame of its own: a stave, an end, the whole cylinder. Within it a
    place has two coordinates, u and v.
    """

    part: IntArray
    u: FloatArray
    v: FloatArray

    def of(self, rows: slice | IntArray) -> Entry:
        """The entries of these primaries."""
        return Entry(self.part[rows], self.u[rows], self.v[rows])


class CellReadout(ABC):
    """Readout cells of a detector's parts: which cells points hit, and where the cells lie."""

    cells_per_part: int
    """Indices of cells that a part may have: cell = part * cells_per_part + place in it."""

    def kind_of_part(self, part: IntArray) -> IntArray:
        """Kind of each part, shape (n,); those of one kind have their cells alike."""
        return np.zeros_like(part)

    @abstractmethod
    def cells_in_part(
        self,
        entry: Entry,
        x: NDArray[np.float32],
        y: NDArray[np.float32],
        layer: NDArray[np.intp],
    ) -> IntArray:
        """Index within its part of the cell of each local point; negative where there is none.

        Arguments:
            entry: Where the primary of each point's shower enters; parts of one kind.
            x: x' in mm, shape (N,).
            y: y' in mm, shape (N,).
            layer: Shape (N,).
        """

    @abstractmethod
    def middles(self, part: IntArray, index: IntArray) -> tuple[IntArray, FloatArray]:
        """Layers and global middles of cells.

        Arguments:
            part: Shape (N,).
            index: Of the cell within its part, shape (N,).

        Returns:
            Layers, shape (N,), and x, y, z in mm, shape (N, 3).
        """

    def _hits(self, showers: Showers, entry: Entry, threshold_mev: float) -> Hits:
        """Hits of showers that enter the parts at these places."""
        points = _Points(showers.offsets, showers.x, showers.y, showers.layer, showers.energy)
        kind = self.kind_of_part(entry.part)
        if len(kind) == 0 or np.all(kind == kind[0]):
            return self._hits_of_kind(points, entry, threshold_mev)
        # Told apart point by point, the two kinds would cost as much again as the placing.
        rows = [np.flatnonzero(kind == one) for one in np.unique(kind)]
        hits = [self._hits_of_kind(points.of(some), entry.of(some), threshold_mev) for some in rows]
        order = np.empty(len(kind), dtype=np.int64)
        order[np.concatenate(rows)] = np.arange(len(kind))
        columns = vars(Hits.concatenate(hits))
        return Hits(**dict(zip(columns, _taken(order, *columns.values()), strict=True)))

    def _hits_of_kind(self, points: _Points, entry: Entry, threshold_mev: float) -> Hits:
        """Hits of showers that are all in parts of one kind."""
        ends = _runs(points.offsets, self.cells_per_part)
        parts = [
            self._hits_at_once(points, entry.of(slice(a, b)), a, threshold_mev)
            for a, b in pairwise(ends)
        ]
        return Hits.concatenate(parts)

    def _hits_at_once(
        self, points: _Points, entry: Entry, first: int, threshold_mev: float
    ) -> Hits:
        """Hits of the showers from `first` on that have an entry."""
        n = len(entry.part)
        offsets = points.offsets[first : first + n + 1]
        counts = np.diff(offsets)
        run = slice(int(offsets[0]), int(offsets[-1]))
        key = self.cells_in_part(
            entry.of(np.repeat(np.arange(n), counts)),
            points.x[run],
            points.y[run],
            points.layer[run].astype(np.intp),
        )
        size = self.cells_per_part
        first_key = size * np.arange(n + 1)
        key += np.repeat(first_key[:-1], counts)
        key, energy = sum_cells(key, points.energy[run], n * size)
        if threshold_mev > 0:
            kept = np.flatnonzero(energy >= threshold_mev)
            key, energy = key.take(kept), energy.take(kept)
        hit_offsets = np.searchsorted(key, first_key)
        hits = np.diff(hit_offsets)
        part = np.repeat(entry.part, hits)
        index = key - np.repeat(first_key[:-1], hits)
        layer, centres = self.middles(part, index)
        x, y, z = centres.astype(np.float32).T
        return Hits(
            offsets=hit_offsets,
            cell=part * size + index,
            layer=layer.astype(np.uint8),
            x=x,
            y=y,
            z=z,
            energy=energy.astype(np.float32),
        )


@dataclass(frozen=True)
class _Points:
    """The points of showers, without all else that is known of them."""

    offsets: IntArray
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    layer: NDArray[np.uint8]
    energy: NDArray[np.float32]

    def of(self, rows: IntArray) -> _Points:
        """The points of these showers."""
        return _Points(*_taken(rows, self.offsets, self.x, self.y, self.layer, self.energy))


def _taken(rows: IntArray, offsets: IntArray, *columns: NDArray[Any]) -> list[NDArray[Any]]:
    """Offsets and columns of some showers, copied shower by shower, which is how they lie."""
    pieces = [slice(offsets[row], offsets[row + 1]) for row in rows.tolist()]
    counts = np.diff(offsets).take(rows)
    return [
        np.concatenate([[0], counts]).cumsum(),
        *(np.concatenate([column[piece] for piece in pieces]) for column in columns),
    ]


def _runs(offsets: IntArray, cells_per_part: int) -> list[int]:
    """Limits of runs of showers: few points at once, and keys too small to revive a dead one."""
    most = max(1, -DEAD // (2 * cells_per_part))
    ends = [0]
    while ends[-1] < len(offsets) - 1:
        begin = ends[-1]
        end = int(np.searchsorted(offsets, offsets[begin] + POINTS_AT_ONCE, side="right")) - 1
        ends.append(min(max(end, begin + 1), begin + most, len(offsets) - 1))
    return ends if len(ends) > 1 else [0, 0]
