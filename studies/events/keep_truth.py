"""Measurements of Geant4's hits that calozoo brings: `python -m studies.events.keep_truth WORK`.

WORK is the folder of `calozoo physics --work` runs, or of `studies.events.simulate_truth`, and only
read. Of each sample there, the events that both seeds of Geant4 have, without a gap, are
reconstructed: from the first on, or from the first behind those whose measurements are kept
already, to which they are added. What the photon finder makes of them is written, and with it the
primaries of the tau events.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from calozoo.physics.benchmark_samples import PAIRS, pair_samples, tau_sample
from calozoo.physics.digests import hits_digest, primaries_digest
from calozoo.physics.kept_truth import (
    TAU_EVENTS,
    KeptDescription,
    KeptPart,
    KeptTruth,
    measured_folder,
)
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
from calozoo_core.errors import CalozooError
from calozoo_core.event_hits import EventHits
from calozoo_core.events import Events
from calozoo_core.io.events import read_events, write_events
from calozoo_core.typing import FloatArray

__all__ = ["keep", "kept", "main"]

Measure = Callable[[EventHits, int], Arrays]
"""Arrays of the measurement of the hits of some events of a sample, and the first of these."""


def kept(
    store: SampleStore, sample: Sample, measure: Measure, before: KeptTruth | None = None
) -> KeptTruth | None:
    """Measurements of the events of a sample that both seeds of Geant4 have; None without any.

    Arguments:
        store: Simulated samples.
        sample: The sample.
        measure: Function that measures hits.
        before: Measurements of the first events, to which those of further ones are added.

    Raises:
        CalozooError: If those of the first events are of other events, or found otherwise.
    """
    first = 0
    if before is not None:
        _check_before(before.description, sample)
        first = before.description.n_events
    truth, again = (store.stored(sample, TRUTH, seed, first) for seed in (TRUTH_SEED, FLOOR_SEED))
    if truth is None or again is None:
        return before
    n = min(len(truth), len(again))
    if n == 0:
        return before
    hits = truth[:n], again[:n]
    part = KeptPart(
        n_events=n,
        hits_sha256=(hits_digest(hits[0]), hits_digest(hits[1])),
        packages=package_versions(),
    )
    measured = measure(hits[0], first), measure(hits[1], first)
    description = KeptDescription(
        sample=sample.name,
        truth=TRUTH,
        seeds=(TRUTH_SEED, FLOOR_SEED),
        parts=(part,),
        primaries_sha256=primaries_digest(sample.events[: first + n]),
        parameters_sha256=parameters_digest(),
    )
    if before is None:
        return KeptTruth(description, measured)
    description = description.model_copy(update={"parts": (*before.description.parts, part)})
    seeds = tuple(_joined(old, new, first) for old, new in zip(before.seeds, measured, strict=True))
    return KeptTruth(description, (seeds[0], seeds[1]))


def keep(work: Path, folder: Path) -> Iterator[KeptTruth]:
    """Write the measurements of all samples of a folder, and yield them.

    Arguments:
        work: Folder of the simulated samples.
        folder: Where to; measurements that are there already are added to.

    Raises:
        CalozooError: If those that are there are of other events, or found otherwise.
    """
    detector = load_detector(DETECTOR)
    store = SampleStore(work, detector, common_trigger(detector))
    finder = PhotonFinder(detector, finder_parameters())
    folder.mkdir(parents=True, exist_ok=True)
    for sample, separation in _stored_samples(work):
        measure: Measure = (
            partial(_of_taus, events=sample.events, finder=finder)
            if separation is None
            else partial(_of_pairs, events=sample.events, separation=separation, finder=finder)
        )
        before = KeptTruth.read(sample.name, folder)
        found = kept(store, sample, measure, before)
        if found is None or found is before:
            continue
        found.write(folder)
        if sample.name == "tau":
            events = sample.events[: found.description.n_events]
            write_events(folder / TAU_EVENTS, events, overwrite=True)
        yield found


def _stored_samples(work: Path) -> Iterator[tuple[Sample, FloatArray | None]]:
    """Samples that may be in a folder, as large as they can be, and the distances of pairs."""
    for energy, numbers in PAIRS.items():
        for sample, pairs in pair_samples(energy, numbers):
            yield sample, pairs.separations()
    # A run for more events has a file of its own, whose first ones are the same.
    files = {int(p.stem.removeprefix("tau-")): p for p in work.glob("tau-[0-9]*.h5")}
    if files:
        yield tau_sample(read_events(files[max(files)])), None


def _check_before(before: KeptDescription, sample: Sample) -> None:
    if before.parameters_sha256 != parameters_digest():
        msg = (
            f"The measurements of {sample.name} that are kept were found with other parameters; "
            "remove them, and give a folder with all events."
        )
        raise CalozooError(msg)
    if before.primaries_sha256 != primaries_digest(sample.events[: before.n_events]):
        msg = f"The measurements of {sample.name} that are kept are of other events."
        raise CalozooError(msg)


def _joined(old: Arrays, new: Arrays, first: int) -> Arrays:
    """Arrays of events one after the other; `event` numbers them, and goes on with `first`."""
    shift = {"event": np.int32(first)}
    return {
        name: np.concatenate([array, new[name] + shift[name] if name in shift else new[name]])
        for name, array in old.items()
    }


def _of_pairs(
    hits: EventHits, first: int, events: Events, separation: FloatArray, finder: PhotonFinder
) -> Arrays:
    own = slice(first, first + len(hits))
    return pair_arrays(measure_pairs(hits, events[own], separation[own], finder))


def _of_taus(hits: EventHits, first: int, events: Events, finder: PhotonFinder) -> Arrays:
    own = events[first : first + len(hits)]
    return tau_arrays(measure_taus(hits, own, finder, Pi0Parameters()))


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
