"""More of Geant4's hits: `python -m studies.events.simulate_truth WORK SAMPLE... [--seed 1]`.

Events of samples of the physics benchmark behind those whose measurements calozoo brings are
simulated into WORK, chunk by chunk. The same command goes on after a stop.
`studies.events.keep_truth` then adds them to the measurements. Seeds, and samples, can be simulated
by processes of their own at the same time.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from calozoo import api
from calozoo.cli.output import progress_bar
from calozoo.events.request import find_full_simulation
from calozoo.physics.benchmark_samples import PAIRS, pair_samples, tau_events, tau_sample
from calozoo.physics.kept_truth import KeptTruth
from calozoo.physics.options import PhysicsRun
from calozoo.physics.runner import DETECTOR, FLOOR_SEED, TRUTH, TRUTH_SEED, common_trigger
from calozoo.physics.sample_store import Sample, SampleStore
from calozoo_core.detector import load_detector
from calozoo_core.placement import load_placement

__all__ = ["main", "sample_names", "whole_sample"]


def sample_names() -> list[str]:
    """Names of the samples of the benchmark."""
    return [*_pairs(), "tau"]


def whole_sample(name: str, work: Path) -> Sample:
    """Sample of the benchmark at its full size.

    Arguments:
        name: One of `sample_names`.
        work: Folder where tau events are, or are written.

    Raises:
        CalozooError: If Pythia fails.
    """
    if name != "tau":
        return _pairs()[name]
    detector = load_detector(DETECTOR)
    run = PhysicsRun((), work)
    return tau_sample(tau_events(run, None, load_placement(detector), common_trigger(detector)))


def _pairs() -> dict[str, Sample]:
    of_energies = (pair_samples(energy, numbers) for energy, numbers in PAIRS.items())
    return {sample.name: sample for samples in of_energies for sample, _ in samples}


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path, help="folder of the simulated samples")
    parser.add_argument("samples", nargs="+", choices=sample_names())
    parser.add_argument(
        "--seed",
        type=int,
        action="append",
        choices=(TRUTH_SEED, FLOOR_SEED),
        help="both if left out",
    )
    parser.add_argument("-n", type=int, help="events of each sample, all if left out")
    options = parser.parse_args(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    samples = [whole_sample(name, options.work) for name in options.samples]
    detector = load_detector(DETECTOR)
    trigger = common_trigger(detector)
    factory, _ = find_full_simulation(api.find_model(TRUTH))
    with closing(factory.full_simulation(detector, workers=1)) as simulation:
        for sample in samples:
            there = KeptTruth.read(sample.name)
            start = 0 if there is None else there.description.n_events
            some = Sample(sample.name, sample.events[: options.n], sample.chunk)
            for seed in options.seed or (TRUTH_SEED, FLOOR_SEED):
                n = max(0, len(some.events) - start)
                with progress_bar(n, unit=f"events of {sample.name}") as advance:
                    store = SampleStore(options.work, detector, trigger, advance)
                    store.simulate(some, TRUTH, seed, lambda: simulation, start)


if __name__ == "__main__":
    main()
