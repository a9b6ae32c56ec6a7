"""Samples of the physics benchmark: photon pairs of three energies, and tau events."""

from __future__ import annotations

from pathlib import Path

from calozoo.physics.kept_truth import kept_tau_events
from calozoo.physics.options import PhysicsRun
from calozoo.physics.pair_sample import PairSample
from calozoo.physics.sample_store import Sample
from calozoo.physics.tau_sample import TauSample
from calozoo_core.errors import InputError
from calozoo_core.events import Events
from calozoo_core.full_simulation import FaceTrigger
from calozoo_core.io.events import read_events, write_events
from calozoo_core.placement import Placement

__all__ = ["PAIRS", "numbers_of_pairs", "pair_samples", "tau_events", "tau_sample"]

PAIRS = {5: (3000, 2000), 20: (2000, 1500), 100: (500, 500)}
"""Numbers of uniform and of close pairs by energy in GeV."""

_PAIR_CHUNKS = {5: 50, 20: 10, 100: 5}
_UNIFORM_MM, _CLOSE_MM = 90.0, 30.0
_TAU_CHUNK = 5
_TAUS = 1000


def numbers_of_pairs(run: PhysicsRun, energies: tuple[int, ...]) -> dict[int, tuple[int, int]]:
    """Numbers of uniform and of close pairs at each energy, in GeV.

    Arguments:
        run: Options.
        energies: Energies of the photons in GeV.

    Raises:
        InputError: If there is no such energy, one is given twice, or not one number for each.
    """
    unknown = [energy for energy in energies if energy not in PAIRS]
    if unknown or not energies:
        msg = f"Pairs have energies of 5, 20 and 100 GeV, not {unknown[0] if unknown else 'none'}."
        raise InputError(msg)
    if len(set(energies)) < len(energies):
        msg = "An energy of the pairs is given twice; give each once."
        raise InputError(msg)
    own = [PAIRS[energy] for energy in energies]
    uniform = _for_each(run.n, energies) or [number for number, _ in own]
    close = _for_each(run.n_close, energies)
    if not close:
        close = uniform if run.n else [number for _, number in own]
    return dict(zip(energies, zip(uniform, close, strict=True), strict=True))


def pair_samples(energy: int, numbers: tuple[int, int]) -> list[tuple[Sample, PairSample]]:
    """Uniform and close pairs of an energy.

    Arguments:
        energy: Energy of the photons in GeV.
        numbers: Numbers of uniform and of close pairs.
    """
    every = [
        PairSample(energy, number, most)
        for number, most in zip(numbers, (_UNIFORM_MM, _CLOSE_MM), strict=True)
    ]
    return [(Sample(pairs.name, pairs.events(), _PAIR_CHUNKS[energy]), pairs) for pairs in every]


def tau_sample(events: Events) -> Sample:
    """Sample of tau events.

    Arguments:
        events: The events.
    """
    return Sample("tau", events, _TAU_CHUNK)


def tau_events(
    run: PhysicsRun, file: Path | None, placement: Placement, trigger: FaceTrigger
) -> Events:
    """Tau events of a file, or of Pythia, those that calozoo brings or others.

    Pythia's own are kept in the folder of the samples.

    Arguments:
        run: Options.
        file: File of selected events; None for Pythia's.
        placement: Placement of the detector.
        trigger: Choice of the photons.

    Raises:
        InputError: If several numbers are given, or a file has not as many events.
        CalozooError: If Pythia fails, or a file cannot be read.
    """
    if len(run.n) > 1:
        msg = f"Tau events are one sample; give one number, not {len(run.n)}."
        raise InputError(msg, argument="n")
    n = run.n[0] if run.n else _TAUS
    if file is not None:
        events = read_events(file)
        if run.n and n > len(events):
            msg = f"{file} has {len(events)} events, not {n}."
            raise InputError(msg, argument="n")
        return events[:n] if run.n else events
    made = run.folder / f"tau-{n}.h5"
    if made.exists():
        events = read_events(made)
        if len(events) != n:
            msg = f"{made} has {len(events)} events, not {n}; remove it, or give another folder."
            raise InputError(msg)
        return events
    kept = kept_tau_events()
    if kept is not None and n <= len(kept):
        return kept[:n]
    events = TauSample(n).events(placement, trigger)
    run.folder.mkdir(parents=True, exist_ok=True)
    # Another process may have made the same events meanwhile.
    write_events(made, events, overwrite=True)
    return events


def _for_each(numbers: tuple[int, ...], energies: tuple[int, ...]) -> list[int]:
    if len(numbers) not in (0, 1, len(energies)):
        msg = f"Give one number of pairs, or one for each of {len(energies)} energies."
        raise InputError(msg, argument="n")
    return list(numbers * len(energies) if len(numbers) == 1 else numbers)
