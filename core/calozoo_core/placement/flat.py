"""Placement into flat parts, each with one local frame: staves of a barrel, endcaps, a slab."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector
from calozoo_core.placement.base import FACE_TOLERANCE_MM, Entry, Placement
from calozoo_core.placement.cell_axis import CellAxis
from calozoo_core.random import stream
from calozoo_core.typing import BoolArray, FloatArray, IntArray

__all__ = ["FlatPlacement", "SlabPlacement"]

_HALF_WIDTH_CELLS = 512


class FlatPlacement(Placement):
    """Placement in a detector whose parts are flat: staves, endcaps, a slab.

    A global point p has in a part the coordinates u, v and w: its products with the axes x', y' and
    z' of that part. Every part's face is the plane w = `face_mm`.

    Arguments:
        detector: The detector the showers are put into.
        axes: x', y' and z' of each part in the global frame, shape (n_parts, 3, 3).
        face_mm: Distance of the face of each part from the interaction point.
    """

    def __init__(self, detector: Detector, axes: FloatArray, face_mm: float) -> None:
        super().__init__(detector)
        self._axes = axes
        self._turns = np.argwhere(np.abs(axes).max(axis=0) > 0).tolist()  # the others are all 0
        self._face_mm = face_mm
        self._depth_mm = detector.layer_depth_mm
        sheets = [slab.thickness_mm for slab in detector.slabs if slab.layer is not None]
        self._half_sheet_mm: FloatArray = np.array(sheets) / 2 + 1e-3

    @abstractmethod
    def part_at_face(self, points: FloatArray) -> IntArray:
        """The part whose face lies in the direction of each global point, shape (N,)."""

    @abstractmethod
    def part_of(self, points: FloatArray) -> IntArray:
        """The part whose volume each global point lies in, shape (N,)."""

    @abstractmethod
    def within_face(self, u: FloatArray, v: FloatArray) -> BoolArray:
        """Mask of places in a part's plane that are on its face, shape (N,)."""

    @abstractmethod
    def cell_at(self, u: FloatArray, v: FloatArray, layer: NDArray[np.intp]) -> IntArray:
        """Index within its part of the cell at a place, shape (N,); negative where none is."""

    @abstractmethod
    def middle(self, index: IntArray) -> tuple[IntArray, FloatArray, FloatArray]:
        """Layer, u and v of the middles of cells by index in their part, each of shape (N,)."""

    def local_direction(self, position: FloatArray, momentum: FloatArray) -> FloatArray:
        local = _along(self._axes[self.part_at_face(position)], momentum)
        unit: FloatArray = local / np.linalg.norm(local, axis=1, keepdims=True)
        return unit

    def to_global(self, points: FloatArray, position: FloatArray) -> FloatArray:
        axes = self._axes[self.part_at_face(np.atleast_2d(position))]
        turned: FloatArray = np.einsum("...ij,...i->...j", axes, points)
        return position + turned

    def to_local(self, points: FloatArray, position: FloatArray) -> FloatArray:
        axes = self._axes[self.part_at_face(np.atleast_2d(position))]
        return _along(axes, points - position)

    def cells(self, points: FloatArray, layer: NDArray[np.uint8]) -> IntArray:
        part = self.part_of(points)
        u, v, w = _along(self._axes[part], points).T
        off = np.abs(w - self._face_mm - self._depth_mm[layer])
        index = self.cell_at(u, v, layer.astype(np.intp))
        is_cell = (index >= 0) & (off <= self._half_sheet_mm[layer])
        return np.where(is_cell, index + part * self.cells_per_part, -1)

    def depth(self, points: FloatArray) -> FloatArray:
        axis = self._axes[self.part_of(points), 2]
        depth: FloatArray = np.einsum("nj,nj->n", axis, points) - self._face_mm
        return depth

    def middles(self, part: IntArray, index: IntArray) -> tuple[IntArray, FloatArray]:
        layer, u, v = self.middle(index)
        local = (u, v, (self._face_mm + self._depth_mm).take(layer))
        centres = np.zeros((3, len(index)))
        for i, j in self._turns:
            centres[j] += self._axes[:, i, j].take(part) * local[i]
        return layer, centres.T

    def crossing(self, momentum: FloatArray) -> tuple[FloatArray, BoolArray]:
        axes = self._axes[self.part_at_face(momentum)]
        forward = np.einsum("nj,nj->n", axes[:, 2], momentum)
        is_forward = forward > 0
        position = momentum * (self._face_mm / np.where(is_forward, forward, 1.0))[:, None]
        return position, is_forward & self.on_face(position)

    def on_face(self, position: FloatArray) -> BoolArray:
        u, v, w = _along(self._axes[self.part_at_face(position)], position).T
        is_near: BoolArray = np.abs(w - self._face_mm) <= FACE_TOLERANCE_MM
        return is_near & self.within_face(u, v)

    def entry(self, position: FloatArray) -> Entry:
        part = self.part_at_face(position)
        u, v, _ = _along(self._axes[part], position).T
        return Entry(part, u, v)

    def cells_in_part(
        self,
        entry: Entry,
        x: NDArray[np.float32],
        y: NDArray[np.float32],
        layer: NDArray[np.intp],
    ) -> IntArray:
        return self.cell_at(entry.u + x, entry.v + y, layer)


class SlabPlacement(FlatPlacement):
    """Placement in a plain square slab across the beam, as in a test beam.

    The face is the global plane z = `face_mm`; all layers have the same cells.
    Local axes are the global ones, so a point moves by its primary's position and nothing else.
    Cells reach 512 of them from the z axis each way, and one has a corner on it.

    Arguments:
        detector: One without a shape.
    """

    def __init__(self, detector: Detector) -> None:
        super().__init__(detector, np.eye(3)[None], detector.face_mm)
        self._half_width_mm = _HALF_WIDTH_CELLS * detector.cell_mm
        self._cells = CellAxis([(-self._half_width_mm, 2 * _HALF_WIDTH_CELLS)], detector.cell_mm)
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


def _along(axes: FloatArray, vectors: FloatArray) -> FloatArray:
    """Components of vectors along three axes each, shape (N, 3)."""
    components: FloatArray = np.einsum("...ij,...j->...i", axes, vectors)
    return components
