"""Layout of the native file of events, and what a simulation writes to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.event_hits import EventHits
from calozoo_core.events import Events
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
