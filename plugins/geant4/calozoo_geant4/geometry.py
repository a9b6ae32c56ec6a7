"""Geometry and materials of a detector as objects of Geant4.

Geant4 keeps bare pointers to the objects it is given, so Python keeps references to them.
"""

# mypy: disallow-subclassing-any=False

from __future__ import annotations

from typing import Any

from calozoo_core.detector import Detector, Material
from calozoo_core.errors import DetectorError
from calozoo_geant4.layout import Layout
from calozoo_geant4.pybind import g4
from calozoo_geant4.solids import AIR, Box, PlacedVolume, Prism, Solid, Trapezoid, Volume

__all__ = ["Geometry"]


class Geometry(g4.G4VUserDetectorConstruction):
    """World of air with a detector in it and a uniform field.

    Arguments:
        detector: Detector with materials and field.
        layout: Positions of its volumes.
        recorder: Sensitive detector of all layers.

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
        self._references: list[Any] = []

    def Construct(self) -> Any:  # noqa: N802
        """The world volume with everything in it."""
        self._world = Volume(
            "world", Box(self._layout.half_mm), None, daughters=self._layout.volumes
        )
        world = self._volume(self._world)
        placed = g4.G4PVPlacement(None, g4.G4ThreeVector(), world, "world", None, False, 0)
        self._references.append(placed)
        return placed

    def ConstructSDandField(self) -> None:  # noqa: N802
        """Set the recorder in every layer, and the field."""
        g4.G4SDManager.GetSDMpointer().AddNewDetector(self.recorder)
        for layer in self._layers:
            self.SetSensitiveDetector(layer, self.recorder)
        if any(self._field_tesla):
            strength = g4.G4ThreeVector(*(b * g4.tesla for b in self._field_tesla))
            field = g4.G4UniformMagField(strength)
            manager = g4.G4TransportationManager.GetTransportationManager().GetFieldManager()
            manager.SetDetectorField(field)
            manager.CreateChordFinder(field)
            self._references += [strength, field]

    @property
    def n_placed(self) -> int:
        """Number of placed volumes."""
        return len(self._placed)

    def overlaps(self) -> list[str]:
        """Names of the volumes that overlap others by Geant4's own check."""
        return [
            placed.GetName() for placed in self._placed if placed.CheckOverlaps(1000, 1e-6, False)
        ]

    def _volume(self, volume: Volume) -> Any:
        if id(volume) not in self._logical:
            solid = _solid(volume.name, volume.solid)
            material = self._materials[volume.material]
            logical = g4.G4LogicalVolume(solid, material, volume.name)
            self._logical[id(volume)] = logical
            self._references.append(solid)
            if volume.is_sensitive:
                self._layers.append(logical)
            for number, daughter in enumerate(volume.daughters):
                self._place(daughter, logical, number)
        return self._logical[id(volume)]

    def _place(self, placed: PlacedVolume, mother: Any, number: int) -> None:
        rotation = g4.G4RotationMatrix()
        rotation.rotateAxes(*(g4.G4ThreeVector(*axis) for axis in placed.axes))
        transform = g4.G4Transform3D(rotation, g4.G4ThreeVector(*placed.at_mm))
        volume, name = self._volume(placed.volume), placed.volume.name
        self._placed.append(g4.G4PVPlacement(transform, volume, name, mother, False, number))


def _solid(name: str, solid: Solid) -> Any:
    if isinstance(solid, Box):
        return g4.G4Box(name, *solid.half_mm)
    if isinstance(solid, Trapezoid):
        front, back = solid.half_y_front_mm, solid.half_y_back_mm
        return g4.G4Trd(name, solid.half_x_mm, solid.half_x_mm, front, back, solid.half_z_mm)
    if isinstance(solid, Prism):
        # The corners of Geant4 are clockwise.
        corners = g4.G4TwoVectorVector([g4.G4TwoVector(*c) for c in reversed(solid.corners_mm)])
        zero = g4.G4TwoVector(0, 0)
        return g4.G4ExtrudedSolid(name, corners, solid.half_z_mm, zero, 1.0, zero, 1.0)
    whole = 360 * g4.deg
    return g4.G4Tubs(name, solid.inner_mm, solid.outer_mm, solid.half_z_mm, 0.0, whole)


class Materials(dict[str | None, Any]):
    """Geant4's materials by the names a detector uses; `None` is the air around it.

    Raises:
        DetectorError: If Geant4 knows no such material or element.
    """

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self[None] = g4.G4NistManager.Instance().FindOrBuildMaterial(AIR)
        for name in dict.fromkeys(slab.material for slab in detector.slabs):
            entry = detector.materials[name]
            if isinstance(entry, str):
                self[name] = _nist_material(detector.name, name, entry)
            else:
                self[name] = _mixture(detector.name, name, entry)


def _nist_material(detector: str, name: str, nist_name: str) -> Any:
    material = g4.G4NistManager.Instance().FindOrBuildMaterial(nist_name)
    if material is None:
        msg = (
            f"Geant4 knows no material {nist_name!r}, which detector {detector} uses for {name}; "
            "give it a name from Geant4's list, such as G4_W, or its density and mass fractions."
        )
        raise DetectorError(msg)
    return material


def _mixture(detector: str, name: str, mixture: Material) -> Any:
    elements = {
        symbol: g4.G4NistManager.Instance().FindOrBuildElement(symbol)
        for symbol in mixture.mass_fractions
    }
    unknown = [symbol for symbol, element in elements.items() if element is None]
    if unknown:
        msg = (
            f"Geant4 knows no element {unknown[0]!r}, which detector {detector} has in {name}; "
            "write its symbol, such as Cu."
        )
        raise DetectorError(msg)
    material = g4.G4Material(name, mixture.density_g_cm3 * g4.g / g4.cm3, len(elements))
    for symbol, fraction in mixture.mass_fractions.items():
        material.AddElement(elements[symbol], fraction)
    return material
