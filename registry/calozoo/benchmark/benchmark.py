"""Benchmark of several models: speed first, on an idle machine, then memory and fidelity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError

from calozoo import api
from calozoo.benchmark.benchmark_model import BenchmarkModel
from calozoo.benchmark.fidelity import (
    CellObservables,
    FileReference,
    PointReference,
    measure_fidelity,
)
from calozoo.benchmark.measurements import (
    Fidelity,
    Machine,
    Measurements,
    Memory,
    SampleDescription,
    Timing,
)
from calozoo.benchmark.memory import measure_memory
from calozoo.benchmark.request import (
    ENERGIES_GEV,
    PHI_DEG,
    THETA_DEG,
    BenchmarkRequest,
    find_simulation,
    single_photons,
)
from calozoo.benchmark.simulation_cache import ReplayGenerator, SimulationCache
from calozoo.benchmark.speed import TimedModel, TimingRequest, measure_speed_in_process
from calozoo.generation.placement import HitPlacer
from calozoo_core.cores import available_cores
from calozoo_core.errors import InputError, OutputExistsError
from calozoo_core.generator import Generator
from calozoo_core.incident import Incident
from calozoo_core.io.atomic import write_atomic
from calozoo_core.observables import HALF_MIP_MEV, ObservableAccumulator, energy_windows
from calozoo_core.placement import Placement, load_placement
from calozoo_core.weights import sha256

__all__ = ["Benchmark", "Checkpoints", "Progress"]

DETECTOR: Final = "ild_siecal"
FIGURES: Final = 2
"""Number of the set of figures: results of a stopped run with others are not taken up."""

PICTURE: Final = "overview.png"
STEPS_DETECTOR: Final = "ild_siecal_regular"

MOST_MEMORY_SHOWERS: Final = 1000
LONGEST_MEMORY_S: Final = 60.0

Progress = Callable[[str, int, str], AbstractContextManager[Callable[[int], None]]]
"""Progress display of one step: a title, the amount of work, and its unit."""

T = TypeVar("T")


class Benchmark:
    """Benchmark of models one after the other, with the same incident particles and reference.

    Arguments:
        request: Models, reference and options.
        progress: Progress display.

    Raises:
        ModelNameError: If no model is called so.
        InputError: If the request makes no sense, or a model does not have the precision.
        ConditionsError: If an incident particle lies outside a model's conditions.
        DetectorError: If a model's showers cannot be placed into the real detector.
    """

    def __init__(self, request: BenchmarkRequest, progress: Progress) -> None:
        if len(request.models) > 1 and request.weights is not None:
            msg = "Weights are those of one model; name one, or leave out weights."
            raise InputError(msg, argument="weights")
        self.request, self._progress = request, progress
        self._placement: Placement = load_placement(DETECTOR)
        self._checkpoints = Checkpoints(request.work / "checkpoints")
        self._models = [
            BenchmarkModel.find(name, request.precision, request.weights) for name in request.models
        ]
        self._folder = request.work / f"photons-{request.seed}"
        self._reference: SimulationCache | FileReference
        if isinstance(request.reference, Path):
            self._reference = FileReference(request.reference, self._placement)
            self.incident: Incident = self._reference.incident
            if not self._are_single_photons():
                digest = hashlib.sha256(self.incident.energy.tobytes())
                digest.update(self.incident.direction.tobytes())
                self._folder = request.work / f"file-{digest.hexdigest()[:12]}-{request.seed}"
        else:
            self.incident = single_photons(
                self._placement, request.showers_per_energy, request.seed
            )
            name = find_simulation(request.reference, DETECTOR)
            self._reference = self._cache(name, request.seed + 1)
        placer = HitPlacer(self._placement, HALF_MIP_MEV)
        for model in self._models:
            placer.check(model.spec.detector, model.spec.representation)
            if not request.extrapolate:
                model.spec.conditions.check(self.incident, model.spec.name)

    def run(self) -> Iterator[Measurements]:
        """Measurements of each model, as soon as they are complete.

        A run that was stopped continues when the same is requested again.

        Raises:
            CalozooError: What loading, running or simulating raises.
        """
        fast = [model for model in self._models if model.is_fast]
        memory: dict[str, Memory] = {}
        if fast and self.request.rounds:
            self._time(fast)
            memory = {model.spec.name: self._memory(model) for model in fast}
        reference = self._cell_reference()
        points = self._point_reference()
        for model in self._models:
            fidelity = tuple(
                self._fidelity(model, precision, reference, points)
                for precision in model.precisions
            )
            yield Measurements(
                spec=model.spec,
                precision=fidelity[0].precision,
                parameters=model.parameters,
                weights_bytes=model.n_bytes,
                weights_sha256=model.sha256,
                machine=Machine.here(api.find(model.spec.name).distribution),
                sample=self._description(
                    points if points is not None and points.fits(model.spec) else None
                ),
                fidelity=fidelity,
                timings=tuple(model.timings),
                memory=memory.get(model.spec.name),
                pictures=self._pictures(model),
            )
        self._checkpoints.clear()

    def make_reference(self, path: Path) -> str:
        """Write the reference to one file, simulating what is not in the cache.

        Arguments:
            path: The file, which `reference` takes.

        Returns:
            Its SHA-256. The same reference gives the same file.

        Raises:
            InputError: If the reference is a file already.
            OutputExistsError: If the file is there already.
            CalozooError: What simulating raises.
        """
        if not isinstance(self._reference, SimulationCache):
            msg = f"{self.request.reference} is a file already; name a simulation."
            raise InputError(msg, argument="reference")
        if path.exists():
            msg = f"{path} is already there; give it as reference, or move it away."
            raise OutputExistsError(msg)
        self._simulate(self._reference)
        self._reference.write(path)
        return sha256(path)

    def _are_single_photons(self) -> bool:
        """True if the incident particles are those that are drawn when no file is given."""
        n, rest = divmod(len(self.incident), len(ENERGIES_GEV))
        if n == 0 or rest:
            return False
        drawn = single_photons(self._placement, n, self.request.seed)
        return np.array_equal(drawn.energy, self.incident.energy) and np.allclose(
            drawn.direction, self.incident.direction, atol=1e-6
        )

    def _time(self, models: list[BenchmarkModel]) -> None:
        """One thread beside Geant4, then all threads alone."""
        pairs = [
            (
                model,
                TimedModel(model=model.spec.name, precision=option, weights=self.request.weights),
            )
            for model in models
            for option in model.precisions.values()
        ]
        for threads in sorted({1, available_cores()}):
            geant4 = self.request.geant4 if threads == 1 else None
            request = TimingRequest(
                models=tuple(timed for _, timed in pairs),
                geant4=None if geant4 is None else find_simulation(geant4, STEPS_DETECTOR),
                detector=DETECTOR,
                energies_gev=ENERGIES_GEV,
                threads=threads,
                rounds=self.request.rounds,
                seed=self.request.seed,
                extrapolate=self.request.extrapolate,
            )
            key = {
                "request": request.model_dump(mode="json"),
                "weights": [model.digest for model in models],
            }
            make = partial(self._timings, request)
            timings = self._checkpoints.get("speed", key, tuple[Timing, ...], make)
            for (model, _), timing in zip(pairs, timings, strict=True):
                model.timings.append(timing)

    def _timings(self, request: TimingRequest) -> tuple[Timing, ...]:
        n = request.rounds * len(request.energies_gev)
        threads = "one thread" if request.threads == 1 else f"{request.threads} threads"
        with self._progress(f"speed, {threads}", n, "timings") as advance:
            return measure_speed_in_process(request, lambda: advance(1))

    def _memory(self, model: BenchmarkModel) -> Memory:
        per_shower = 1e-3 * model.timings[0].mean_ms(lambda row: row.batched_ms)
        n = max(1, min(MOST_MEMORY_SHOWERS, int(LONGEST_MEMORY_S / per_shower)))
        key = {"model": model.spec.name, "weights": model.digest}

        def make() -> Memory:
            with self._progress(f"memory of {model.spec.name}", 1, "runs") as advance:
                memory = measure_memory(model.spec.name, n, self.request.weights)
                advance(1)
            return memory

        return self._checkpoints.get("memory", key, Memory, make)

    def _cell_reference(self) -> CellObservables:
        if isinstance(self._reference, SimulationCache):
            self._simulate(self._reference)
        cells = CellObservables(self._placement)
        for showers, hits in self._reference.batches():
            cells.add(showers, hits)
        return cells

    def _point_reference(self) -> PointReference | None:
        """Steps in the gapless detector, if they are requested, needed, or in the cache."""
        needed = any(model.replays for model in self._models)
        if self.request.geant4 is None and not (needed or self.request.points):
            return None
        name = find_simulation(self.request.geant4 or "geant4", STEPS_DETECTOR)
        cache = self._cache(name, self.request.seed + 2)
        if not (needed or self.request.points or not cache.missing()):
            return None
        self._simulate(cache)
        return PointReference(cache)

    def _fidelity(
        self,
        model: BenchmarkModel,
        precision: str,
        reference: CellObservables,
        points: PointReference | None,
    ) -> Fidelity:
        key: dict[str, Any] = {
            "model": model.spec.name,
            "weights": model.digest,
            "precision": precision,
            "reference": self._reference.name,
            "reference_sha256": self._reference_sha256,
            "figures": FIGURES,
            "n": len(self.incident),
            "seed": self.request.seed,
            "points": points is not None,
        }
        make = partial(self._measured, model, precision, reference, points)
        return self._checkpoints.get("fidelity", key, Fidelity, make)

    def _measured(
        self,
        model: BenchmarkModel,
        precision: str,
        reference: CellObservables,
        points: PointReference | None,
    ) -> Fidelity:
        merged = None if points is None else points.observables(model.spec)
        seed = self.request.seed + 3
        generator = self._generator(model, precision, points, seed)
        n, title = len(self.incident), f"{model.spec.name}, {precision}"
        with closing(generator), self._progress(title, n, "showers") as advance:
            fidelity, cells = measure_fidelity(
                generator,
                self.incident,
                reference,
                merged,
                seed=seed,
                extrapolate=self.request.extrapolate,
                on_batch=advance,
            )
        if self.request.pictures is not None and precision == next(iter(model.precisions)):
            self._draw(model, cells, reference)
        return fidelity

    def _generator(
        self, model: BenchmarkModel, precision: str, points: PointReference | None, seed: int
    ) -> Generator | SimulationCache:
        """The model, or the cache if it is a simulation."""
        if model.is_simulation:
            if points is not None and points.cache.spec == model.spec:
                return points.cache
            cache = self._cache(model.spec.name, seed)
            self._simulate(cache)
            return cache
        if points is not None and model.spec.source == points.cache.spec.name:
            replay = ReplayGenerator(points.cache)
            return api.load(model.spec.name, source=replay, offline=True)
        return model.load(precision)

    def _draw(
        self, model: BenchmarkModel, cells: ObservableAccumulator, reference: CellObservables
    ) -> None:
        """Draw the picture of a card, if mplhep is installed."""
        if self.request.pictures is None or find_spec("mplhep") is None:
            return
        from calozoo.plotting import draw_overview

        picture = self.request.pictures / model.spec.name / PICTURE
        picture.parent.mkdir(parents=True, exist_ok=True)
        title = f"{self._reference.name} in grey, {len(self.incident)} photons in {DETECTOR}"
        draw_overview(reference.accumulator, {model.spec.name: cells}, title, picture)

    def _pictures(self, model: BenchmarkModel) -> tuple[str, ...]:
        folder = self.request.pictures
        is_there = folder is not None and (folder / model.spec.name / PICTURE).is_file()
        return (PICTURE,) if is_there else ()

    def _cache(self, model: str, seed: int) -> SimulationCache:
        spec = api.find_model(model)
        placement = self._placement if spec.detector == DETECTOR else None
        return SimulationCache(self._folder, model, self.incident, seed=seed, placement=placement)

    def _simulate(self, cache: SimulationCache) -> None:
        missing = cache.missing()
        if not missing:
            return
        with self._progress(cache.name, cache.count(missing), "showers") as advance:
            cache.make(workers=self.request.workers, on_batch=advance)

    @property
    def _reference_sha256(self) -> str | None:
        return self._reference.sha256 if isinstance(self._reference, FileReference) else None

    def _description(self, points: PointReference | None) -> SampleDescription:
        is_drawn = self._are_single_photons()
        windows = energy_windows(self.incident.energy)
        energies = {float(energy) for energy in self.incident.energy}
        if len(energies) > len(windows):
            energies = {min(energies), max(energies)}
        return SampleDescription(
            n_showers=len(self.incident),
            energies_gev=tuple(sorted(round(energy, 6) for energy in energies)),
            theta_deg=THETA_DEG if is_drawn else None,
            phi_deg=PHI_DEG if is_drawn else None,
            detector=DETECTOR,
            threshold_mev=HALF_MIP_MEV,
            reference=self._reference.name,
            reference_sha256=self._reference_sha256,
            points_reference=None if points is None else points.cache.name,
            seed=self.request.seed,
        )


class Checkpoints:
    """Results of finished steps, kept in a folder until the benchmark is done.

    Arguments:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, step: str, key: dict[str, Any], kind: Any, make: Callable[[], T]) -> T:
        """Result of a step from an earlier run that was stopped, or else made now and kept.

        Arguments:
            step: Name of the step, for the file.
            key: All that the result depends on, ready for JSON.
            kind: Type of the result, which pydantic can read.
            make: Makes the result.
        """
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
        path = self.folder / f"{step}-{digest}.json"
        adapter: TypeAdapter[T] = TypeAdapter(kind)
        try:
            return adapter.validate_json(path.read_bytes())
        except (OSError, ValidationError):
            result = make()
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, adapter.dump_json(result))
        return result

    def clear(self) -> None:
        """Remove all results: the next run measures again."""
        for path in self.folder.glob("*.json"):
            path.unlink()
