"""Geant4 for one detector; the only module that imports geant4_pybind.

Geant4 allows one run manager a process and may abort the process, so this runs in a worker process.
Geant4 holds the objects it is given by bare pointers: whatever Python makes here stays referenced.
"""

# mypy: disallow-subclassing-any=False

from __future__ import annotations

import os
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector, Material, Slab
from calozoo_core.errors import DetectorError
from calozoo_geant4.data import data_environment

os.environ |= data_environment()  # without it the next import asks on the terminal
import geant4_pybind as g4  # type: ignore[import-not-found]

__all__ = ["Simulation"]

_WORLD_MATERIAL = "G4_AIR"
_HALF_WIDTH_MM = 1400.0  # of the slabs; five times the depth if that is more
_MARGIN_MM = 100.0  # of the world around them
_BEHIND_AND_BEFORE_MM = 1300.0


class Simulation:
    """Shoots particles at a detector and records every step that leaves energy in its layers.

    Physics is G4EmStandardPhysics with the detector's range cut. The slabs stand in air, in the
    detector's field; their transverse size is far beyond any shower.

    Arguments:
        detector: What to build.

    Raises:
        DetectorError: If Geant4 knows no such material or element.
    """

    def __init__(self, detector: Detector) -> None:
        materials = _Materials(detector)
        self._geometry = _Geometry(detector, materials)
        self._physics = _Physics()
        self._actions = _Actions()
        self._manager = g4.G4RunManagerFactory.CreateRunManager(g4.G4RunManagerType.Serial)
        self._manager.SetVerboseLevel(0)
        for part in (self._geometry, self._physics, self._actions):
            self._manager.SetUserInitialization(part)
        g4.G4EmParameters.Instance().SetVerbose(0)
        command = g4.G4UImanager.GetUIpointer().ApplyCommand
        command("/run/verbose 0")
        command("/process/em/verbose 0")
        self._manager.Initialize()
        command(f"/run/setCut {detector.range_cut_mm!r} mm")  # before Initialize it is overridden
        self._manager.BeamOn(0)  # tables of cross sections are made now, not in the first shower
        middles = detector.layer_depth_mm
        self._borders_mm = (middles[1:] + middles[:-1]) / 2

    def shoot(
        self, particle: str, energy_gev: float, direction: tuple[float, float, float], seed: int
    ) -> NDArray[np.float64]:
        """The steps of one shower that leave energy in a layer, in the order they happened.

        Arguments:
            particle: PDG name.
            energy_gev: Kinetic energy at the face.
            direction: Unit vector in the local frame.
            seed: Of Geant4's random numbers, 0 < seed < 2^63.

        Returns:
            Shape (n, 5): x and y in mm of the step's middle, layer, energy in MeV, time in ns.
        """
        gun = self._actions.gun
        gun.SetParticleDefinition(g4.G4ParticleTable.GetParticleTable().FindParticle(particle))
        gun.SetParticleEnergy(energy_gev * g4.GeV)
        gun.SetParticleMomentumDirection(g4.G4ThreeVector(*direction))
        recorder = self._geometry.recorder
        recorder.rows.clear()
        g4.G4Random.setTheSeed(seed)
        self._manager.BeamOn(1)
        steps = np.array(recorder.rows, dtype=np.float64).reshape(-1, 5)
        steps[:, [0, 1, 2, 4]] /= 2
        steps[:, 2] = np.searchsorted(self._borders_mm, steps[:, 2])
        return steps[:, [0, 1, 2, 3, 4]]


