"""A polygon of flat staves around the beam, alone and with endcaps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector
from calozoo_core.errors import DetectorError
from calozoo_core.placement.base import Entry, Placement
from calozoo_core.placement.cell_axis import (
    DEAD,
    cells_in_slab,
    slab_axis,
    slab_ends_mm,
    tower_axis,
)
from calozoo_core.placement.endcap import EndcapPlacement
from calozoo_core.placement.flat import FlatPlacement
from calozoo_core.typing import BoolArray, FloatArray, IntArray

__all__ = ["BarrelPlacement", "BarrelWithEndcaps"]


class BarrelPlacement(FlatPlacement):
    """A barrel of flat staves, each overlapping the next.

    Stave s is the one whose middle has the azimuth s * 360 / sides degrees. In its frame x' is
    along the beam, y' towards smaller azimuth, z' outwards: for the stave on top, x', y', z' are
    the global z, x, y. A primary belongs to the stave whose middle is nearest in azimuth.

    At depth d behind the inner radius a stave reaches from y' = w - d on one side, where it meets
    the plane of its neighbour's face, to y' = -(w + overlap - d) on the other, where it covers its
    other neighbour's end (written for eight sides; w is half a side). Wafers are laid from the
    first end, which moves with depth, so the gaps between them are staggered.

    References:
        | CaloClouds3, section 2.1: https://arxiv.org/abs/2511.01460
        | ILD's driver for this calorimeter, SEcal06: https://github.com/key4hep/k4geo

    Arguments:
        detector: One with a barrel.

    Raises:
        DetectorError: If it has none.
    """

    def __init__(self, detector: Detector) -> None:
        if detector.barrel is None:
            msg = f"Detector {detector.name} has no barrel."
            raise DetectorError(msg)
        self.shape = shape = detector.barrel
        angle = 2 * np.pi / shape.sides * np.arange(shape.sides)
        cos, sin, zero = np.cos(angle), np.sin(angle), np.zeros(shape.sides)
        axes = np.array([[zero, zero, zero + 1], [sin, -cos, zero], [cos, sin, zero]])
        super().__init__(detector, axes.transpose(2, 0, 1), detector.face_mm)

        turn = 2 * math.pi / shape.sides
        air = shape.inner_radius_mm - detector.face_mm
        overlap = (detector.depth_mm - air - shape.support_mm) / math.sin(turn)
        self._slant = 1 / math.tan(turn)
        plug = detector.wafers.plug_mm if detector.wafers else 0.0
        back = np.array(slab_ends_mm(detector)) - air
        end = shape.half_width_mm - back * self._slant
        self._begin: FloatArray = end - plug
        lengths = self._begin + end + overlap
        self._n_across: IntArray = np.array([cells_in_slab(detector, float(x)) for x in lengths])
        self._across = slab_axis(detector, float(lengths.max()))
        self._beam = tower_axis(detector, shape, -shape.half_length_mm)
        self._layer_cells = len(self._beam) * len(self._across)
        self.cells_per_part = detector.n_layers * self._layer_cells

    @property
    def extent(self) -> str:
        return (
            f"whose barrel has it {self._face_mm:g} mm from the beam "
            f"and up to {self.shape.half_length_mm:g} mm along it"
        )

    def part_at_face(self, points: FloatArray) -> IntArray:
        turns = np.arctan2(points[:, 1], points[:, 0]) / (2 * np.pi)
        part: IntArray = np.rint(turns * self.shape.sides).astype(np.int64) % self.shape.sides
        return part

    def part_of(self, points: FloatArray) -> IntArray:
        nearest = self.part_at_face(points)
        axes = self._axes[nearest]
        v = np.einsum("nj,nj->n", axes[:, 1], points)
        depth = np.einsum("nj,nj->n", axes[:, 2], points) - self.shape.inner_radius_mm
        is_neighbours = v > self.shape.half_width_mm - depth * self._slant
        part: IntArray = (nearest - is_neighbours) % self.shape.sides
        return part

    def within_face(self, u: FloatArray, v: FloatArray) -> BoolArray:
        return np.abs(u) <= self.shape.half_length_mm

    def cell_at(self, u: FloatArray, v: FloatArray, layer: NDArray[np.intp]) -> IntArray:
        across = self._across.index(self._begin.take(layer) - v)
        across[across >= self._n_across.take(layer)] = DEAD
        index = self._beam.index(u)
        index *= len(self._across)
        index += across
        index += layer * self._layer_cells
        return index

    def middle(self, index: IntArray) -> tuple[IntArray, FloatArray, FloatArray]:
        rows, across = np.divmod(index, len(self._across))
        layer, row = np.divmod(rows, len(self._beam))
        v = self._begin.take(layer) - self._across.centre.take(across)
        return layer, self._beam.centre.take(row), v


_T = TypeVar("_T")


class BarrelWithEndcaps(Placement):
    """The barrel's staves, then the two ends, as the parts of one detector.

    What lies farther along the beam than the middle of the space between them belongs to an end.

    Arguments:
        detector: One with a barrel and an endcap.

    Raises:
        DetectorError: If it lacks either.
    """

    def __init__(self, detector: Detector) -> None:
        super().__init__(detector)
        self.barrel = BarrelPlacement(detector)
        self.endcap = EndcapPlacement(detector)
        self._n_staves = self.barrel.shape.sides
        self._middle_mm = (self.barrel.shape.half_length_mm + self.endcap.shape.face_mm) / 2
        self.cells_per_part = max(self.barrel.cells_per_part, self.endcap.cells_per_part)

    @property
    def extent(self) -> str:
        return f"{self.barrel.extent}, and {self.endcap.extent}"

    def local_direction(self, position: FloatArray, momentum: FloatArray) -> FloatArray:
        one_each = self.barrel.local_direction, self.endcap.local_direction
        return _by_place(self._is_end(position), one_each, position, momentum)

    def to_global(self, points: FloatArray, position: FloatArray) -> FloatArray:
        position = np.broadcast_to(position, points.shape)
        one_each = self.barrel.to_global, self.endcap.to_global
        return _by_place(self._is_end(position), one_each, points, position)

    def to_local(self, points: FloatArray, position: FloatArray) -> FloatArray:
        position = np.broadcast_to(position, points.shape)
        one_each = self.barrel.to_local, self.endcap.to_local
        return _by_place(self._is_end(position), one_each, points, position)

    def cells(self, points: FloatArray, layer: NDArray[np.uint8]) -> IntArray:
        is_end = self._is_end(points)
        own = _by_place(is_end, (self.barrel.cells, self.endcap.cells), points, layer)
        size = np.where(is_end, self.endcap.cells_per_part, self.barrel.cells_per_part)
        part, index = np.divmod(own, size)
        part += is_end * self._n_staves
        return np.where(own >= 0, part * self.cells_per_part + index, -1)

    def depth(self, points: FloatArray) -> FloatArray:
        return _by_place(self._is_end(points), (self.barrel.depth, self.endcap.depth), points)

    def crossing(self, momentum: FloatArray) -> tuple[FloatArray, BoolArray]:
        position, is_hit = self.barrel.crossing(momentum)
        at_end, is_end_hit = self.endcap.crossing(momentum)
        return np.where(is_hit[:, None], position, at_end), is_hit | is_end_hit

    def on_face(self, position: FloatArray) -> BoolArray:
        one_each = self.barrel.on_face, self.endcap.on_face
        return _by_place(self._is_end(position), one_each, position)

    def kind_of_part(self, part: IntArray) -> IntArray:
        return (part >= self._n_staves).astype(np.int64)

    def entry(self, position: FloatArray) -> Entry:
        is_end = self._is_end(position)
        part, u, v = _by_place(is_end, (self.barrel.entry, self.endcap.entry), position)
        return Entry(part + is_end * self._n_staves, u, v)

    def cells_in_part(
        self,
        entry: Entry,
        x: NDArray[np.float32],
        y: NDArray[np.float32],
        layer: NDArray[np.intp],
    ) -> IntArray:
        is_end = len(entry.part) > 0 and entry.part[0] >= self._n_staves  # all are of one kind
        return (self.endcap if is_end else self.barrel).cells_in_part(entry, x, y, layer)

    def middles(self, part: IntArray, index: IntArray) -> tuple[IntArray, FloatArray]:
        is_end = part >= self._n_staves
        own_part = part - is_end * self._n_staves
        return _by_place(is_end, (self.barrel.middles, self.endcap.middles), own_part, index)

    def _is_end(self, points: FloatArray) -> BoolArray:
        return np.abs(points[:, 2]) > self._middle_mm


def _by_place(
    is_end: BoolArray,
    one_each: tuple[Callable[..., _T], Callable[..., _T]],
    *columns: NDArray[Any],
) -> _T:
    """Results of the barrel for its rows and of the endcap for its own, in the order of the
    rows."""
    of_barrel, of_endcap = one_each
    end_rows = np.flatnonzero(is_end)
    if len(end_rows) == 0:
        return of_barrel(*columns)
    if len(end_rows) == len(is_end):
        return of_endcap(*columns)
    barrel_rows = np.flatnonzero(~is_end)
    barrel = of_barrel(*(column.take(barrel_rows, axis=0) for column in columns))
    endcap = of_endcap(*(column.take(end_rows, axis=0) for column in columns))

    def together(barrel_values: NDArray[Any], endcap_values: NDArray[Any]) -> NDArray[Any]:
        values = np.empty((len(is_end), *barrel_values.shape[1:]), barrel_values.dtype)
        values[barrel_rows], values[end_rows] = barrel_values, endcap_values
        return values

    if isinstance(barrel, tuple) and isinstance(endcap, tuple):
        return cast("_T", tuple(map(together, barrel, endcap)))
    return cast("_T", together(cast("Any", barrel), cast("Any", endcap)))
