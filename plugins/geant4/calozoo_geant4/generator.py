"""Generator of showers simulated by Geant4."""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from calozoo_core.cores import check_processes
from calozoo_core.detector import Detector, load_detector
from calozoo_core.errors import ConditionsError, InputError
from calozoo_core.events import Events
from calozoo_core.full_simulation import FaceTrigger
from calozoo_core.generator import ModelSpec, Precision
from calozoo_core.incident import Incident
from calozoo_core.numbered_generator import NumberedGenerator
from calozoo_core.placement import load_placement
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray, IntArray
from calozoo_geant4.data_sets import data_environment
from calozoo_geant4.event_generator import Geant4Events
from calozoo_geant4.layout import frame_of
from calozoo_geant4.pool import WorkerPool
from calozoo_geant4.primary_limits import MOST_GEV, PrimaryLimits
from calozoo_geant4.worker import ShowerTask, WorkerReply

__all__ = ["Geant4"]

WORKERS_VARIABLE = "CALOZOO_G4WORKERS"


class Geant4(NumberedGenerator):
    """Generator of showers simulated by Geant4 in a detector, with its gaps.

    A point is one Geant4 step with energy in a sensitive layer: the middle of the step, its energy
    and its time since the primary crossed the face. Geant4 runs in worker processes, which start
    with the first showers (about two seconds) and live as long as the generator is open.

    A detector that is a plain slab is the same everywhere. In a barrel, an endcap or a cylinder,
    each primary starts at its `position` on the face, and its deposits in other staves or ends than
    the one it enters are missing: their layers lie elsewhere in its local frame.

    References:
        | Geant4: https://doi.org/10.1016/S0168-9002(03)01368-8
        | Developments and applications: https://doi.org/10.1109/TNS.2006.869826
        | Recent developments: https://doi.org/10.1016/j.nima.2016.06.125

    Arguments:
        spec: Spec it was registered with.
        detector: Another detector than the spec's.
        workers: Number of processes; by default CALOZOO_G4WORKERS from the environment, or 1. The
            showers do not depend on it.

    Raises:
        CalozooError: If Geant4's data sets are not found.
        InputError: If the number of workers is not positive.
    """

    default_batch_size: ClassVar[int] = 16  # a 50 GeV shower takes a second
    checks_particle: ClassVar[bool] = True

    def __init__(
        self, spec: ModelSpec, *, detector: Detector | None = None, workers: int | None = None
    ) -> None:
        self.detector = load_detector(spec.detector) if detector is None else detector
        super().__init__(spec.model_copy(update={"detector": self.detector.name}))
        shaped = self.detector.barrel or self.detector.endcap or self.detector.cylinder
        self._placement = load_placement(self.detector) if shaped else None
        self._pool = WorkerPool(self.detector, _checked_workers(workers))
        self._finalizer = weakref.finalize(self, WorkerPool.abandon, self._pool)

    @classmethod
    def load(
        cls,
        spec: ModelSpec,
        folder: Path | None = None,
        *,
        device: str = "cpu",
        precision: Precision | None = None,
        workers: int | None = None,
        detector: Detector | None = None,
    ) -> Geant4:
        """Generator without weights; nothing is simulated yet.

        Raises:
            InputError: If another device than "cpu", or a precision, is asked for.
            CalozooError: If Geant4's data sets are not found.
        """
        if device != "cpu" or precision is not None:
            msg = f"{spec.name} runs on cpu in float64 only; leave out device and precision."
            raise InputError(msg, argument=("device", "precision"))
        return cls(spec, workers=workers, detector=detector)

    @classmethod
    def full_simulation(
        cls, detector: Detector, trigger: FaceTrigger | None = None, *, workers: int | None = None
    ) -> Geant4Events:
        """Geant4 simulation of the primaries of events, each as a Geant4 event of its own.

        Raises:
            CalozooError: If Geant4's data sets are not found.
            InputError: If the number of workers is not positive.
        """
        return Geant4Events(detector, trigger, _checked_workers(workers))

    @classmethod
    def impossible_primaries(cls, detector: Detector, events: Events) -> dict[int, str]:
        """Primaries that start outside the world, or have more energy than Geant4 simulates."""
        return PrimaryLimits(detector).faults(events.vertex, events.energy)

    @classmethod
    def check_machine(cls, spec: ModelSpec) -> None:
        """Check that Geant4's data sets are on this machine.

        Raises:
            CalozooError: If one of them is not found.
        """
        del spec
        data_environment()

    def sample_numbers(self, incident: Incident, seed: int, numbers: IntArray) -> Showers:
        """Showers of these primaries, each with a Geant4 seed from its own random stream.

        Arguments:
            incident: The n primaries.
            seed: Seed of the sample.
            numbers: Number of each shower in the sample, shape (n,).

        Raises:
            ConditionsError: If the particle is not among the spec's conditions, or an energy is
                above what Geant4 simulates.
            InputError: If the detector has a shape and the primaries have no position on its face.
            CalozooError: If Geant4 stops, or a worker dies; it names the shower.
            DetectorError: If the detector's parts overlap, or Geant4 knows no such material.
        """
        particles = self.spec.conditions.particles
        if incident.particle not in particles:
            msg = f"{self.spec.name} simulates {', '.join(particles)}, not {incident.particle}."
            raise ConditionsError(msg)
        if float(incident.energy.max(initial=0.0)) > MOST_GEV:
            msg = (
                f"{self.spec.name} simulates {MOST_GEV:g} GeV at most, not "
                f"{incident.energy.max():g} GeV."
            )
            raise ConditionsError(msg)
        frames, starts = self._starts(incident)
        tasks = [
            ShowerTask(
                incident.particle,
                float(incident.energy[i]),
                tuple(incident.direction[i].tolist()),
                _seed(seed, int(numbers[i])),
                int(frames[i]),
                tuple(starts[i].tolist()),
            )
            for i in range(len(incident))
        ]
        names = [
            f"shower {numbers[i]} ({task.particle}, {task.energy_gev:g} GeV, seed {seed})"
            for i, task in enumerate(tasks)
        ]
        return self._showers(incident, self._pool.run(tasks, names))

    @property
    def precision(self) -> str:
        """Precision of Geant4; points are stored in float32, as in all showers."""
        return "float64"

    @property
    def load_options(self) -> dict[str, Any]:
        """Detector and number of workers."""
        return {"detector": self.detector, "workers": self.workers}

    @property
    def workers(self) -> int:
        """Number of worker processes."""
        return self._pool.n_workers

    @property
    def cpu_seconds(self) -> float:
        """CPU time of the workers for showers so far, in s, without their start."""
        return self._pool.cpu_s

    def close(self) -> None:
        """End the worker processes; later showers start new ones."""
        self._pool.close()

    def _starts(self, incident: Incident) -> tuple[IntArray, FloatArray]:
        """Frame of each primary, shape (n,), and its start on the face, in mm, shape (n, 2)."""
        n = len(incident)
        if self._placement is None:
            return np.zeros(n, np.int64), np.zeros((n, 2))
        if incident.position is None:
            point = ", ".join(f"{c:.3f}" for c in self._placement.draw(1, 0, 0)[0][0])
            msg = (
                f"{self.detector.name} is not the same everywhere, so {self.spec.name} must know "
                f"where the primaries enter it: add position=({point}), or another point of its "
                "face, in mm."
            )
            raise InputError(msg, argument=f"position=({point})")
        self._placement.check(incident.position)
        entry = self._placement.entry(incident.position)
        frames = np.array([frame_of(self.detector, part) for part in entry.part.tolist()], np.int64)
        return frames, np.stack([entry.u, entry.v], axis=1)

    def _showers(self, incident: Incident, replies: list[WorkerReply]) -> Showers:
        steps = [reply.steps for reply in replies if reply.steps is not None]
        x, y, layer, energy, time = np.concatenate([np.zeros((0, 5)), *steps]).T
        return Showers(
            offsets=np.cumsum([0, *map(len, steps)]),
            x=x,
            y=y,
            layer=layer,
            energy=energy,
            time=time,
            incident=incident,
            representation=self.spec.representation,
            detector=self.detector.name,
        )


def _checked_workers(workers: int | None) -> int:
    text = os.environ.get(WORKERS_VARIABLE, "1") if workers is None else str(workers)
    if not text.isdecimal() or int(text) < 1:
        msg = f"Geant4 runs in 1 or more worker processes, not {text}; set {WORKERS_VARIABLE}=1."
        raise InputError(msg)
    check_processes(int(text), WORKERS_VARIABLE if workers is None else "workers")
    return int(text)


def _seed(seed: int, index: int) -> int:
    """Geant4 seed of one shower."""
    return int(stream(seed, index, "geant4").integers(1, 2**63 - 1))
