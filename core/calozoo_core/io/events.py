"""Native file of events in HDF5: primaries, and, once they are simulated, hits.

::

    /primaries/offsets (n + 1,) i8    /primaries/pdg (N,) i4      /primaries/energy (N,) f8 GeV
    /primaries/momentum (N, 3) f8 GeV /primaries/vertex (N, 3) f8 mm
    /primaries/time (N,) f8 ns        /primaries/mother, mother_pdg (N,) i4
    attributes: format="calozoo-events" version=1

What `calozoo simulate` writes has these besides::

    /primaries/simulated_by (N,) u1   0 nothing, 1 the full simulation, 2 the model, 3 both
    /taken/event, primary (K,) i8, i4 /taken/pdg (K,) i4          /taken/energy (K,) f8 GeV
    /taken/position (K, 3) f8 mm      /taken/direction (K, 3) f8  /taken/time (K,) f8 ns
    /hits/offsets (n + 1,) i8         /hits/layer (M,) u1         /hits/x, y, z (M,) f4 mm
    /hits/energy (M,) f4 MeV          /hits/cell (M,) i8
    /contributions/offsets (M + 1,) i8, primary (L,) i4, energy (L,) f4 MeV
    attributes: model full_simulation detector threshold_mev seed ...

Positions are global. Particles in /taken are those that were stopped on the face of the calorimeter
and left to the model; contributions say what each primary left in a hit.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from calozoo_core.event_hits import EventHits
from calozoo_core.events import Events
from calozoo_core.io._event_layout import (
    BOTH,
    FORMAT,
    FULL,
    MODEL,
    NOTHING,
    SimulatedEvents,
    TakenParticles,
)
from calozoo_core.io._event_reader import EventFile
from calozoo_core.io._event_writer import EventWriter
from calozoo_core.io._layout import attribute
from calozoo_core.io._opening import open_hdf5

__all__ = [
    "BOTH",
    "FULL",
    "MODEL",
    "NOTHING",
    "EventFile",
    "EventWriter",
    "SimulatedEvents",
    "TakenParticles",
    "is_event_file",
    "read_event_hits",
    "read_events",
    "write_events",
]


def read_events(path: str | os.PathLike[str]) -> Events:
    """Primaries of all events of a native file.

    Raises:
        ShowerFileError: If the file is missing, damaged, or not one of events.
        InputError: If a primary is impossible.
    """
    with EventFile(path) as file:
        return file.events()


def read_event_hits(path: str | os.PathLike[str], rows: slice = slice(None)) -> EventHits:
    """Hits of simulated events of a native file, with their contributions by primary.

    Arguments:
        path: The file.
        rows: Slice of events with a step of 1.

    Raises:
        ShowerFileError: If the file is missing, damaged, or has no hits.
    """
    with EventFile(path) as file:
        return file.hits(rows)


def write_events(
    path: str | os.PathLike[str],
    events: Events,
    *,
    overwrite: bool = False,
    attributes: Mapping[str, str | int | float] | None = None,
) -> None:
    """Write primaries of events to a native file, which is complete or not there.

    Arguments:
        path: The file.
        events: The events.
        overwrite: Replace a file that is already there.
        attributes: Attributes of the file, which say how the events were made.

    Raises:
        OutputExistsError: If the file is there and `overwrite` is not set.
        ShowerFileError: If the file cannot be written.
    """
    with EventWriter(path, overwrite=overwrite, attributes=attributes) as writer:
        writer.append(events)


def is_event_file(path: str | os.PathLike[str]) -> bool:
    """`True` if a file is one of events."""
    try:
        with open_hdf5(Path(path), "file of events") as file:
            return attribute(file, "format") == FORMAT
    except Exception:  # any file may be asked about
        return False
