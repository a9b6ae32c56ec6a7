"""Physics benchmark: samples of pairs and tau events by Geant4 twice and by models, compared."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from calozoo import api
from calozoo.events.request import FULL_SIMULATION, find_full_simulation, make_trigger
from calozoo.physics.pair_sample import PAIR_ENERGIES_GEV, PairSample
from calozoo.physics.pairs import PairMeasurement, compare_pairs, measure_pairs
from calozoo.physics.sample_store import Sample, SampleStore
from calozoo.physics.shared_source import SharedSource
from calozoo.physics.tau_sample import TauSample
from calozoo.physics.taus import TauMeasurement, compare_taus, measure_taus
from calozoo.reconstruction.parameters import Pi0Parameters, finder_parameters
from calozoo.reconstruction.photon_finder import PhotonFinder
from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError
from calozoo_core.event_hits import EventHits
from calozoo_core.events import Events
from calozoo_core.full_simulation import FaceTrigger, FullSimulation
from calozoo_core.generator import Generator
from calozoo_core.io.events import read_events, write_events
from calozoo_core.placement import load_placement

__all__ = [
    "DETECTOR",
    "PhysicsRun",
    "run_pairs",
    "run_taus",
]

DETECTOR = "ild_siecal"
TRUTH_SEED, FLOOR_SEED, MODEL_SEED = 1, 2, 1
_SIMULATION = "geant4.ild-siecal"
_PAIR_CHUNKS = {5: 50, 20: 10, 100: 5}
_PAIRS = {5: (3000, 2000), 20: (2000, 1500), 100: (500, 500)}
_CLOSE_MM, _UNIFORM_MM = 30.0, 90.0
_TAU_CHUNK = 5
_TAUS = 1000


@dataclass(frozen=True)
class PhysicsRun:
    """Options of a physics benchmark.

    Arguments:
        models: Names of the models.
        folder: Folder of the samples, which are kept and reused.
        n: Number of events of each sample; None for the benchmark's own.
        seeds: Number of seeds of each model.
        floor: Whether Geant4 is also compared with itself, by another seed.
        workers: Number of processes of Geant4.
        offline: Use no network.
        on_start: Called with the number of events that are to be made or found.
        on_events: Called with the number of events of each chunk.
    """

    models: tuple[str, ...]
    folder: Path
    n: int | None = None
    seeds: int = 1
    floor: bool = True
    workers: int | None = None
    offline: bool = False
    on_start: Callable[[int], None] = lambda n: None
    on_events: Callable[[int], None] = lambda n: None

    def __post_init__(self) -> None:
        if self.n is not None and self.n < 2:
            msg = f"The number of events must be at least 2, not {self.n}."
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
) -> tuple[dict[str, Any], dict[int, dict[str, PairMeasurement]]]:
    """Photon pairs by Geant4 and by models.

    Arguments:
        run: Options.
        energies: Energies of the photons in GeV, of 5, 20 and 100.

    Returns:
        Report for JSON, and the measurements by energy and model, Geant4's among them.

    Raises:
        CalozooError: If a model or Geant4 fails.
    """
    unknown = [energy for energy in energies if energy not in _PAIRS]
    if unknown or not energies:
        msg = f"Pairs have energies of 5, 20 and 100 GeV, not {unknown[0] if unknown else 'none'}."
        raise InputError(msg)
    samples = {energy: _pair_samples(energy, run.n) for energy in energies}
    all_samples = [sample for some in samples.values() for sample, _ in some]
    with _Runner(run) as runner:
        run.on_start(runner.n_events(all_samples))
        report: dict[str, Any] = {}
        measurements: dict[int, dict[str, PairMeasurement]] = {}
        for energy, some in samples.items():
            found = [
                {
                    name: measure_pairs(hits, sample.events, separation, runner.finder)
                    for name, hits in runner.simulated(sample).items()
                }
                for sample, separation in some
            ]
            joined = {name: _joined([of_set[name] for of_set in found]) for name in found[0]}
            measurements[energy] = joined
            report[f"{energy} GeV"] = {
                "pairs": {sample.name: len(sample.events) for sample, _ in some},
                "photons_sha256": {sample.name: _digest(sample.events) for sample, _ in some},
                **_compared(joined, compare_pairs),
            }
    return _report("photon pairs, photons only, by calozoo's photon finder", report), measurements


def run_taus(
    run: PhysicsRun, events_file: Path | None = None
) -> tuple[dict[str, Any], dict[str, TauMeasurement]]:
    """Pi0 of tau decays by Geant4 and by models.

    Arguments:
        run: Options.
        events_file: File of selected events; None for those that Pythia makes, which are kept in
            the folder.

    Returns:
        Report for JSON, and the measurements by model, Geant4's among them.

    Raises:
        CalozooError: If Pythia, a model or Geant4 fails.
    """
    with _Runner(run) as runner:
        events = runner.tau_events(events_file)
        sample = Sample("tau", events, _TAU_CHUNK)
        run.on_start(runner.n_events([sample]))
        measurements = {
            name: measure_taus(hits, events, runner.finder, Pi0Parameters())
            for name, hits in runner.simulated(sample).items()
        }
    truth = measurements[_SIMULATION]
    report = {
        "events": len(events),
        "events_sha256": _digest(events),
        "true_pi0": int(truth.n_true.sum()),
        **_compared(measurements, compare_taus),
    }
    return _report("pi0 of tau decays, photons only, by calozoo's photon finder", report), (
        measurements
    )


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
        for name in self._run.models:
            model = self._loaded(name)
            self._models[model.spec.name] = model
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

    def simulated(self, sample: Sample) -> dict[str, EventHits]:
        """Hits of a sample by Geant4, by Geant4 again, and by each model and seed."""
        truth = self._store.truth(sample, _SIMULATION, TRUTH_SEED, self._full)
        hits = {_SIMULATION: truth}
        if self._run.floor:
            again = self._store.truth(sample, _SIMULATION, FLOOR_SEED, self._full)
            hits[f"{_SIMULATION} again"] = again
        for seed in range(MODEL_SEED, MODEL_SEED + self._run.seeds):
            made = self._store.models(sample, self._models, seed, self._sources.values())
            hits |= {_seeded(name, seed): of_model for name, of_model in made.items()}
        return hits

    def tau_events(self, file: Path | None) -> Events:
        """Tau events of a file, or of Pythia, which are kept."""
        n = _TAUS if self._run.n is None else self._run.n
        if file is not None:
            events = read_events(file)
            if self._run.n is not None and self._run.n > len(events):
                msg = f"{file} has {len(events)} events, not {n}."
                raise InputError(msg, argument="n")
            return events[: self._run.n] if self._run.n else events
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
        spec = api.find_model(_SIMULATION)
        trigger = replace(make_trigger(self._detector, spec).trigger, endcap_theta_deg=None)
        return FaceTrigger(
            replace(trigger, particles=("gamma",)), energy_gev=(1.0, 127.0), theta_deg=(0.0, 60.0)
        )

    def _full(self) -> FullSimulation:
        if self._simulation is None:
            factory, _ = find_full_simulation(api.find_model(_SIMULATION))
            simulation = factory.full_simulation(self._detector, workers=self._run.workers)
            self._simulation = self._stack.enter_context(closing(simulation))
        return self._simulation


def _seeded(name: str, seed: int) -> str:
    return name if seed == MODEL_SEED else f"{name} seed {seed}"


def _pair_samples(energy: int, n: int | None) -> list[tuple[Sample, np.ndarray[Any, Any]]]:
    numbers = _PAIRS[energy] if n is None else (n, n)
    samples = []
    for number, most in zip(numbers, (_UNIFORM_MM, _CLOSE_MM), strict=True):
        pairs = PairSample(energy, number, most)
        sample = Sample(pairs.name, pairs.events(), _PAIR_CHUNKS[energy])
        samples.append((sample, pairs.separations()))
    return samples


def _joined(parts: list[PairMeasurement]) -> PairMeasurement:
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in vars(parts[0])
        if name != "energy_gev"
    }
    return PairMeasurement(parts[0].energy_gev, **columns)


def _compared(
    measurements: Mapping[str, Any], compare: Callable[[Any, Any], dict[str, dict[str, float]]]
) -> dict[str, Any]:
    """Comparison of each model, and of Geant4 with itself, with Geant4."""
    truth = measurements[_SIMULATION]
    return {
        "models": {
            name: compare(measurement, truth)
            for name, measurement in measurements.items()
            if name != _SIMULATION
        }
    }


def _report(what: str, content: dict[str, Any]) -> dict[str, Any]:
    return {
        "what": what,
        "truth": f"{_SIMULATION}, seed {TRUTH_SEED}",
        "finder": finder_parameters().model_dump(),
        "results": content,
    }


def _digest(events: Events) -> str:
    parts = (events.offsets, events.pdg, events.energy, events.momentum, events.vertex)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
