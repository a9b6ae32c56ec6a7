"""Physics benchmark: samples of pairs and tau events by Geant4 twice and by models, compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from calozoo.physics.benchmark_samples import (
    numbers_of_pairs,
    pair_samples,
    tau_events,
    tau_sample,
)
from calozoo.physics.comparison import Measurement
from calozoo.physics.digests import hits_digest, primaries_digest
from calozoo.physics.kept_truth import TruthChoice, kept_tau_events
from calozoo.physics.measurement_arrays import Arrays, restored_pairs, restored_taus
from calozoo.physics.options import PhysicsRun
from calozoo.physics.pair_sample import PAIR_ENERGIES_GEV, PairSample
from calozoo.physics.pairs import PairMeasurement, compare_pairs, measure_pairs
from calozoo.physics.results import PhysicsResult, PhysicsSample
from calozoo.physics.runner import AGAIN, TRUTH, BenchmarkRunner
from calozoo.physics.sample_store import Sample
from calozoo.physics.taus import TauMeasurement, compare_taus, measure_taus, true_pi0
from calozoo.reconstruction.parameters import Pi0Parameters
from calozoo_core.errors import InputError
from calozoo_core.event_hits import EventHits
from calozoo_core.events import Events
from calozoo_core.metrics.result import MetricResult

__all__ = ["run_pairs", "run_taus"]

M = TypeVar("M", bound=Measurement)
T = TypeVar("T")


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
    numbers = numbers_of_pairs(run, energies)
    samples = {energy: pair_samples(energy, numbers[energy]) for energy in energies}
    every = [one for some in samples.values() for one in some]
    with BenchmarkRunner(run) as runner:
        runner.check([sample for sample, _ in every])
        wholes = {sample.name: (sample, partial(_first_pairs, pairs)) for sample, pairs in every}
        choices = runner.choose_truth(wholes)
        described: dict[str, PhysicsSample] = {}
        measurements: dict[int, dict[str, tuple[PairMeasurement, ...]]] = {}
        figures: dict[str, list[MetricResult]] = {}
        for energy, some in samples.items():
            found = []
            for sample, pairs in some:
                measure = partial(
                    measure_pairs,
                    events=sample.events,
                    separation=pairs.separations(),
                    finder=runner.finder,
                )
                restore = partial(_restored_pairs, pairs)
                measured, described[sample.name] = _measured(
                    runner, sample, choices[sample.name], measure, restore
                )
                found.append(measured)
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
        events_file: File of selected events; None for Pythia's: those that calozoo brings, or, if
            more are asked for, those that it makes now, which are kept in the folder.

    Returns:
        Results by model, Geant4 against itself among them; and measurements of each seed by model,
        the truth first.

    Raises:
        ConditionsError: If a model was not trained on such photons.
        CalozooError: If Pythia, a model or Geant4 fails.
    """
    with BenchmarkRunner(run) as runner:
        events = tau_events(run, events_file, runner.placement, runner.trigger)
        sample = tau_sample(events)
        runner.check([sample])
        if not true_pi0(events)[1]:
            msg = (
                "The events have no pi0 both of whose photons are there; give the photons of one "
                "pi0 the same mother."
            )
            raise InputError(msg)
        choices = runner.choose_truth({sample.name: (sample, _first_taus)})
        measure = partial(
            measure_taus, events=events, finder=runner.finder, parameters=Pi0Parameters()
        )
        measurements, described = _measured(
            runner, sample, choices[sample.name], measure, restored_taus
        )
        figures = _compared(measurements, compare_taus)
        return runner.results("tau", {sample.name: described}, figures), measurements


def _measured(
    runner: BenchmarkRunner,
    sample: Sample,
    choice: TruthChoice,
    measure: Callable[[EventHits], M],
    restore: Callable[[Arrays], M],
) -> tuple[dict[str, tuple[M, ...]], PhysicsSample]:
    """Measurements of a sample by name, the truth first; and what the sample is."""
    if choice.kept is None:
        hits = runner.truth_hits(sample)
        truth = {name: (measure(one),) for name, one in hits.items()}
        described = PhysicsSample(
            n_events=len(sample.events),
            primaries_sha256=primaries_digest(sample.events),
            truth_sha256=hits_digest(hits[TRUTH]),
        )
    else:
        first = np.arange(len(sample.events))
        truth = {
            name: (restore(arrays).rows(first),)
            for name, arrays in zip(runner.truths, choice.kept.seeds, strict=False)
        }
        described = choice.kept.described(sample)
    models = {
        name: tuple(measure(one) for one in of_seeds)
        for name, of_seeds in runner.model_hits(sample).items()
    }
    return truth | models, described


def _first_pairs(pairs: PairSample, n: int) -> Events:
    return replace(pairs, n=n).events()


def _restored_pairs(pairs: PairSample, arrays: Arrays) -> PairMeasurement:
    whole = replace(pairs, n=len(arrays["n_found"]))
    return restored_pairs(arrays, float(pairs.energy_gev), whole.separations())


def _first_taus(n: int) -> Events | None:
    kept = kept_tau_events()
    return None if kept is None else kept[:n]


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
