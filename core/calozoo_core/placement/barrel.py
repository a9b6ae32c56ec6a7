"""A polygon of flat staves around the beam."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector
from calozoo_core.errors import DetectorError
from calozoo_core.placement.cell_axis import (
    DEAD,
    cells_in_slab,
    slab_axis,
    slab_ends_mm,
    tower_axis,
)
from calozoo_core.placement.flat import FlatPlacement
from calozoo_core.typing import BoolArray, FloatArray, IntArray

__all__ = ["BarrelPlacement"]


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
