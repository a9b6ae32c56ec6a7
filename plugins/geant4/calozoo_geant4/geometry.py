"""A detector's solids in Geant4.

Geant4 holds the objects it is given by bare pointers: whatever Python makes here stays referenced.
"""

# mypy: disallow-subclassing-any=False

from __future__ import annotations

from typing import Any

from calozoo_core.detector import Detector
from calozoo_geant4.layout import Layout
from calozoo_geant4.materials import Materials
from calozoo_geant4.pybind import g4
from calozoo_geant4.solids import Box, Part, Prism, Solid, Trapezoid, Volume

__all__ = ["Geometry"]


class Geometry(g4.G4VUserDetectorConstruction):
    """A world of air with a detector in it, and its field everywhere.

    Arguments:
        detector: Whose materials and field to take.
        layout: Where its parts stand.
        recorder: The sensitive detector of all its layers.

    Raises:
        DetectorError: If Geant4 knows no such material or element.
    """

    def __init__(self, detector: Detector, layout: Layout, recorder: Any) -> None:
        super().__init__()
        self.recorder = recorder
        self._field_tesla = detector.field_tesla
        self._layout = layout
        self._materials = Materials(detector)
        self._logical: dict[int, Any] = {}  # by the id of the volume, which the layout holds
        self._placed: list[Any] = []
        self._layers: list[Any] = []
        self._kept: list[Any] = []

    def Construct(self) -> Any:  # noqa: N802
        """The world, and all that is in it."""
        self._world = Volume("world", Box(self._layout.half_mm), None, parts=self._layout.parts)
        world = self._volume(self._world)
        placed = g4.G4PVPlacement(None, g4.G4ThreeVector(), world, "world", None, False, 0)
        self._kept.append(placed)
        return placed

    def ConstructSDandField(self) -> None:  # noqa: N802
        """The recorder in every layer, and the field everywhere."""
        g4.G4SDManager.GetSDMpointer().AddNewDetector(self.recorder)
        for layer in self._layers:
            self.SetSensitiveDetector(layer, self.recorder)
        if any(self._field_tesla):
            strength = g4.G4ThreeVector(*(b * g4.tesla for b in self._field_tesla))
            field = g4.G4UniformMagField(strength)
            manager = g4.G4TransportationManager.GetTransportationManager().GetFieldManager()
            manager.SetDetectorField(field)
            manager.CreateChordFinder(field)
            self._kept += [strength, field]

    @property
    def n_parts(self) -> int:
        """How many parts are placed."""
        return len(self._placed)

    def overlaps(self) -> list[str]:
        """Names of the parts that overlap others, as Geant4's own check finds them."""
        return [part.GetName() for part in self._placed if part.CheckOverlaps(1000, 1e-6, False)]

    def _volume(self, volume: Volume) -> Any:
        if id(volume) not in self._logical:
            solid = _solid(volume.name, volume.solid)
            material = self._materials[volume.material]
            logical = g4.G4LogicalVolume(solid, material, volume.name)
            self._logical[id(volume)] = logical
            self._kept.append(solid)
            if volume.is_sensitive:
                self._layers.append(logical)
            for number, part in enumerate(volume.parts):
                self._place(part, logical, number)
        return self._logical[id(volume)]

    def _place(self, part: Part, mother: Any, number: int) -> None:
        turn = g4.G4RotationMatrix()
        turn.rotateAxes(*(g4.G4ThreeVector(*axis) for axis in part.axes))
        where = g4.G4Transform3D(turn, g4.G4ThreeVector(*part.at_mm))
        volume, name = self._volume(part.volume), part.volume.name
        self._placed.append(g4.G4PVPlacement(where, volume, name, mother, False, number))


def _solid(name: str, solid: Solid) -> Any:
    if isinstance(solid, Box):
        return g4.G4Box(name, *solid.half_mm)
    if isinstance(solid, Trapezoid):
        front, back = solid.half_y_front_mm, solid.half_y_back_mm
        return g4.G4Trd(name, solid.half_x_mm, solid.half_x_mm, front, back, solid.half_z_mm)
    if isinstance(solid, Prism):
        # Geant4 wants them clockwise.
        corners = g4.G4TwoVectorVector([g4.G4TwoVector(*c) for c in reversed(solid.corners_mm)])
        nothing = g4.G4TwoVector(0, 0)
        return g4.G4ExtrudedSolid(name, corners, solid.half_z_mm, nothing, 1.0, nothing, 1.0)
    whole = 360 * g4.deg
    return g4.G4Tubs(name, solid.inner_mm, solid.outer_mm, solid.half_z_mm, 0.0, whole)
