"""Layout of the native file of events, and what a simulation writes to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.event_hits import EventHits
from calozoo_core.events import Events
from calozoo_core.io._layout import HIT_TYPES, hit_fault
from calozoo_core.particles import PARTICLES
from calozoo_core.ragged import is_ragged
from calozoo_core.typing import FloatArray, IntArray

__all__ = [
    "BOTH",
    "FORMAT",
    "FULL",
    "MODEL",
    "NOTHING",
    "TAKEN_COLUMNS",
    "VERSION",
    "SimulatedEvents",
    "TakenParticles",
    "event_hit_fault",
    "simulated_by_fault",
    "simulated_fault",
    "taken_fault",
]

FORMAT: Final = "calozoo-events"
VERSION: Final = 1
NOTHING, FULL, MODEL, BOTH = range(4)
"""Values of `simulated_by`."""

TAKEN_COLUMNS: Final = {
    "event": ("i8", 1),
    "primary": ("i4", 1),
    "pdg": ("i4", 1),
    "energy": ("f8", 1),
    "position": ("f8", 3),
    "direction": ("f8", 3),
    "time": ("f8", 1),
}
"""Columns of the table of particles left to a model: type, and numbers in a row."""

_FARTHEST_MM: Final = 1e6
"""Largest coordinate of a hit, or of a particle on the face: far outside of any detector."""

_SUM: Final = 1e-5
"""Largest difference of the sum of a hit's contributions from its energy, of that energy."""

_UNIT: Final = 1e-3
"""Largest difference of the length of a unit vector from 1."""


@dataclass(frozen=True, eq=False)
class TakenParticles:
    """Particles that were stopped on the face and left to a model.

    Arguments:
        event: Number of the event in the file, shape (n,).
        primary: Number of the primary within the event that each comes from, shape (n,).
        pdg: Number of the particle in the PDG's scheme, shape (n,).
        energy: Kinetic energy on the face, in GeV, shape (n,).
        position: Global position on the face, in mm, shape (n, 3).
        direction: Global unit vector, shape (n, 3).
        time: Time in ns, shape (n,).
    """

    event: IntArray
    primary: NDArray[np.int32]
    pdg: NDArray[np.int32]
    energy: FloatArray
    position: FloatArray
    direction: FloatArray
    time: FloatArray


@dataclass(frozen=True, eq=False)
class SimulatedEvents:
    """Run of simulated events, as it is written to a file.

    Arguments:
        events: Primaries of the events.
        simulated_by: What simulated each primary: NOTHING, FULL, MODEL or BOTH, shape (N,).
        taken: Particles left to the model; their events count from the first of the run.
        hits: Hits with contributions.
    """

    events: Events
    simulated_by: NDArray[np.uint8]
    taken: TakenParticles
    hits: EventHits


def simulated_fault(run: SimulatedEvents, detector: str) -> str | None:
    """Fault of simulated events that the reader would refuse; None if there is none.

    Arguments:
        run: The events.
        detector: Detector of the hits.
    """
    hits, found = run.hits.hits, run.hits
    taken = {len(getattr(run.taken, name)) for name in TAKEN_COLUMNS}
    if len(hits) != len(run.events):
        return f"there are hits of {len(hits)} events, not of {len(run.events)}"
    if len(run.simulated_by) != run.events.n_primaries:
        return f"simulated_by is of {len(run.simulated_by)} primaries, not {run.events.n_primaries}"
    if len(taken) != 1:
        return "the columns of taken particles have different lengths"
    if not is_ragged(hits.offsets, {len(getattr(hits, name)) for name in HIT_TYPES}):
        return "the hits do not fit their offsets"
    n_hits = int(hits.offsets[-1])
    if len(found.offsets) != n_hits + 1 or not is_ragged(
        found.offsets, {len(found.primary), len(found.energy)}
    ):
        return "the contributions do not fit their offsets"
    n_primaries = np.diff(run.events.offsets)
    wrong = (
        event_hit_fault(found, n_primaries, detector)
        or simulated_by_fault(run.simulated_by)
        or taken_fault(run.taken, n_primaries)
    )
    return None if wrong is None else f"it would hold {wrong}"


