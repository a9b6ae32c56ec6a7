"""Measurements of Geant4's hits that calozoo brings: `python -m studies.events.keep_truth WORK`.

WORK is the folder of `calozoo physics --work` runs, and only read. Of each sample there, the events
that both seeds of Geant4 have, from the first on without a gap, are reconstructed. What the photon
finder makes of them is written, and with it the primaries of the tau events.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from calozoo.physics.benchmark_samples import PAIRS, pair_samples, tau_sample
from calozoo.physics.digests import hits_digest, primaries_digest
from calozoo.physics.kept_truth import TAU_EVENTS, KeptDescription, KeptTruth, measured_folder
from calozoo.physics.measurement_arrays import Arrays, pair_arrays, tau_arrays
from calozoo.physics.pairs import measure_pairs
from calozoo.physics.runner import (
    DETECTOR,
    FLOOR_SEED,
    TRUTH,
    TRUTH_SEED,
    common_trigger,
    package_versions,
)
from calozoo.physics.sample_store import Sample, SampleStore
from calozoo.physics.taus import measure_taus
from calozoo.reconstruction.parameters import Pi0Parameters, finder_parameters, parameters_digest
from calozoo.reconstruction.photon_finder import PhotonFinder
from calozoo_core.detector import load_detector
from calozoo_core.event_hits import EventHits
from calozoo_core.events import Events
from calozoo_core.io.events import read_events, write_events
from calozoo_core.typing import FloatArray

__all__ = ["keep", "kept", "main"]

Measure = Callable[[EventHits], Arrays]


def kept(store: SampleStore, sample: Sample, measure: Measure) -> KeptTruth | None:
    """Measurements of the events of a sample that both seeds of Geant4 have; None without any.

    Arguments:
        store: Simulated samples.
        sample: The sample.
        measure: Function of the hits of its first events that returns arrays of their measurement.
    """
    truth, again = (store.stored(sample, TRUTH, seed) for seed in (TRUTH_SEED, FLOOR_SEED))
    if truth is None or again is None:
        return None
    n = min(len(truth), len(again))
    truth, again = truth[:n], again[:n]
    description = KeptDescription(
        sample=sample.name,
        truth=TRUTH,
        seeds=(TRUTH_SEED, FLOOR_SEED),
        n_events=n,
        primaries_sha256=primaries_digest(sample.events[:n]),
        hits_sha256=(hits_digest(truth), hits_digest(again)),
        parameters_sha256=parameters_digest(),
        packages=package_versions(),
    )
    return KeptTruth(description, (measure(truth), measure(again)))


def keep(work: Path, folder: Path) -> Iterator[KeptTruth]:
    """Write the measurements of all samples of a folder, and yield them.

    Arguments:
        work: Folder of the simulated samples.
        folder: Where to.
    """
    detector = load_detector(DETECTOR)
    store = SampleStore(work, detector, common_trigger(detector))
    folder.mkdir(parents=True, exist_ok=True)
    for sample, measure in _samples(work, PhotonFinder(detector, finder_parameters())):
        found = kept(store, sample, measure)
        if found is None:
            continue
        found.write(folder)
        if sample.name == "tau":
            events = sample.events[: found.description.n_events]
            write_events(folder / TAU_EVENTS, events, overwrite=True)
        yield found


def _samples(work: Path, finder: PhotonFinder) -> Iterator[tuple[Sample, Measure]]:
    """Samples that may be in a folder, as large as they can be, and their measurements."""
    for energy, numbers in PAIRS.items():
        for sample, pairs in pair_samples(energy, numbers):
            yield (
                sample,
                partial(
                    _of_pairs, events=sample.events, separation=pairs.separations(), finder=finder
                ),
            )
    # A run for more events has a file of its own, whose first ones are the same.
    files = {int(p.stem.removeprefix("tau-")): p for p in work.glob("tau-[0-9]*.h5")}
    if files:
        sample = tau_sample(read_events(files[max(files)]))
        yield sample, partial(_of_taus, events=sample.events, finder=finder)


def _of_pairs(
    hits: EventHits, events: Events, separation: FloatArray, finder: PhotonFinder
) -> Arrays:
    n = len(hits)
    return pair_arrays(measure_pairs(hits, events[:n], separation[:n], finder))


def _of_taus(hits: EventHits, events: Events, finder: PhotonFinder) -> Arrays:
    return tau_arrays(measure_taus(hits, events[: len(hits)], finder, Pi0Parameters()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the measurements, and say what of."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path, help="folder of the simulated samples")
    parser.add_argument(
        "--out", type=Path, default=measured_folder(), help="where to; by default into calozoo"
    )
    options = parser.parse_args(arguments)
    for found in keep(options.work, options.out):
        description = found.description
        sys.stdout.write(f"{description.sample}: {description.n_events} events\n")


if __name__ == "__main__":
    main()
