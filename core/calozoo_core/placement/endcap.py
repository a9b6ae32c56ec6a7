"""A disk at either end of the barrel."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector
from calozoo_core.errors import DetectorError
from calozoo_core.placement.cell_axis import DEAD, cells_in_slab, slab_axis, tower_axis
from calozoo_core.placement.flat import FlatPlacement
from calozoo_core.typing import BoolArray, FloatArray, IntArray

__all__ = ["EndcapPlacement"]

_AXES = np.array([[[-1, 0, 0], [0, -1, 0], [0, 0, 1]], [[1, 0, 0], [0, -1, 0], [0, 0, -1]]])

# Left of the hole, above or below it, right of it; for each: below, beside, above.
_QUADRANT = np.array([[2, 1, 1], [2, 0, 0], [3, 3, 0]])
_SIGN_OF_X, _SIGN_OF_Y = np.array([-1.0, -1.0, 1.0, 1.0]), np.array([-1.0, 1.0, 1.0, -1.0])


class EndcapPlacement(FlatPlacement):
    """An octagonal disk with a square hole at either end, in four quadrants like a pinwheel.

    Part 0 is the end at positive z, where x', y', z' are the global -x, -y, z; part 1 is the other,
    which is the first turned by 180 degrees about the global y: x, -y, -z.

    The quadrant on top, of part 0, reaches from the global x = -r to the rim and from y = r
    upwards, r being half the side of the hole. Its towers are stacked in y; wafers are laid in x,
    from the plug at -r on, as many as fit. The other quadrants are this one turned by 90 degrees
    about the beam, and all layers are the same.

    References:
        | ILD's driver for this calorimeter, SEcal06: https://github.com/key4hep/k4geo

    Arguments:
        detector: One with an endcap.

    Raises:
        DetectorError: If it has none.
    """

    def __init__(self, detector: Detector) -> None:
        if detector.endcap is None:
            msg = f"Detector {detector.name} has no endcap."
            raise DetectorError(msg)
        self.shape = shape = detector.endcap
        super().__init__(detector, _AXES.astype(np.float64), shape.face_mm)
        inner, outer = shape.inner_radius_mm, shape.outer_radius_mm
        plug = detector.wafers.plug_mm if detector.wafers else 0.0
        self._begin = -inner + plug
        self._stacked = tower_axis(detector, shape, inner)
        kink = outer * math.tan(math.pi / 8)
        top = self._tower_tops()
        lengths = outer - self._begin - np.maximum(0, top - kink)
        self._n_along: IntArray = np.array([cells_in_slab(detector, float(x)) for x in lengths])
        self._along = slab_axis(detector, outer - self._begin)
        self._quadrant_cells = len(self._along) * len(self._stacked)
        self.cells_per_part = 4 * detector.n_layers * self._quadrant_cells

    def _tower_tops(self) -> FloatArray:
        """Far side of the tower that each row of cells is in; without wafers, of the row itself."""
        middle, shape = self._stacked.centre, self.shape
        if self.detector.wafers is None:
            return middle + self.detector.cell_mm / 2
        module_mm = 2 * shape.lateral_mm + shape.towers_per_module * shape.tower_mm
        module = (middle - shape.inner_radius_mm) // module_mm
        begin = shape.inner_radius_mm + module * module_mm + shape.lateral_mm
        top: FloatArray = begin + ((middle - begin) // shape.tower_mm + 1) * shape.tower_mm
        return top

    @property
    def extent(self) -> str:
        return (
            f"whose endcaps have it at {self._face_mm:g} mm along the beam on either side, "
            f"outside a square hole of half side {self.shape.inner_radius_mm:g} mm and inside an "
            f"octagon {self.shape.outer_radius_mm:g} mm from the beam"
        )

    def part_at_face(self, points: FloatArray) -> IntArray:
        return (points[:, 2] < 0).astype(np.int64)

    def part_of(self, points: FloatArray) -> IntArray:
        return self.part_at_face(points)

    def within_face(self, u: FloatArray, v: FloatArray) -> BoolArray:
        larger = np.maximum(np.abs(u), np.abs(v))
        to_rim = np.maximum(larger, (np.abs(u) + np.abs(v)) * math.sqrt(0.5))
        return (larger >= self.shape.inner_radius_mm) & (to_rim <= self.shape.outer_radius_mm)

    def cell_at(self, u: FloatArray, v: FloatArray, layer: NDArray[np.intp]) -> IntArray:
        quadrant = self._quadrant(-u, -v)
        is_odd = (quadrant & 1).astype(bool)
        # Turned back by a quarter turn for each quadrant: x, y -> y, -x.
        x = np.where(is_odd, v, u) * _SIGN_OF_X.take(quadrant)
        y = np.where(is_odd, u, v) * _SIGN_OF_Y.take(quadrant)
        row = self._stacked.index(y)
        along = self._along.index(x - self._begin)
        along[along >= self._n_along.take(row, mode="clip")] = DEAD
        row *= len(self._along)
        row += along
        row += (4 * layer + quadrant) * self._quadrant_cells
        return row

    def _quadrant(self, x: FloatArray, y: FloatArray) -> IntArray:
        """Quadrant of each place: 0 on top, 1 left, 2 below, 3 right; any in the hole."""
        r = self.shape.inner_radius_mm
        column = (x >= -r).astype(np.int8) + (x > r)
        line = (y > -r).astype(np.int8) + (y >= r)
        return _QUADRANT.take(3 * column + line)

    def middle(self, index: IntArray) -> tuple[IntArray, FloatArray, FloatArray]:
        rows, along = np.divmod(index, len(self._along))
        quadrants, row = np.divmod(rows, len(self._stacked))
        layer, quadrant = np.divmod(quadrants, 4)
        x = self._along.centre.take(along) + self._begin
        y = self._stacked.centre.take(row)
        u, v = np.choose(quadrant, [-x, y, x, -y]), np.choose(quadrant, [-y, -x, y, x])
        return layer, u, v