def event_hit_fault(
    found: EventHits, n_primaries: IntArray, detector: str, first: int = 0
) -> str | None:
    """Fault in the values of hits and contributions; None if there is none.

    Arguments:
        found: Hits of n events, which fit their offsets.
        n_primaries: Number of the primaries of each event, shape (n,).
        detector: Detector of the hits.
        first: Number of the first event in the file.
    """
    hits = found.hits
    wrong = hit_fault(hits, detector)
    if wrong:
        return wrong
    for axis in "xyz":
        far = np.abs(getattr(hits, axis)) > _FARTHEST_MM
        if far.any():
            return f"a hit at {axis} = {getattr(hits, axis)[far][0]:g} mm"
    bad = found.energy[~(np.isfinite(found.energy) & (found.energy >= 0))]
    if len(bad):
        return f"a contribution of {bad[0]:g} MeV"
    of_hit = np.repeat(np.arange(len(hits.cell)), np.diff(found.offsets))
    summed = np.bincount(of_hit, weights=found.energy, minlength=len(hits.cell))
    apart = np.flatnonzero(~np.isclose(summed, hits.energy, rtol=_SUM, atol=0))
    if len(apart):
        whole = hits.energy[apart[0]]
        return f"a hit of {whole:g} MeV whose contributions add up to {summed[apart[0]]:g}"
    event = np.repeat(np.arange(len(hits)), np.diff(found.offsets[hits.offsets]))
    return _primary_fault("a contribution", event, found.primary, n_primaries, first)


def simulated_by_fault(values: NDArray[np.uint8]) -> str | None:
    """Fault in what simulated primaries; None if there is none."""
    bad = values[values > BOTH]
    return f"a primary with simulated_by = {bad[0]}, which ends at {BOTH}" if len(bad) else None


def taken_fault(taken: TakenParticles, n_primaries: IntArray, first: int = 0) -> str | None:
    """Fault in the values of particles that were left to a model; None if there is none.

    Arguments:
        taken: The particles.
        n_primaries: Number of the primaries of n events, shape (n,).
        first: Number of the first of these events, as `taken` counts them.
    """
    what = "a particle left to the model"
    outside = taken.event[(taken.event < first) | (taken.event >= first + len(n_primaries))]
    if len(outside):
        return f"{what} from event {outside[0]}, which is not there"
    unknown = taken.pdg[~np.isin(taken.pdg, list(PARTICLES))]
    if len(unknown):
        return f"{what} with the PDG number {unknown[0]}"
    bad = taken.energy[~(np.isfinite(taken.energy) & (taken.energy > 0))]
    if len(bad):
        return f"{what} of {bad[0]:g} GeV"
    if not (np.all(np.abs(taken.position) <= _FARTHEST_MM) and np.all(np.isfinite(taken.time))):
        return f"{what} that is nowhere near the detector, or at no time"
    with np.errstate(over="ignore"):
        if not np.all(np.abs(np.linalg.norm(taken.direction, axis=1) - 1) <= _UNIT):
            return f"{what} whose direction is no unit vector"
    return _primary_fault(what, taken.event - first, taken.primary, n_primaries, first)


def _primary_fault(
    what: str, event: IntArray, primary: NDArray[np.int32], n_primaries: IntArray, first: int
) -> str | None:
    """Fault of rows that are from a primary that their event does not have."""
    event = event.astype(np.int64)
    bad = np.flatnonzero((primary < 0) | (primary >= n_primaries[event]))
    if not len(bad):
        return None
    there = n_primaries[event[bad[0]]]
    return (
        f"{what} from primary {primary[bad[0]]} of event {first + event[bad[0]]}, which has {there}"
    )
