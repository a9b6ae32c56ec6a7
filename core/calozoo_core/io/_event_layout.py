"""Layout of the native file of events, and what a simulation writes to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.event_hits import EventHits
from calozoo_core.events import Events
from calozoo_core.io._layout import HIT_TYPES, hit_fault, is_ragged
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
    "simulated_fault",
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
    wrong = hit_fault(hits, detector)
    return None if wrong is None else f"it would hold {wrong}"
