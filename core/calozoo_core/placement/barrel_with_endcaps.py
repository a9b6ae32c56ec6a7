"""A barrel with endcaps: each position belongs to one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector
from calozoo_core.placement.barrel import BarrelPlacement
from calozoo_core.placement.base import Entry, Placement
from calozoo_core.placement.endcap import EndcapPlacement
from calozoo_core.typing import BoolArray, FloatArray, IntArray

__all__ = ["BarrelWithEndcaps"]

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
