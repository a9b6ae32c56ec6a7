"""Face of a calorimeter in a Geant4 application: stops the particles that a model simulates.

Geant4's classes of fast simulation are not in geant4_pybind. Thin sheets of air on the face, with a
sensitive detector, do the same work: they see each particle that arrives, where and with what
energy, and stop those that the trigger gives to the model.
"""

# mypy: disallow-subclassing-any=False

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from calozoo_core.detector import Detector
from calozoo_core.full_simulation import FaceTrigger, TakenParticle
from calozoo_core.incident import Incident
from calozoo_core.placement import load_placement
from calozoo_geant4.face_sheets import face_sheets
from calozoo_geant4.pybind import g4
from calozoo_geant4.solids import Box, Tube
from calozoo_geant4.world_frame import GLOBAL, WorldFrame

__all__ = ["CalorimeterFace"]


class CalorimeterFace(g4.G4VSensitiveDetector):
    """Sensitive detector of the sheets in front of a calorimeter.

    Call `place` in `G4VUserDetectorConstruction.Construct`, `attach` in `ConstructSDandField`, and
    `taken` after an event, or after many; `incident` makes a model's input of what it returns. Keep
    the object as long as the run manager.

    Arguments:
        detector: Detector with the face.
        trigger: Particles to stop; `None` stops none.
        frame: Frame of the world; by default the global one, with z along the beam.
    """

    def __init__(
        self, detector: Detector, trigger: FaceTrigger | None, frame: WorldFrame = GLOBAL
    ) -> None:
        super().__init__(f"face of {detector.name}")
        self._placement = load_placement(detector)
        self._sheets = face_sheets(detector, frame)
        self._trigger, self._frame = trigger, frame
        self._logical: list[Any] = []
        self._references: list[Any] = []  # Geant4 keeps bare pointers
        self._placed: list[Any] = []
        self._taken: list[TakenParticle] = []

    def place(self, world: Any) -> None:
        """Place the sheets, made of the world's own material.

        Arguments:
            world: Logical volume around the calorimeter, such as the world's, a G4LogicalVolume.
        """
        by_volume: dict[int, Any] = {}
        for number, placed in enumerate(self._sheets):
            volume = placed.volume
            if id(volume) not in by_volume:
                solid = _solid(volume.name, volume.solid)
                self._references.append(solid)
                logical = g4.G4LogicalVolume(solid, world.GetMaterial(), volume.name)
                by_volume[id(volume)] = logical
                self._logical.append(logical)
            rotation = g4.G4RotationMatrix()
            rotation.rotateAxes(*(g4.G4ThreeVector(*axis) for axis in placed.axes))
            transform = g4.G4Transform3D(rotation, g4.G4ThreeVector(*placed.at_mm))
            logical = by_volume[id(volume)]
            self._placed.append(
                g4.G4PVPlacement(transform, logical, volume.name, world, False, number)
            )

    def attach(self, construction: Any) -> None:
        """Make the sheets sensitive, unless nothing is to be stopped.

        Arguments:
            construction: The G4VUserDetectorConstruction that is running.
        """
        if self._trigger is None:
            return
        g4.G4SDManager.GetSDMpointer().AddNewDetector(self)
        for logical in self._logical:
            construction.SetSensitiveDetector(logical, self)

    def taken(self) -> tuple[TakenParticle, ...]:
        """Particles stopped since the last call, in the order of the simulation."""
        particles = tuple(self._taken)
        self._taken.clear()
        return particles

    def incident(self, taken: Sequence[TakenParticle], particle: str = "gamma") -> Incident:
        """Incident particles of a model, in the local frame, with their positions on the face.

        Arguments:
            taken: Particles that were stopped, perhaps none.
            particle: PDG name; others are left out.
        """
        some = [one for one in taken if one.particle == particle]
        position = np.array([one.position for one in some], np.float64).reshape(-1, 3)
        direction = np.array([one.direction for one in some], np.float64).reshape(-1, 3)
        local = self._placement.local_direction(position, direction)
        return Incident([one.energy_gev for one in some], local, particle, position)

    def overlaps(self) -> list[str]:
        """Names of the sheets that overlap other volumes by Geant4's own check."""
        return [
            placed.GetName() for placed in self._placed if placed.CheckOverlaps(1000, 1e-6, False)
        ]

    def ProcessHits(self, step: Any, history: Any) -> bool:  # noqa: N802
        """Stop a particle that leaves a sheet on the side of the calorimeter, if it is taken."""
        del history
        assert self._trigger is not None
        point, track = step.GetPostStepPoint(), step.GetTrack()
        name = track.GetParticleDefinition().GetParticleName()
        energy_gev = point.GetKineticEnergy() / g4.GeV
        # Most particles are soft: they are not looked at any further.
        if energy_gev < self._trigger.trigger.least_energy_gev:
            return False
        at, along = point.GetPosition(), point.GetMomentumDirection()
        particle = TakenParticle(
            name,
            energy_gev,
            self._frame.position_to_global((at.x, at.y, at.z)),
            self._frame.direction_to_global((along.x, along.y, along.z)),
            point.GetGlobalTime() / g4.ns,
        )
        if not (_is_at_back(point) and self.accepts(particle)):
            return False
        self._taken.append(particle)
        track.SetTrackStatus(g4.fStopAndKill)
        return True

    def accepts(self, particle: TakenParticle) -> bool:
        """`True` if a particle on the face is one to stop."""
        return self._trigger is not None and self._trigger.accepts(self._placement, particle)


def _is_at_back(point: Any) -> bool:
    """`True` if a step ended on a border: one that ended inside a sheet interacted there."""
    return bool(point.GetStepStatus() == g4.fGeomBoundary)


def _solid(name: str, solid: Any) -> Any:
    if isinstance(solid, Box):
        return g4.G4Box(name, *solid.half_mm)
    assert isinstance(solid, Tube)
    whole = 360 * g4.deg
    return g4.G4Tubs(name, solid.inner_mm, solid.outer_mm, solid.half_z_mm, 0.0, whole)
