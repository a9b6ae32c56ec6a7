"""Concentric cylindrical layers around the beam."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector
from calozoo_core.errors import DetectorError
from calozoo_core.placement.base import FACE_TOLERANCE_MM, Entry, Placement
from calozoo_core.placement.cell_axis import DEAD, CellAxis
from calozoo_core.typing import BoolArray, FloatArray, IntArray

__all__ = ["CylinderPlacement"]


class CylinderPlacement(Placement):
    """Layers bent around the beam.

    x' is along the beam. y' is measured along the arc around the beam, at the radius of its own
    depth, towards smaller azimuth; z' is outwards. So a local point lies at the radius
    `face_mm` + z' and at the azimuth of its primary's position minus y' divided by that radius.

    Along the beam cells have the detector's pitch and lie symmetrically; around it each layer has
    the whole number of cells whose arc is nearest to that pitch, the first from azimuth 0 on.

    Arguments:
        detector: One with a cylinder.

    Raises:
        DetectorError: If it has none.
    """

    def __init__(self, detector: Detector) -> None:
        if detector.cylinder is None:
            msg = f"Detector {detector.name} has no cylinder."
            raise DetectorError(msg)
        super().__init__(detector)
        self.shape = detector.cylinder
        self._radius: FloatArray = detector.face_mm + detector.layer_depth_mm
        sheets = [slab.thickness_mm for slab in detector.slabs if slab.layer is not None]
        self._half_sheet_mm: FloatArray = np.array(sheets) / 2 + 1e-3
        cells = int(2 * self.shape.half_length_mm / detector.cell_mm)
        self._beam = CellAxis([(-cells * detector.cell_mm / 2, cells)], detector.cell_mm)
        self._n_around: IntArray = np.rint(2 * np.pi * self._radius / detector.cell_mm).astype(
            np.int64
        )
        self._layer_cells = len(self._beam) * int(self._n_around.max())
        self.cells_per_part = detector.n_layers * self._layer_cells

    @property
    def extent(self) -> str:
        return (
            f"whose cylinder has it {self.detector.face_mm:g} mm from the beam "
            f"and up to {self.shape.half_length_mm:g} mm along it"
        )

    def local_direction(self, position: FloatArray, momentum: FloatArray) -> FloatArray:
        azimuth = np.arctan2(position[:, 1], position[:, 0])
        cos, sin = np.cos(azimuth), np.sin(azimuth)
        px, py, pz = momentum.T
        local = np.stack([pz, sin * px - cos * py, cos * px + sin * py], axis=1)
        unit: FloatArray = local / np.linalg.norm(local, axis=1, keepdims=True)
        return unit

    def to_global(self, points: FloatArray, position: FloatArray) -> FloatArray:
        radius = self.detector.face_mm + points[:, 2]
        azimuth = np.arctan2(position[..., 1], position[..., 0]) - points[:, 1] / radius
        # The position may be a little off the face.
        radius += np.hypot(position[..., 0], position[..., 1]) - self.detector.face_mm
        z = position[..., 2] + points[:, 0]
        return np.stack([radius * np.cos(azimuth), radius * np.sin(azimuth), z], axis=1)

    def to_local(self, points: FloatArray, position: FloatArray) -> FloatArray:
        depth = np.hypot(points[:, 0], points[:, 1]) - np.hypot(position[..., 0], position[..., 1])
        across = position[..., 0] * points[:, 1] - position[..., 1] * points[:, 0]
        forward = position[..., 0] * points[:, 0] + position[..., 1] * points[:, 1]
        around = -np.arctan2(across, forward) * (self.detector.face_mm + depth)
        return np.stack([points[:, 2] - position[..., 2], around, depth], axis=1)

    def cells(self, points: FloatArray, layer: NDArray[np.uint8]) -> IntArray:
        off = np.abs(np.hypot(points[:, 0], points[:, 1]) - self._radius[layer])
        azimuth = np.arctan2(points[:, 1], points[:, 0])
        index = self._cell_at(points[:, 2], azimuth, layer.astype(np.intp))
        return np.where((index >= 0) & (off <= self._half_sheet_mm[layer]), index, -1)

    def depth(self, points: FloatArray) -> FloatArray:
        depth: FloatArray = np.hypot(points[:, 0], points[:, 1]) - self.detector.face_mm
        return depth

    def middles(self, part: IntArray, index: IntArray) -> tuple[IntArray, FloatArray]:
        arounds, row = np.divmod(index, len(self._beam))
        layer, around = np.divmod(arounds, self._layer_cells // len(self._beam))
        azimuth = (around + 0.5) / self._n_around.take(layer) * (2 * np.pi)
        radius = self._radius.take(layer)
        z = self._beam.centre.take(row)
        return layer, np.stack([radius * np.cos(azimuth), radius * np.sin(azimuth), z], axis=1)

    def crossing(self, momentum: FloatArray) -> tuple[FloatArray, BoolArray]:
        transverse = np.hypot(momentum[:, 0], momentum[:, 1])
        is_outward = transverse > 0
        scale = self.detector.face_mm / np.where(is_outward, transverse, 1.0)
        position = momentum * scale[:, None]
        return position, is_outward & self.on_face(position)

    def on_face(self, position: FloatArray) -> BoolArray:
        off = np.abs(np.hypot(position[:, 0], position[:, 1]) - self.detector.face_mm)
        is_within = np.abs(position[:, 2]) <= self.shape.half_length_mm
        return (off <= FACE_TOLERANCE_MM) & is_within

    def entry(self, position: FloatArray) -> Entry:
        """The only part; u is along the beam, v is the azimuth."""
        azimuth = np.arctan2(position[:, 1], position[:, 0])
        return Entry(np.zeros(len(position), np.int64), position[:, 2], azimuth)

    def cells_in_part(
        self,
        entry: Entry,
        x: NDArray[np.float32],
        y: NDArray[np.float32],
        layer: NDArray[np.intp],
    ) -> IntArray:
        return self._cell_at(entry.u + x, entry.v - y / self._radius.take(layer), layer)

    def _cell_at(self, z: FloatArray, azimuth: FloatArray, layer: NDArray[np.intp]) -> IntArray:
        n = self._n_around.take(layer)
        turns = azimuth / (2 * np.pi)
        with np.errstate(invalid="ignore"):  # what is no number is in no cell
            turns -= np.floor(turns)
            around = np.minimum((turns * n).astype(np.int64), n - 1)
        around[~(turns >= 0)] = DEAD
        around *= len(self._beam)
        around += self._beam.index(z)
        around += layer * self._layer_cells
        return around
