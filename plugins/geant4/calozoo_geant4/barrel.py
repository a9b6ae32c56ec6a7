"""Staves of a barrel as volumes."""

from __future__ import annotations

import math

from calozoo_core.detector import Detector
from calozoo_core.errors import DetectorError
from calozoo_geant4.slab_geometry import LayerStack, Plate, alveolus
from calozoo_geant4.solids import Axes, Box, PlacedVolume, Trapezoid, Volume

__all__ = ["Stave"]


class Stave:
    """Stave of a barrel: x along the beam, y across, z outwards from the inner radius on.

    At depth d it reaches from one end, at y = w - d, to the other, at y = -(w + overlap - d), for
    eight staves; w is half a side of the polygon.

    References:
        | ILD's driver for this calorimeter, SEcal06: https://github.com/key4hep/k4geo

    Arguments:
        detector: Detector with a barrel.

    Raises:
        DetectorError: If its stack is too thick for the staves.
    """

    def __init__(self, detector: Detector) -> None:
        assert detector.barrel is not None
        self.detector = detector
        self.shape = detector.barrel
        self._air = self.shape.inner_radius_mm - detector.face_mm
        self._layers = LayerStack(detector, self._air)
        turn = 2 * math.pi / self.shape.sides
        self._overlap = (self._layers.depth_mm - self.shape.support_mm) / math.sin(turn)
        self.slant = 1 / math.tan(turn)
        if self._ends(self._layers.depth_mm)[0] >= self._ends(self._layers.depth_mm)[1]:
            msg = f"The stack of detector {detector.name} is too thick for its barrel's staves."
            raise DetectorError(msg)

    @property
    def outer_mm(self) -> float:
        """Distance of its farthest corner from the beam."""
        low, high = self._ends(0.0)
        return math.hypot(max(-low, high), self.shape.inner_radius_mm + self._layers.depth_mm)

    @property
    def ends_mm(self) -> tuple[float, float]:
        """Its ends at negative and positive y, extrapolated to the face."""
        return self._ends(-self._air)

    def placed(self) -> list[PlacedVolume]:
        """All staves around the beam: one volume, placed once for each side.

        Its modules have a common body, since a particle exactly on the border of two volumes is in
        neither of them for Geant4.

        Raises:
            DetectorError: If its volumes do not fit.
        """
        stave = self._body()
        low, high = self._ends(0.0)
        middle = (low + high) / 2
        radius = self.shape.inner_radius_mm + self._layers.depth_mm / 2
        staves = []
        for side in range(self.shape.sides):
            angle = 2 * math.pi * side / self.shape.sides
            cos, sin = math.cos(angle), math.sin(angle)
            axes: Axes = ((1.0, 0.0, 0.0), (0.0, cos, sin), (0.0, -sin, cos))
            at = (0.0, middle * cos - radius * sin, middle * sin + radius * cos)
            staves.append(PlacedVolume(stave, at, axes))
        return staves

    def _ends(self, depth_mm: float) -> tuple[float, float]:
        """Its ends in y at a depth behind the inner radius."""
        end = self.shape.half_width_mm - depth_mm * self.slant
        return -(end + self._overlap), end

    def _body(self) -> Volume:
        solid = self._slice(0.0, self._layers.depth_mm)
        plates = [placed for plate in self._layers.plates for placed in self._plates(plate)]
        return Volume("stave", solid, self._layers.body, daughters=(*plates, *self._alveoli()))

    def _slice(self, begin_mm: float, end_mm: float) -> Trapezoid:
        (low, high), (back_low, back_high) = self._ends(begin_mm), self._ends(end_mm)
        return Trapezoid(
            self.shape.half_length_mm,
            (high - low) / 2,
            (back_high - back_low) / 2,
            (end_mm - begin_mm) / 2,
        )

    def _plates(self, plate: Plate) -> list[PlacedVolume]:
        """Plates, one in each module, as wide as the stave at its back; one without wafers."""
        sheet, is_sensitive = plate.sheet, plate.sheet.layer is not None
        name = f"plate of {sheet.material}"
        z = (plate.begin_mm + plate.end_mm - self._layers.depth_mm) / 2
        if self.detector.wafers is None:
            whole = self._slice(plate.begin_mm, plate.end_mm)
            return [PlacedVolume(Volume(name, whole, sheet.material, is_sensitive), (0.0, 0.0, z))]
        low, high = self._ends(plate.end_mm)
        half_x = self.shape.module_mm / 2 - plate.wrap_mm
        solid = Box((half_x, (high - low) / 2, sheet.thickness_mm / 2))
        volume = Volume(name, solid, sheet.material, is_sensitive)
        return [PlacedVolume(volume, (x, 0.0, z)) for x in self._modules()]

    def _alveoli(self) -> list[PlacedVolume]:
        wafers, shape = self.detector.wafers, self.shape
        if wafers is None:
            return []
        begin, end = self._ends(0.0)
        middle = (begin + end) / 2
        first = -(shape.towers_per_module - 1) / 2
        towers = [
            module + (first + tower) * shape.tower_mm
            for module in self._modules()
            for tower in range(shape.towers_per_module)
        ]
        alveoli = []
        for front, back, sheets in self._layers.slabs:
            low, high = self._ends(back)
            high -= wafers.plug_mm
            volume = alveolus(self.detector, wafers, sheets, shape.tower_mm, high - low)
            z = (front + back - self._layers.depth_mm) / 2
            alveoli += [PlacedVolume(volume, (x, (low + high) / 2 - middle, z)) for x in towers]
        return alveoli

    def _modules(self) -> list[float]:
        """Middles of the modules along the beam, in mm."""
        first = -(self.shape.modules - 1) / 2
        return [(first + i) * self.shape.module_mm for i in range(self.shape.modules)]
