"""Simulation of showers in one detector with Geant4.

Geant4 allows one run manager per process and may abort it, so this runs in a worker process.
"""

# mypy: disallow-subclassing-any=False

from __future__ import annotations

from typing import Any

import numpy as np

from calozoo_core.detector import Detector
from calozoo_core.errors import DetectorError
from calozoo_core.typing import FloatArray
from calozoo_geant4.geometry import Geometry
from calozoo_geant4.layout import layout
from calozoo_geant4.pybind import g4

__all__ = ["Simulation", "physics_list"]


class Simulation:
    """Simulation of particles in a detector, which records steps with energy in its layers.

    Arguments:
        detector: Detector with field, range cut and physics.

    Raises:
        DetectorError: If its parts overlap, or Geant4 knows no such material, element or physics.
    """

    def __init__(self, detector: Detector) -> None:
        self.recorder = _Recorder("layers")
        self._layout = layout(detector)
        self.geometry = self._make_geometry(detector)
        self._physics = physics_list(detector)
        self._actions = _Actions()
        self._manager = g4.G4RunManagerFactory.CreateRunManager(g4.G4RunManagerType.Serial)
        self._manager.SetVerboseLevel(0)
        for initialization in (self.geometry, self._physics, self._actions):
            self._manager.SetUserInitialization(initialization)
        g4.G4EmParameters.Instance().SetVerbose(0)
        command = g4.G4UImanager.GetUIpointer().ApplyCommand
        command("/run/verbose 0")
        command("/process/em/verbose 0")
        self._manager.Initialize()
        command(f"/run/setCut {detector.range_cut_mm!r} mm")  # before Initialize it is overridden
        self._manager.BeamOn(0)  # builds the cross-section tables before the first shower
        middles = detector.layer_depth_mm
        self._borders_mm = (middles[1:] + middles[:-1]) / 2

    def _make_geometry(self, detector: Detector) -> Geometry:
        return Geometry(detector, self._layout, self.recorder)

    def shoot(
        self,
        particle: str,
        energy_gev: float,
        direction: tuple[float, float, float],
        seed: int,
        frame: int = 0,
        at_mm: tuple[float, float] = (0.0, 0.0),
    ) -> FloatArray:
        """Steps of one shower with energy in a layer, in the order of the simulation.

        Steps in other parts of the detector than the one the primary enters have no position in its
        local frame and are left out: a shower at the edge of a stave lacks those in the next one.

        Arguments:
            particle: PDG name.
            energy_gev: Kinetic energy at the face.
            direction: Unit vector in the local frame.
            seed: Seed of Geant4's random numbers, 0 < seed < 2^63.
            frame: Index in `Layout.frames` of the part of the detector it enters.
            at_mm: Position on the face of that part.

        Returns:
            Shape (n, 5): x' and y' in mm of the step's middle, layer, energy in MeV, time in ns.
        """
        part = self._layout.frames[frame]
        gun = self._actions.gun
        gun.SetParticleDefinition(g4.G4ParticleTable.GetParticleTable().FindParticle(particle))
        gun.SetParticleEnergy(energy_gev * g4.GeV)
        gun.SetParticlePosition(g4.G4ThreeVector(*part.start(*at_mm)))
        gun.SetParticleMomentumDirection(g4.G4ThreeVector(*part.direction(direction)))
        self.recorder.rows.clear()
        g4.G4Random.setTheSeed(seed)
        self._manager.BeamOn(1)
        rows = np.array(self.recorder.rows, dtype=np.float64).reshape(-1, 5)
        local, is_inside = part.local(rows[:, :3] / 2, *at_mm)
        steps = np.column_stack(
            [
                local[:, :2],
                np.searchsorted(self._borders_mm, local[:, 2]),
                rows[:, 3],
                rows[:, 4] / 2,
            ]
        )
        return steps[is_inside]


class _Recorder(g4.G4VSensitiveDetector):
    """Sensitive detector: twice the middle, the energy and twice the time of each step.

    Geant4 calls it for every step in a layer, 1,400 per GeV, of which 370 leave energy; most are of
    photons that pass through. Geant4 has a single step object, so its methods are looked up once.
    The layer is computed from the depth later, for a whole shower.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.rows: list[tuple[float, float, float, float, float]] = []

    def ProcessHits(self, step: Any, history: Any) -> bool:  # noqa: N802
        """Record the first step, and set a function with its methods for all others."""
        before, after = step.GetPreStepPoint(), step.GetPostStepPoint()
        self._references = step, before, after
        energy = step.GetTotalEnergyDeposit
        begin, end = before.GetPosition, after.GetPosition
        begin_time, end_time = before.GetGlobalTime, after.GetGlobalTime
        append = self.rows.append

        def record(_step: Any, _history: Any) -> bool:
            deposit = energy()
            if deposit:
                twice = begin()
                twice += end()
                append((twice.x, twice.y, twice.z, deposit, begin_time() + end_time()))
            return True

        self.ProcessHits = record  # type: ignore[assignment, method-assign]
        return record(step, history)


class _Gun(g4.G4VUserPrimaryGeneratorAction):
    """Primary generator with one particle per event."""

    def __init__(self) -> None:
        super().__init__()
        self.gun = g4.G4ParticleGun(1)

    def GeneratePrimaries(self, event: Any) -> None:  # noqa: N802
        """Add the particle to the event."""
        self.gun.GeneratePrimaryVertex(event)


class _Actions(g4.G4VUserActionInitialization):
    """User actions: the primary generator only."""

    def Build(self) -> None:  # noqa: N802
        """Set the primary generator."""
        self._action = _Gun()
        self.SetUserAction(self._action)

    @property
    def gun(self) -> Any:
        """The particle gun."""
        return self._action.gun


def physics_list(detector: Detector) -> Any:
    """Geant4's physics list of a detector.

    Arguments:
        detector: Detector whose `physics` is the name of an electromagnetic constructor, such as
            G4EmStandardPhysics, or of a reference list, such as FTFP_BERT, which needs data sets
            of its own.

    Raises:
        DetectorError: If Geant4 has none of that name.
    """
    kind = getattr(g4, detector.physics, None)
    if isinstance(kind, type) and issubclass(kind, g4.G4VModularPhysicsList):
        return kind()
    if detector.physics not in _constructors():
        msg = (
            f"Geant4 has no electromagnetic physics {detector.physics!r}, which detector "
            f"{detector.name} asks for; it has {', '.join(_constructors())}."
        )
        raise DetectorError(msg)
    return _Physics(kind)


def _constructors() -> list[str]:
    """Names of the electromagnetic constructors, without those of Geant4-DNA."""
    return sorted(
        name
        for name, kind in vars(g4).items()
        if name.startswith("G4Em")
        and "DNA" not in name
        and isinstance(kind, type)
        and issubclass(kind, g4.G4VPhysicsConstructor)
    )


class _Physics(g4.G4VModularPhysicsList):
    """Physics list with electromagnetic physics only."""

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self._constructor = kind()
        self.RegisterPhysics(self._constructor)
