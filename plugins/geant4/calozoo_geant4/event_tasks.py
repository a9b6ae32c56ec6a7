"""Tasks of a worker process that simulates the primaries of events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from calozoo_core.full_simulation import FaceTrigger, Primary
from calozoo_geant4.worker import DetectorTask, WorkerReply, built_simulation

__all__ = ["EventDetectorTask", "PrimaryTask"]


@dataclass(frozen=True)
class EventDetectorTask(DetectorTask):
    """First task: the detector to build, with sheets on its face.

    Arguments:
        trigger: Particles that are stopped on the face; `None` stops none.
    """

    trigger: FaceTrigger | None = None

    def build(self) -> Any:
        """Simulation of the detector, which the other tasks use."""
        module = "calozoo_geant4.event_simulation"
        return built_simulation(module, "EventSimulation", self.detector, self.trigger)


@dataclass(frozen=True)
class PrimaryTask:
    """Task of one primary of an event.

    Arguments:
        primary: The primary.
        seed: Seed of Geant4's random numbers.
    """

    primary: Primary
    seed: int

    @property
    def energy_gev(self) -> float:
        """Its kinetic energy."""
        return self.primary.energy_gev

    def run(self, simulation: Any) -> WorkerReply:
        """Deposits of the primary."""
        return WorkerReply(deposits=simulation.shoot_primary(self.primary, self.seed))
