"""Geant4 for one detector.

Geant4 allows one run manager a process and may abort the process, so this runs in a worker process.
"""

# mypy: disallow-subclassing-any=False

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector
from calozoo_geant4.geometry import Geometry
from calozoo_geant4.layout import layout
from calozoo_geant4.physics import physics_list
from calozoo_geant4.pybind import g4

__all__ = ["Simulation"]


class Simulation:
    """Shoots particles at a detector and records every step that leaves energy in its layers.

    Arguments:
        detector: What to build, with its field, range cut and physics.

    Raises:
        DetectorError: If its parts overlap, or Geant4 knows no such material, element or physics.
    """

    def __init__(self, detector: Detector) -> None:
        self.recorder = _Recorder("layers")
        self._layout = layout(detector)
        self.geometry = Geometry(detector, self._layout, self.recorder)
        self._physics = physics_list(detector)
        self._actions = _Actions()
        self._manager = g4.G4RunManagerFactory.CreateRunManager(g4.G4RunManagerType.Serial)
        self._manager.SetVerboseLevel(0)
        for part in (self.geometry, self._physics, self._actions):
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
        self,
        particle: str,
        energy_gev: float,
        direction: tuple[float, float, float],
        seed: int,
        frame: int = 0,
        at_mm: tuple[float, float] = (0.0, 0.0),
    ) -> NDArray[np.float64]:
        """The steps of one shower that leave energy in a layer, in the order they happened.

        Steps in other parts of the detector than the one the primary enters cannot be told in its
        local frame and are left out: a shower at the edge of a stave loses what its neighbour sees.

        Arguments:
            particle: PDG name.
            energy_gev: Kinetic energy at the face.
            direction: Unit vector in the local frame.
            seed: Of Geant4's random numbers, 0 < seed < 2^63.
            frame: Which part of the detector it enters, as its layout counts them.
            at_mm: Where on its face.

        Returns:
            Shape (n, 5): x and y in mm of the step's middle, layer, energy in MeV, time in ns.
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
    """Keeps, of each step that leaves energy, twice its middle, the energy, and twice its time.

    Geant4 calls this for every step in a layer, and most are of photons that fly through: 1,400 a
    GeV, of which 370 leave energy. It has one step object, which it fills anew each time, so the
    methods are looked up once. The layer follows from the depth later, for a whole shower.
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
                twice = begin()
                twice += end()
                append((twice.x, twice.y, twice.z, deposit, begin_time() + end_time()))
            return True

        self.ProcessHits = record  # type: ignore[assignment, method-assign]
        return record(step, history)


class _Gun(g4.G4VUserPrimaryGeneratorAction):
    """One particle a shower."""

    def __init__(self) -> None:
        super().__init__()
        self.gun = g4.G4ParticleGun(1)

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
