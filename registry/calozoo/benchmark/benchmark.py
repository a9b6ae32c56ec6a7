"""The whole benchmark: speed first, while nothing else was done, then memory and fidelity."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from calozoo import api
from calozoo.benchmark.benchmark_model import Entrant
from calozoo.benchmark.checkpoints import Parts
from calozoo.benchmark.fidelity import CellSums, FileReference, PointTruth, measure_fidelity
from calozoo.benchmark.measurements import (
    Fidelity,
    Machine,
    Measurements,
    Memory,
    SampleFacts,
    Timing,
)
from calozoo.benchmark.memory import measure_memory
from calozoo.benchmark.replay_generator import Shelf
from calozoo.benchmark.request import BenchmarkRequest, of_detector
from calozoo.benchmark.simulation_cache import Library
from calozoo.benchmark.single_photons import ENERGIES_GEV, PHI_DEG, THETA_DEG, single_photons
from calozoo.benchmark.speed import Contestant, TimingRequest, measure_speed_apart
from calozoo.generation.placement import HitPlacer
from calozoo_core.errors import InputError
from calozoo_core.generator import Generator
from calozoo_core.incident import Incident
from calozoo_core.observables import HALF_MIP_MEV, ObservableAccumulator, energy_windows
from calozoo_core.placement import Placement, load_placement

__all__ = ["BUSY", "Benchmark", "Progress"]

DETECTOR: Final = "ild_siecal"
PICTURE: Final = "overview.png"
STEPS_DETECTOR: Final = "ild_siecal_regular"
BUSY: Final = 0.5
"""A load average beyond which times are not to be trusted."""

MOST_MEMORY_SHOWERS: Final = 1000
LONGEST_MEMORY_S: Final = 60.0

Progress = Callable[[str, int, str], AbstractContextManager[Callable[[int], None]]]
"""Shown while work goes on: a title, how much there is, and of what."""


class Benchmark:
    """Measures models one after the other, for the same primaries and against the same reference.

    Arguments:
        request: What is asked for.
        progress: Shows how far the work is.

    Raises:
        ModelNameError: If no model is called so.
        InputError: If the request makes no sense, or a model does not have the precision.
        ConditionsError: If a primary lies outside a model's conditions.
        DetectorError: If a model's showers cannot be placed into the real detector.
    """

    def __init__(self, request: BenchmarkRequest, progress: Progress) -> None:
        if len(request.models) > 1 and request.weights is not None:
            msg = "Weights are those of one model; name one, or leave out --weights."
            raise InputError(msg)
        self.request, self._progress = request, progress
        self._placement: Placement = load_placement(DETECTOR)
        self._parts = Parts(request.work / "parts")
        self._entrants = [
            Entrant.of(name, request.precision, request.weights) for name in request.models
        ]
        self._folder = request.work / f"photons-{request.seed}"
        self._reference: Library | FileReference
        if isinstance(request.reference, Path):
            self._reference = FileReference(request.reference, self._placement)
            self.incident: Incident = self._reference.incident
            known = hashlib.sha256(self.incident.energy.tobytes())
            known.update(self.incident.direction.tobytes())
            self._folder = request.work / f"file-{known.hexdigest()[:12]}-{request.seed}"
        else:
            self.incident = single_photons(
                self._placement, request.showers_per_energy, request.seed
            )
            name = of_detector(request.reference, DETECTOR)
            self._reference = self._library(name, request.seed + 1)
        placer = HitPlacer(self._placement, HALF_MIP_MEV)
        for entrant in self._entrants:
            placer.check(entrant.spec.detector, entrant.spec.representation)
            if not request.extrapolate:
                entrant.spec.conditions.check(self.incident, entrant.spec.name)

    def run(self) -> Iterator[Measurements]:
        """Measure; each model's measurements come when they are whole.

        A run that is stopped goes on where it was when the same is asked for again.

        Raises:
            CalozooError: What loading, running or simulating raises.
        """
        fast = [entrant for entrant in self._entrants if entrant.is_fast]
        memory: dict[str, Memory] = {}
        if fast and self.request.rounds:
            self._time(fast)
            memory = {entrant.spec.name: self._memory(entrant) for entrant in fast}
        reference = self._reference_sums()
        truth = self._point_truth()
        for entrant in self._entrants:
            fidelity = tuple(
                self._fidelity(entrant, precision, reference, truth)
                for precision in entrant.precisions
            )
            yield Measurements(
                spec=entrant.spec,
                precision=fidelity[0].precision,
                parameters=entrant.parameters,
                weights_bytes=entrant.n_bytes,
                weights_sha256=entrant.sha256,
                machine=Machine.here(api.find(entrant.spec.name).distribution),
                sample=self._facts(
                    truth if truth is not None and truth.fits(entrant.spec) else None
                ),
                fidelity=fidelity,
                timings=tuple(entrant.timings),
                memory=memory.get(entrant.spec.name),
                pictures=self._pictures(entrant),
            )
        self._parts.forget()

    def _time(self, entrants: list[Entrant]) -> None:
        """One thread beside Geant4, then all threads alone."""
        pairs = [
            (
                entrant,
                Contestant(model=entrant.spec.name, precision=asked, weights=self.request.weights),
            )
            for entrant in entrants
            for asked in entrant.precisions.values()
        ]
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        for threads in (1, cores or 1):
            geant4 = self.request.geant4 if threads == 1 else None
            request = TimingRequest(
                contestants=tuple(contestant for _, contestant in pairs),
                geant4=None if geant4 is None else of_detector(geant4, STEPS_DETECTOR),
                detector=DETECTOR,
                energies_gev=ENERGIES_GEV,
                threads=threads,
                rounds=self.request.rounds,
                seed=self.request.seed,
                extrapolate=self.request.extrapolate,
            )
            key = {
                "request": request.model_dump(mode="json"),
                "weights": [entrant.digest for entrant in entrants],
            }
            make = partial(self._timings, request)
            timings = self._parts.kept("speed", key, tuple[Timing, ...], make)
            for (entrant, _), timing in zip(pairs, timings, strict=True):
                entrant.timings.append(timing)
            if cores == 1:
                break

    def _timings(self, request: TimingRequest) -> tuple[Timing, ...]:
        n = request.rounds * len(request.energies_gev)
        threads = "one thread" if request.threads == 1 else f"{request.threads} threads"
        with self._progress(f"speed, {threads}", n, "timings") as advance:
            return measure_speed_apart(request, lambda: advance(1))

    def _memory(self, entrant: Entrant) -> Memory:
        per_shower = 1e-3 * entrant.timings[0].mean_ms(lambda row: row.batched_ms)
        n = max(1, min(MOST_MEMORY_SHOWERS, int(LONGEST_MEMORY_S / per_shower)))
        key = {"model": entrant.spec.name, "weights": entrant.digest}

        def make() -> Memory:
            with self._progress(f"memory of {entrant.spec.name}", 1, "runs") as advance:
                memory = measure_memory(entrant.spec.name, n, self.request.weights)
                advance(1)
            return memory

        return self._parts.kept("memory", key, Memory, make)

    def _reference_sums(self) -> CellSums:
        if isinstance(self._reference, Library):
            self._make(self._reference)
        sums = CellSums(self._placement)
        for showers, hits in self._reference.batches():
            sums.add(showers, hits)
        return sums

    def _point_truth(self) -> PointTruth | None:
        """Steps in the gapless detector, if they are wanted, or needed, or there."""
        needed = any(entrant.spec.source for entrant in self._entrants)
        if self.request.geant4 is None and not (needed or self.request.points):
            return None
        name = of_detector(self.request.geant4 or "geant4", STEPS_DETECTOR)
        library = self._library(name, self.request.seed + 2)
        if not (needed or self.request.points or not library.missing()):
            return None
        self._make(library)
        return PointTruth(library)

    def _fidelity(
        self, entrant: Entrant, precision: str, reference: CellSums, truth: PointTruth | None
    ) -> Fidelity:
        key: dict[str, Any] = {
            "model": entrant.spec.name,
            "weights": entrant.digest,
            "precision": precision,
            "reference": self._reference.name,
            "n": len(self.incident),
            "seed": self.request.seed,
            "points": truth is not None,
        }
        make = partial(self._measured, entrant, precision, reference, truth)
        return self._parts.kept("fidelity", key, Fidelity, make)

    def _measured(
        self, entrant: Entrant, precision: str, reference: CellSums, truth: PointTruth | None
    ) -> Fidelity:
        points = None if truth is None else truth.sums(entrant.spec)
        seed = self.request.seed + 3
        source = self._source(entrant, precision, truth, seed)
        n, title = len(self.incident), f"{entrant.spec.name}, {precision}"
        with closing(source), self._progress(title, n, "showers") as advance:
            fidelity, cells = measure_fidelity(
                source,
                self.incident,
                reference,
                points,
                seed=seed,
                extrapolate=self.request.extrapolate,
                on_batch=advance,
            )
        if self.request.pictures is not None and precision == next(iter(entrant.precisions)):
            self._draw(entrant, cells, reference)
        return fidelity

    def _source(
        self, entrant: Entrant, precision: str, truth: PointTruth | None, seed: int
    ) -> Generator | Library:
        """What hands out a model's showers: itself, or what was simulated."""
        if entrant.is_simulation:
            if truth is not None and truth.library.spec == entrant.spec:
                return truth.library
            library = self._library(entrant.spec.name, seed)
            self._make(library)
            return library
        if truth is not None and entrant.spec.source == truth.library.spec.name:
            return api.load(entrant.spec.name, source=Shelf(truth.library), offline=True)
        return entrant.load(precision)

    def _draw(self, entrant: Entrant, cells: ObservableAccumulator, reference: CellSums) -> None:
        """The picture of a card, if what draws it is installed."""
        if self.request.pictures is None or find_spec("mplhep") is None:
            return
        from calozoo.plotting import draw_overview

        picture = self.request.pictures / entrant.spec.name / PICTURE
        picture.parent.mkdir(parents=True, exist_ok=True)
        title = f"{self._reference.name} in grey, {len(self.incident)} photons in {DETECTOR}"
        draw_overview(reference.tally, {entrant.spec.name: cells}, title, picture)

    def _pictures(self, entrant: Entrant) -> tuple[str, ...]:
        folder = self.request.pictures
        is_there = folder is not None and (folder / entrant.spec.name / PICTURE).is_file()
        return (PICTURE,) if is_there else ()

    def _library(self, model: str, seed: int) -> Library:
        spec = api.find_model(model)
        placement = self._placement if spec.detector == DETECTOR else None
        return Library(self._folder, model, self.incident, seed=seed, placement=placement)

    def _make(self, library: Library) -> None:
        missing = library.missing()
        if not missing:
            return
        with self._progress(library.name, library.count(missing), "showers") as advance:
            library.make(workers=self.request.workers, on_batch=advance)

    def _facts(self, truth: PointTruth | None) -> SampleFacts:
        is_file = isinstance(self._reference, FileReference)
        windows = energy_windows(self.incident.energy)
        energies = {float(energy) for energy in self.incident.energy}
        if len(energies) > len(windows):
            energies = {min(energies), max(energies)}
        return SampleFacts(
            n_showers=len(self.incident),
            energies_gev=tuple(sorted(round(energy, 6) for energy in energies)),
            theta_deg=None if is_file else THETA_DEG,
            phi_deg=None if is_file else PHI_DEG,
            detector=DETECTOR,
            threshold_mev=HALF_MIP_MEV,
            reference=self._reference.name,
            points_reference=None if truth is None else truth.library.name,
            seed=self.request.seed,
        )
