"""Simulation of the primaries of events in one detector with Geant4, in a worker process."""

# mypy: disallow-subclassing-any=False

from __future__ import annotations

from typing import Any

import numpy as np

from calozoo_core.detector import Detector
from calozoo_core.errors import InputError
from calozoo_core.full_simulation import FaceTrigger, Primary, PrimaryDeposits, TakenParticle
from calozoo_core.hits import sum_cells
from calozoo_core.placement import load_placement
from calozoo_core.typing import IntArray
from calozoo_geant4.calorimeter_face import CalorimeterFace
from calozoo_geant4.geometry import Geometry
from calozoo_geant4.layout import Layout
from calozoo_geant4.primary_limits import PrimaryLimits
from calozoo_geant4.pybind import g4
from calozoo_geant4.simulation import Simulation
from calozoo_geant4.world_frame import WorldFrame

__all__ = ["EventSimulation"]


class EventSimulation(Simulation):
    """Simulation of primaries that start anywhere, with sheets on the face of the detector.

    The sheets are there whether or not they stop anything, so that what is simulated with a model
    and without one has the same steps.

    Arguments:
        detector: Detector with field, range cut and physics.
        trigger: Particles that are stopped on the face; `None` stops none.

    Raises:
        DetectorError: If its parts overlap, or Geant4 knows no such material, element or physics.
    """

    def __init__(self, detector: Detector, trigger: FaceTrigger | None) -> None:
        self._frame = WorldFrame.of(detector)
        self.face = CalorimeterFace(detector, trigger, self._frame)
        self._placement = load_placement(detector)
        self._limits = PrimaryLimits(detector)
        super().__init__(detector)

    def shoot_primary(self, primary: Primary, seed: int) -> PrimaryDeposits:
        """Deposits of one primary, and the particles that were stopped on the face.

        A primary that starts on the face, as photons behind a tracker of no material do, is stopped
        there before it is simulated.

        Arguments:
            primary: The primary.
            seed: Seed of Geant4's random numbers, 0 < seed < 2^63.

        Raises:
            InputError: If it starts outside the world, or has more energy than Geant4 simulates.
        """
        definition = g4.G4ParticleTable.GetParticleTable().FindParticle(primary.particle)
        if definition is None:
            return PrimaryDeposits(is_known=False)
        at_start = TakenParticle.at_start(primary)
        if self.face.accepts(at_start):
            return PrimaryDeposits(taken=(at_start,))
        faults = self._limits.faults(np.array([primary.vertex]), np.array([primary.energy_gev]))
        if faults:
            msg = f"{primary} {faults[0]}."
            raise InputError(msg)
        start = self._frame.position_to_world(primary.vertex)
        gun = self._actions.gun
        gun.SetParticleDefinition(definition)
        gun.SetParticleEnergy(primary.energy_gev * g4.GeV)
        gun.SetParticlePosition(g4.G4ThreeVector(*start))
        gun.SetParticleTime(primary.time_ns * g4.ns)
        along = self._frame.direction_to_world(primary.direction)
        gun.SetParticleMomentumDirection(g4.G4ThreeVector(*along))
        self.recorder.rows.clear()
        self.face.taken()
        g4.G4Random.setTheSeed(seed)
        self._manager.BeamOn(1)
        gun.SetParticleTime(0.0)
        cell, energy = self._deposits()
        return PrimaryDeposits(cell, energy.astype(np.float32), self.face.taken())

    def _deposits(self) -> tuple[IntArray, Any]:
        """Cells in order, and the sum of the steps in each, in MeV."""
        rows = np.array(self.recorder.rows, dtype=np.float64).reshape(-1, 5)
        points = self._frame.to_global(rows[:, :3] / 2)
        cell = self._placement.cells(points, self._placement.layers(points))
        return sum_cells(cell, rows[:, 3], int(cell.max(initial=-1)) + 1)

    def _make_geometry(self, detector: Detector) -> Geometry:
        return _GeometryWithFace(detector, self._layout, self.recorder, self.face)


class _GeometryWithFace(Geometry):
    """Geometry of a detector, with sheets on its face."""

    def __init__(
        self, detector: Detector, layout: Layout, recorder: Any, face: CalorimeterFace
    ) -> None:
        super().__init__(detector, layout, recorder)
        self._face = face

    def Construct(self) -> Any:  # noqa: N802
        """The world volume with everything in it."""
        world = super().Construct()
        self._face.place(world.GetLogicalVolume())
        return world

    def ConstructSDandField(self) -> None:  # noqa: N802
        """Set the recorder, the field, and the face."""
        super().ConstructSDandField()
        self._face.attach(self)