class _Recorder(g4.G4VSensitiveDetector):
    """Keeps, of each step that leaves energy, twice its middle, the energy, and twice its time.

    Geant4 calls this for every step in a layer, photons that fly through included: about 1,400
    times a GeV, of which 370 leave energy. It has one step object, which it fills anew each time,
    so the methods are looked up once. The layer follows from the depth later, for a whole shower.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.rows: list[tuple[float, float, float, float, float]] = []

    def ProcessHits(self, step: Any, history: Any) -> bool:  # noqa: N802
        """Take the first step, and let a function that is bound to it take all others."""
        before, after = step.GetPreStepPoint(), step.GetPostStepPoint()
        self._kept = step, before, after
        energy = step.GetTotalEnergyDeposit
        begin, end = before.GetPosition, after.GetPosition
        begin_time, end_time = before.GetGlobalTime, after.GetGlobalTime
        append = self.rows.append

        def record(_step: Any, _history: Any) -> bool:
            deposit = energy()
            if deposit:
                a, b = begin(), end()
                append((a.x + b.x, a.y + b.y, a.z + b.z, deposit, begin_time() + end_time()))
            return True

        self.ProcessHits = record  # type: ignore[assignment, method-assign]
        return record(step, history)


class _Geometry(g4.G4VUserDetectorConstruction):
    """The slabs of a detector as boxes in air, from z = 0 on."""

    def __init__(self, detector: Detector, materials: _Materials) -> None:
        super().__init__()
        self._detector = detector
        self._materials = materials
        self._kept: list[Any] = []
        self._layers: list[Any] = []

    def Construct(self) -> Any:  # noqa: N802
        """The world with the slabs in it."""
        detector = self._detector
        half_width = max(_HALF_WIDTH_MM, 5 * detector.depth_mm)
        outside = half_width + _MARGIN_MM
        world = self._logical(
            "world",
            (outside, outside, detector.depth_mm + _BEHIND_AND_BEFORE_MM),
            self._materials.world,
        )
        placed = self._place(world, 0.0, None, "world")
        front = 0.0
        for i, slab in enumerate(_joined(detector.slabs)):
            half = slab.thickness_mm / 2
            if slab.layer is not None or detector.materials[slab.material] != _WORLD_MATERIAL:
                material = self._materials[slab.material]
                box = self._logical(f"slab{i}", (half_width, half_width, half), material)
                self._place(box, front + half, world, f"slab{i}")
                if slab.layer is not None:
                    self._layers.append(box)
            front += slab.thickness_mm
        return placed

    def ConstructSDandField(self) -> None:  # noqa: N802
        """The recorder in every layer, and the field everywhere."""
        self.recorder = _Recorder("layers")
        g4.G4SDManager.GetSDMpointer().AddNewDetector(self.recorder)
        for layer in self._layers:
            self.SetSensitiveDetector(layer, self.recorder)
        if any(self._detector.field_tesla):
            strength = g4.G4ThreeVector(*(b * g4.tesla for b in self._detector.field_tesla))
            field = g4.G4UniformMagField(strength)
            manager = g4.G4TransportationManager.GetTransportationManager().GetFieldManager()
            manager.SetDetectorField(field)
            manager.CreateChordFinder(field)
            self._kept += [strength, field]

    def _logical(self, name: str, half_mm: tuple[float, float, float], material: Any) -> Any:
        volume = g4.G4LogicalVolume(g4.G4Box(name, *half_mm), material, name)
        self._kept.append(volume)
        return volume

    def _place(self, volume: Any, z_mm: float, mother: Any, name: str) -> Any:
        where = g4.G4ThreeVector(0, 0, z_mm)
        placed = g4.G4PVPlacement(None, where, volume, name, mother, False, 0)
        self._kept.append(placed)
        return placed


class _Materials(dict[str, Any]):
    """Geant4's materials by the names a detector uses."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.world = g4.G4NistManager.Instance().FindOrBuildMaterial(_WORLD_MATERIAL)
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


def _joined(slabs: tuple[Slab, ...]) -> list[Slab]:
    """The slabs, with neighbours of one material as one: a border inside it only costs steps."""
    groups = groupby(slabs, key=lambda slab: (slab.material, slab.layer))
    return [
        Slab(material, sum(slab.thickness_mm for slab in group), layer)
        for (material, layer), group in groups
    ]


class _Physics(g4.G4VModularPhysicsList):
    """Standard electromagnetic physics; option 1 and the others are made for other purposes."""

    def __init__(self) -> None:
        super().__init__()
        self._constructor = g4.G4EmStandardPhysics()
        self.RegisterPhysics(self._constructor)


class _Gun(g4.G4VUserPrimaryGeneratorAction):
    """One particle from the origin of the local frame, the middle of the face."""

    def __init__(self) -> None:
        super().__init__()
        self.gun = g4.G4ParticleGun(1)
        self.gun.SetParticlePosition(g4.G4ThreeVector(0, 0, 0))

    def GeneratePrimaries(self, event: Any) -> None:  # noqa: N802
        """Put the particle into the event."""
        self.gun.GeneratePrimaryVertex(event)


class _Actions(g4.G4VUserActionInitialization):
    """What Geant4 asks for: here, only where particles come from."""

    def Build(self) -> None:  # noqa: N802
        """Hand over the gun."""
        self._action = _Gun()
        self.SetUserAction(self._action)

    @property
    def gun(self) -> Any:
        """The particle gun."""
        return self._action.gun
