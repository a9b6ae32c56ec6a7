"""Rows of readout cells with gaps between them: the cell that a coordinate falls into.

`CellAxis` looks a coordinate up; `tower_axis` and `slab_axis` lay the wafers of a detector along
the towers and slabs of its modules, or plain cells where it has no wafers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector
from calozoo_core.detector_description import Barrel, Endcap
from calozoo_core.typing import FloatArray, IntArray

__all__ = ["DEAD", "CellAxis", "cells_in_slab", "slab_axis", "slab_ends_mm", "tower_axis"]

DEAD = -(2**48)
"""Index of what is no cell: still negative when indices are added, or times some 10,000."""

_TOUCHING_MM, _ROUNDING = 1e-6, 1e-9


class CellAxis:
    """Live stretches of whole cells along a line, with gaps between them.

    A coordinate is looked up in a table of bins so narrow that at most one edge, of a cell or a
    gap, lies in each; one comparison with that edge decides. The bin of an edge is computed as
    the bin of a coordinate is, so rounding cannot put the two on different sides.

    Arguments:
        stretches: Where each live stretch begins, in mm, and its number of cells, in order.
        cell_mm: Pitch of the cells.

    Example:
        >>> axis = CellAxis([(0.0, 2), (11.0, 2)], cell_mm=5.0)
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


def tower_axis(detector: Detector, shape: Barrel | Endcap, begin_mm: float) -> CellAxis:
    """Cells across the towers, module after module, the first of which begins at `begin_mm`."""
    module_mm = 2 * shape.lateral_mm + shape.towers_per_module * shape.tower_mm
    towers = [
        begin_mm + module * module_mm + shape.lateral_mm + tower * shape.tower_mm
        for module in range(shape.modules)
        for tower in range(shape.towers_per_module)
    ]
    if detector.wafers is None:
        length = shape.modules * module_mm
        cells = _whole_cells(detector, length)
        return CellAxis(
            [(begin_mm + (length - cells * detector.cell_mm) / 2, cells)], detector.cell_mm
        )
    wafers, pitch = detector.wafers, _wafer_pitch_mm(detector)
    margin = (shape.tower_mm - wafers.per_tower * pitch) / 2
    stretches = [
        (tower + margin + wafer * pitch + wafers.guard_mm, wafers.cells)
        for tower in towers
        for wafer in range(wafers.per_tower)
    ]
    return CellAxis(stretches, detector.cell_mm)


def slab_axis(detector: Detector, length_mm: float) -> CellAxis:
    """Cells along a slab of this length, from its first wafer's rim on; the last may be short."""
    return CellAxis(_stretches(detector, length_mm), detector.cell_mm)


def cells_in_slab(detector: Detector, length_mm: float) -> int:
    """Number of cells along a slab of this length, from its first wafer's rim on."""
    return sum(cells for _, cells in _stretches(detector, length_mm))


def slab_ends_mm(detector: Detector) -> list[float]:
    """Depth of the back of the slab that each sensitive layer is in, from the face."""
    backs = detector.slab_front_mm + [sheet.thickness_mm for sheet in detector.slabs]
    ends = []
    for back, sheet in zip(backs, detector.slabs, strict=True):
        if sheet.layer is None:
            continue
        mates = [
            float(b)
            for b, other in zip(backs, detector.slabs, strict=True)
            if other.alveolus == sheet.alveolus
        ]
        ends.append(float(back) if sheet.alveolus is None else max(mates))
    return ends


def _stretches(detector: Detector, length_mm: float) -> Iterator[tuple[float, int]]:
    if detector.wafers is None:
        yield 0.0, _whole_cells(detector, length_mm)
        return
    guard, pitch = detector.wafers.guard_mm, _wafer_pitch_mm(detector)
    for wafer in range(math.ceil(length_mm / pitch)):
        room = length_mm - wafer * pitch - 2 * guard
        cells = min(detector.wafers.cells, _whole_cells(detector, room))
        if cells > 0:
            yield wafer * pitch + guard, cells


def _wafer_pitch_mm(detector: Detector) -> float:
    assert detector.wafers is not None
    return detector.wafers.cells * detector.cell_mm + 2 * detector.wafers.guard_mm


def _whole_cells(detector: Detector, length_mm: float) -> int:
    return math.floor(length_mm / detector.cell_mm + _ROUNDING)
