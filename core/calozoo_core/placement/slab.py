"""A plain slab across the path of the particles, as in a test beam."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector
from calozoo_core.placement._axis import Axis
from calozoo_core.placement._flat import FlatParts
from calozoo_core.random import stream
from calozoo_core.typing import BoolArray, FloatArray, IntArray

__all__ = ["SlabPlacement"]

_HALF_WIDTH_CELLS = 512


class SlabPlacement(FlatParts):
    """One square slab whose face is the global plane z = `face_mm`; all layers have the same cells.

    Local axes are the global ones, so a point moves by its primary's position and nothing else.
    Cells reach 512 of them from the z axis each way, and one has a corner on it.

    Arguments:
        detector: One without a shape.
    """

    def __init__(self, detector: Detector) -> None:
        super().__init__(detector, np.eye(3)[None], detector.face_mm)
        self._half_width_mm = _HALF_WIDTH_CELLS * detector.cell_mm
        self._cells = Axis([(-self._half_width_mm, 2 * _HALF_WIDTH_CELLS)], detector.cell_mm)
        self._layer_cells = len(self._cells) ** 2
        self.cells_per_part = detector.n_layers * self._layer_cells

    @property
    def extent(self) -> str:
        return (
            f"whose slab has it at z = {self._face_mm:g} mm "
            f"and up to {self._half_width_mm:g} mm from the z axis in x and in y"
        )

    def draw(self, n: int, seed: int, first: int = 0) -> tuple[FloatArray, FloatArray]:
        place = [stream(seed, first + i, "primary").random(2) for i in range(n)]
        position = np.full((n, 3), self._face_mm)
        position[:, :2] = np.reshape(place, (n, 2)) * self.detector.cell_mm
        return position, np.tile([0.0, 0.0, 1.0], (n, 1))

    def part_at_face(self, points: FloatArray) -> IntArray:
        return np.zeros(len(points), np.int64)

    def part_of(self, points: FloatArray) -> IntArray:
        return self.part_at_face(points)

    def within_face(self, u: FloatArray, v: FloatArray) -> BoolArray:
        return np.maximum(np.abs(u), np.abs(v)) <= self._half_width_mm

    def cell_at(self, u: FloatArray, v: FloatArray, layer: NDArray[np.intp]) -> IntArray:
        index = self._cells.index(u)
        index *= len(self._cells)
        index += self._cells.index(v)
        index += layer * self._layer_cells
        return index

    def middle(self, index: IntArray) -> tuple[IntArray, FloatArray, FloatArray]:
        rows, column = np.divmod(index, len(self._cells))
        layer, row = np.divmod(rows, len(self._cells))
        return layer, self._cells.centre.take(row), self._cells.centre.take(column)
