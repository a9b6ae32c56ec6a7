"""Physics benchmark: samples of pairs and tau events by Geant4 twice and by models, compared."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from calozoo import api
from calozoo.events.chunks import incident_on_face
from calozoo.events.request import FULL_SIMULATION, find_full_simulation, make_trigger
from calozoo.generation.placement import HitPlacer
from calozoo.physics.pair_sample import PAIR_ENERGIES_GEV, PairSample
from calozoo.physics.pairs import PairMeasurement, compare_pairs, measure_pairs
from calozoo.physics.results import PhysicsResult, PhysicsSample, PhysicsTest
from calozoo.physics.sample_store import THRESHOLD_MEV, Sample, SampleStore
from calozoo.physics.shared_source import SharedSource
from calozoo.physics.tau_sample import TauSample
from calozoo.physics.taus import TauMeasurement, compare_taus, measure_taus, true_pi0
from calozoo.reconstruction.parameters import Pi0Parameters, finder_parameters, parameters_digest
from calozoo.reconstruction.photon_finder import PhotonFinder
from calozoo_core.detector import load_detector
from calozoo_core.errors import ConditionsError, InputError
from calozoo_core.event_hits import EventHits
from calozoo_core.events import Events
from calozoo_core.full_simulation import FaceTrigger, FullSimulation
from calozoo_core.generator import Generator
from calozoo_core.io.events import read_events, write_events
from calozoo_core.metrics.result import MetricResult
from calozoo_core.placement import load_placement
from calozoo_core.weights import WEIGHT_FILES, sha256

__all__ = [
    "AGAIN",
    "DETECTOR",
    "TRUTH",
    "PhysicsRun",
    "run_pairs",
    "run_taus",
]

DETECTOR = "ild_siecal"
TRUTH = "geant4.ild-siecal"
AGAIN = f"{TRUTH} again"
TRUTH_SEED, FLOOR_SEED, MODEL_SEED = 1, 2, 1
_PAIR_CHUNKS = {5: 50, 20: 10, 100: 5}
_PAIRS = {5: (3000, 2000), 20: (2000, 1500), 100: (500, 500)}
_CLOSE_MM, _UNIFORM_MM = 30.0, 90.0
_TAU_CHUNK = 5
_TAUS = 1000

M = TypeVar("M")
T = TypeVar("T")


@dataclass(frozen=True)
class PhysicsRun:
    """Options of a physics benchmark.

    Arguments:
        models: Names of the models.
        folder: Folder of the samples, which are kept and reused.
        n: Number of events: one for all samples, or of pairs one for each energy; empty for the
            benchmark's own.
        n_close: Number of close pairs, likewise; empty for as many as other pairs.
        seeds: Number of seeds of each model.
        floor: Whether Geant4 is also compared with itself, by another seed.
        workers: Number of processes of Geant4.
        offline: Use no network.
        on_start: Called with the number of events that are to be made or found.
        on_events: Called with the number of events of each chunk.
    """

    models: tuple[str, ...]
    folder: Path
    n: tuple[int, ...] = ()
    n_close: tuple[int, ...] = ()
    seeds: int = 1
    floor: bool = True
    workers: int | None = None
    offline: bool = False
    on_start: Callable[[int], None] = lambda n: None
    on_events: Callable[[int], None] = lambda n: None

    def __post_init__(self) -> None:
        if min(*self.n, *self.n_close, 2, 2) < 2:
            msg = f"The number of events must be at least 2, not {min(*self.n, *self.n_close, 2)}."
            raise InputError(msg, argument="n")
        if self.seeds < 1:
            msg = f"seeds must be at least 1, not {self.seeds}."
            raise InputError(msg, argument="seeds")
        for name in self.models:
            if api.find_model(name, offline=self.offline).name.startswith(FULL_SIMULATION):
                msg = f"{name} is what models are compared with; name a model."
                raise InputError(msg)


def run_pairs(
    run: PhysicsRun, energies: tuple[int, ...] = PAIR_ENERGIES_GEV
) -> tuple[dict[str, PhysicsResult], dict[int, dict[str, tuple[PairMeasurement, ...]]]]:
    """Photon pairs by Geant4 and by models.

    Arguments:
        run: Options.
        energies: Energies of the photons in GeV, of 5, 20 and 100.

    Returns:
        Results by model, Geant4 against itself among them; and measurements of each seed, by energy
        and model, the truth first.

    Raises:
        ConditionsError: If a model was not trained on photons of these energies or angles.
        CalozooError: If a model or Geant4 fails.
    """
    numbers = _numbers_of_pairs(run, energies)
    samples = {energy: _pair_samples(energy, numbers[energy]) for energy in energies}
    every = [sample for some in samples.values() for sample, _ in some]
    with _Runner(run) as runner:
        runner.check(every)
        run.on_start(runner.n_events(every))
        described: dict[str, PhysicsSample] = {}
        measurements: dict[int, dict[str, tuple[PairMeasurement, ...]]] = {}
        figures: dict[str, list[MetricResult]] = {}
        for energy, some in samples.items():
            found = []
            for sample, separation in some:
                hits = runner.simulated(sample)
                described[sample.name] = _described(sample, hits[TRUTH][0])
                found.append(
                    {
                        name: [
                            measure_pairs(one, sample.events, separation, runner.finder)
                            for one in of_model
                        ]
                        for name, of_model in hits.items()
                    }
                )
            joined = {
                name: tuple(_joined(parts) for parts in zip(*(f[name] for f in found), strict=True))
                for name in found[0]
            }
            measurements[energy] = joined
            for name, of_energy in _compared(joined, compare_pairs).items():
                figures.setdefault(name, []).extend(of_energy)
        return runner.results("pairs", described, figures), measurements


def run_taus(
    run: PhysicsRun, events_file: Path | None = None
) -> tuple[dict[str, PhysicsResult], dict[str, tuple[TauMeasurement, ...]]]:
    """Pi0 of tau decays by Geant4 and by models.

    Arguments:
        run: Options.
        events_file: File of selected events; None for those that Pythia makes, which are kept in
            the folder.

    Returns:
        Results by model, Geant4 against itself among them; and measurements of each seed by model,
        the truth first.

    Raises:
        ConditionsError: If a model was not trained on such photons.
        CalozooError: If Pythia, a model or Geant4 fails.
    """
    if len(run.n) > 1:
        msg = f"Tau events are one sample; give one number, not {len(run.n)}."
        raise InputError(msg, argument="n")
    with _Runner(run) as runner:
        events = runner.tau_events(events_file)
        sample = Sample("tau", events, _TAU_CHUNK)
        runner.check([sample])
        if not true_pi0(events)[1]:
            msg = (
                "The events have no pi0 both of whose photons are there; give the photons of one "
                "pi0 the same mother."
            )
            raise InputError(msg)
        run.on_start(runner.n_events([sample]))
        hits = runner.simulated(sample)
        measurements = {
            name: tuple(measure_taus(one, events, runner.finder, Pi0Parameters()) for one in some)
            for name, some in hits.items()
        }
        described = {sample.name: _described(sample, hits[TRUTH][0])}
        figures = _compared(measurements, compare_taus)
        return runner.results("tau", described, figures), measurements


class _Runner:
    """Models, Geant4 and the store of a run."""

    def __init__(self, run: PhysicsRun) -> None:
        self._run = run
        self._detector = load_detector(DETECTOR)
        self.finder = PhotonFinder(self._detector, finder_parameters())
        self._stack = ExitStack()
        self._simulation: FullSimulation | None = None

    def __enter__(self) -> _Runner:
        self._sources: dict[str, SharedSource] = {}
        self._models: dict[str, Generator] = {}
        self._weights: dict[str, dict[str, str] | None] = {}
        for name in self._run.models:
            model = self._loaded(name)
            self._models[model.spec.name] = model
            self._weights[model.spec.name] = self._weights_sha256(name)
        self.trigger = self._common_trigger()
        self._store = SampleStore(
            self._run.folder, self._detector, self.trigger, self._run.on_events
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def n_events(self, samples: list[Sample]) -> int:
        """Events that are to be made or found."""
        copies = 1 + self._run.floor + len(self._models) * self._run.seeds
        return copies * sum(len(sample.events) for sample in samples)

    def check(self, samples: list[Sample]) -> None:
        """Refuse samples that no model can simulate, and models that cannot simulate them.

        Raises:
            CalozooError: If a primary is no photon that the trigger takes on the face.
            ConditionsError: If a photon lies outside what a model was trained on.
            DetectorError: If the showers of a model cannot be placed into the detector.
        """
        placement = load_placement(self._detector)
        for sample in samples:
            self._store.check(sample)
        for name, model in self._models.items():
            HitPlacer(placement, THRESHOLD_MEV).check(
                model.spec.detector, model.spec.representation
            )
            conditions = model.spec.conditions
            for sample in samples:
                try:
                    conditions.check(incident_on_face(sample.events, placement), name)
                except ConditionsError as error:
                    msg = (
                        f"{name} was trained on {conditions.summary} from the normal, and some "
                        f"photons of {sample.name} are outside; leave it out."
                    )
                    raise ConditionsError(msg) from error

    def simulated(self, sample: Sample) -> dict[str, list[EventHits]]:
        """Hits of a sample, by name: the truth, its repetition, and each model with its seeds."""
        hits = {TRUTH: [self._store.truth(sample, TRUTH, TRUTH_SEED, self._full)]}
        if self._run.floor:
            hits[AGAIN] = [self._store.truth(sample, TRUTH, FLOOR_SEED, self._full)]
        for seed in range(MODEL_SEED, MODEL_SEED + self._run.seeds):
            made = self._store.models(sample, self._models, seed, self._sources.values())
            for name, of_model in made.items():
                hits.setdefault(name, []).append(of_model)
        return hits

    def results(
        self,
        test: PhysicsTest,
        samples: dict[str, PhysicsSample],
        figures: Mapping[str, Sequence[MetricResult]],
    ) -> dict[str, PhysicsResult]:
        """Results of all models."""
        return {
            name: PhysicsResult(
                test=test,
                truth=TRUTH,
                samples=samples,
                seeds=self._run.seeds if name in self._models else 1,
                parameters_sha256=parameters_digest(),
                packages=_packages(),
                weights_sha256=self._weights.get(name),
                figures=tuple(of_model),
            )
            for name, of_model in figures.items()
        }

    def _weights_sha256(self, name: str) -> dict[str, str] | None:
        folder = api.pull(name, offline=self._run.offline).folder
        if folder is None:
            return None
        return {file: sha256(folder / file) for file in WEIGHT_FILES}

    def tau_events(self, file: Path | None) -> Events:
        """Tau events of a file, or of Pythia, which are kept."""
        n = self._run.n[0] if self._run.n else _TAUS
        if file is not None:
            events = read_events(file)
            if self._run.n and n > len(events):
                msg = f"{file} has {len(events)} events, not {n}."
                raise InputError(msg, argument="n")
            return events[:n] if self._run.n else events
        kept = self._run.folder / f"tau-{n}.h5"
        if not kept.exists():
            self._run.folder.mkdir(parents=True, exist_ok=True)
            events = TauSample(n).events(load_placement(self._detector), self.trigger)
            write_events(kept, events)
        return read_events(kept)

    def _loaded(self, name: str) -> Generator:
        spec = api.find_model(name, offline=self._run.offline)
        if spec.source is None:
            model = api.load(name, offline=self._run.offline)
        else:
            source = self._shared_source(spec.source)
            model = api.load(name, offline=self._run.offline, source=source)
        return self._stack.enter_context(closing(model))

    def _shared_source(self, name: str) -> SharedSource:
        """Source of this name, for all models that it feeds."""
        if name not in self._sources:
            options: dict[str, Any] = {}
            if self._run.workers is not None and name.startswith(FULL_SIMULATION):
                options["workers"] = self._run.workers
            source = api.load(name, offline=self._run.offline, **options)
            self._sources[name] = SharedSource(self._stack.enter_context(closing(source)))
        return self._sources[name]

    def _common_trigger(self) -> FaceTrigger:
        """Photons that every photon model takes: in the barrel, of 5 to 127 GeV."""
        spec = api.find_model(TRUTH)
        trigger = replace(make_trigger(self._detector, spec).trigger, endcap_theta_deg=None)
        return FaceTrigger(
            replace(trigger, particles=("gamma",)), energy_gev=(1.0, 127.0), theta_deg=(0.0, 60.0)
        )

    def _full(self) -> FullSimulation:
        if self._simulation is None:
            factory, _ = find_full_simulation(api.find_model(TRUTH))
            simulation = factory.full_simulation(self._detector, workers=self._run.workers)
            self._simulation = self._stack.enter_context(closing(simulation))
        return self._simulation


def _numbers_of_pairs(run: PhysicsRun, energies: tuple[int, ...]) -> dict[int, tuple[int, int]]:
    """Numbers of uniform and of close pairs at each energy."""
    unknown = [energy for energy in energies if energy not in _PAIRS]
    if unknown or not energies:
        msg = f"Pairs have energies of 5, 20 and 100 GeV, not {unknown[0] if unknown else 'none'}."
        raise InputError(msg)
    own = [_PAIRS[energy] for energy in energies]
    uniform = _for_each(run.n, energies) or [number for number, _ in own]
    close = _for_each(run.n_close, energies)
    if not close:
        close = uniform if run.n else [number for _, number in own]
    return dict(zip(energies, zip(uniform, close, strict=True), strict=True))


def _for_each(numbers: tuple[int, ...], energies: tuple[int, ...]) -> list[int]:
    if len(numbers) not in (0, 1, len(energies)):
        msg = f"Give one number of pairs, or one for each of {len(energies)} energies."
        raise InputError(msg, argument="n")
    return list(numbers * len(energies) if len(numbers) == 1 else numbers)


def _pair_samples(
    energy: int, numbers: tuple[int, int]
) -> list[tuple[Sample, np.ndarray[Any, Any]]]:
    samples = []
    for number, most in zip(numbers, (_UNIFORM_MM, _CLOSE_MM), strict=True):
        pairs = PairSample(energy, number, most)
        sample = Sample(pairs.name, pairs.events(), _PAIR_CHUNKS[energy])
        samples.append((sample, pairs.separations()))
    return samples


def _joined(parts: Sequence[PairMeasurement]) -> PairMeasurement:
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in vars(parts[0])
        if name != "energy_gev"
    }
    return PairMeasurement(parts[0].energy_gev, **columns)


def _compared(
    measurements: Mapping[str, Sequence[M]], compare: Callable[[Sequence[M], M, M | None], T]
) -> dict[str, T]:
    """Comparison of each model, and of Geant4 with itself, with Geant4."""
    truth = measurements[TRUTH][0]
    again = measurements[AGAIN][0] if AGAIN in measurements else None
    return {
        TRUTH if name == AGAIN else name: compare(of_model, truth, again)
        for name, of_model in measurements.items()
        if name != TRUTH
    }


def _described(sample: Sample, truth: EventHits) -> PhysicsSample:
    events, hits = sample.events, truth.hits
    primaries = (events.offsets, events.pdg, events.energy, events.momentum, events.vertex)
    return PhysicsSample(
        n_events=len(events),
        primaries_sha256=_digest(primaries),
        truth_sha256=_digest((hits.offsets, hits.cell, hits.energy)),
    )


def _digest(arrays: Sequence[np.ndarray[Any, Any]]) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()


def _packages() -> dict[str, str]:
    found = {}
    for name in ("calozoo", "geant4_pybind", "pythia8mc"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
