"""Cells in a row: which one a coordinate falls into, quickly and to the last bit."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from calozoo_core.typing import FloatArray, IntArray

__all__ = ["DEAD", "Axis"]

DEAD = -(2**48)
"""Index of what is no cell: still negative when indices are added, or times some 10,000."""

_TOUCHING_MM = 1e-6


class Axis:
    """Live stretches of whole cells along a line, with gaps between them.

    A coordinate is looked up in a table of bins so narrow that at most one edge, of a cell or a
    gap, lies in each; one comparison with that edge decides. The bin of an edge is computed as
    the bin of a coordinate is, so rounding cannot put the two on different sides.

    Arguments:
        stretches: Where each live stretch begins, in mm, and its number of cells, in order.
        cell_mm: Pitch of the cells.

    Example:
        >>> axis = Axis([(0.0, 2), (11.0, 2)], cell_mm=5.0)
        >>> [max(-1, int(i)) for i in axis.index(np.array([-0.1, 0.0, 9.9, 10.5, 16.0]))]
        [-1, 0, 1, -1, 3]
        >>> axis.centre.tolist()
        [2.5, 7.5, 13.5, 18.5]
    """

    def __init__(self, stretches: Iterable[tuple[float, int]], cell_mm: float) -> None:
        begins: list[NDArray[np.floating]] = []
        edges: list[float] = []
        beyond: list[int] = []  # what lies between an edge and the next one
        first = 0
        for start, cells in stretches:
            begin = start + cell_mm * np.arange(cells)
            if edges and begin[0] - edges[-1] < _TOUCHING_MM:
                edges.pop()
                beyond.pop()
            edges += [*begin.tolist(), start + cell_mm * cells]
            beyond += [*range(first, first + cells), DEAD]
            begins.append(begin)
            first += cells
        self.centre: FloatArray = np.concatenate(begins) + cell_mm / 2
        self._tabulate(np.array(edges), np.array(beyond))

    def __len__(self) -> int:
        """Number of cells."""
        return len(self.centre)

    def index(self, at: FloatArray) -> IntArray:
        """The cell at each coordinate, shape (N,); something negative where there is none."""
        scaled = at - self._origin
        scaled *= self._bins_per_mm
        with np.errstate(invalid="ignore"):  # what is no number is in no cell
            row = scaled.astype(np.int64)
        np.clip(row, 0, len(self._edge) - 1, out=row)
        is_beyond = at >= self._edge.take(row)
        row <<= 1
        row += is_beyond
        index: IntArray = self._cell.take(row)
        return index

    def _tabulate(self, edges: FloatArray, beyond: IntArray) -> None:
        bin_mm = np.diff(edges).min() * 0.999
        self._origin = edges[0] - 1.5 * bin_mm  # the outermost bins are wholly outside
        self._bins_per_mm = 1 / bin_mm
        bin_of_edge = ((edges - self._origin) * self._bins_per_mm).astype(np.int64)
        n_bins = int(bin_of_edge[-1]) + 2
        self._edge: FloatArray = np.full(n_bins, np.inf)
        self._edge[bin_of_edge] = edges
        passed = np.searchsorted(bin_of_edge, np.arange(n_bins))  # edges before each bin
        before = np.concatenate([[DEAD], beyond])[passed]
        after = before.copy()
        after[bin_of_edge] = beyond
        self._cell: IntArray = np.stack([before, after], axis=1).reshape(-1)
