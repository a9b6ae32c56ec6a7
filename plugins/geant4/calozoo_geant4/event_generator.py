"""Full simulation of events by Geant4, in worker processes."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence

from calozoo_core.detector import Detector
from calozoo_core.full_simulation import FaceTrigger, FullSimulation, Primary, PrimaryDeposits
from calozoo_geant4.event_tasks import EventDetectorTask, PrimaryTask
from calozoo_geant4.pool import WorkerPool

__all__ = ["Geant4Events"]


class Geant4Events(FullSimulation):
    """Geant4 simulation of the primaries of events, each as a Geant4 event of its own.

    Particles do not interact with each other in Geant4, so nothing is lost, and what is simulated
    has the same steps whether or not its neighbours are left to a model.

    Arguments:
        detector: The detector.
        trigger: Particles that are stopped on the face; `None` stops none.
        workers: Number of processes; the deposits do not depend on it.

    Raises:
        CalozooError: If Geant4's data sets are not found.
    """

    def __init__(self, detector: Detector, trigger: FaceTrigger | None, workers: int) -> None:
        self._pool = WorkerPool(detector, workers, EventDetectorTask(detector, trigger))
        self._finalizer = weakref.finalize(self, WorkerPool.abandon, self._pool)

    def run(
        self, primaries: Sequence[Primary], seeds: Sequence[int], names: Sequence[str]
    ) -> Iterator[PrimaryDeposits]:
        tasks = [PrimaryTask(primary, seed) for primary, seed in zip(primaries, seeds, strict=True)]
        for reply in self._pool.run(tasks, names):
            assert reply.deposits is not None
            yield reply.deposits

    @property
    def cpu_seconds(self) -> float:
        """CPU time of the workers so far, in s, without their start."""
        return self._pool.cpu_s

    def close(self) -> None:
        self._pool.abandon()  # also while a thread waits for events that nobody wants any more
