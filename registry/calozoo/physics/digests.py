"""Hashes of the primaries and of the hits of a sample."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calozoo_core.event_hits import EventHits
from calozoo_core.events import Events

__all__ = ["hits_digest", "primaries_digest"]

_PER_MM, _PER_GEV = 1e3, 1e6


def primaries_digest(events: Events) -> str:
    """Hash of the primaries of events, to a micrometre and a keV.

    The last digits of a sine differ between machines, and no shower depends on them.

    Arguments:
        events: The events.
    """
    return _digest(
        events.offsets,
        events.pdg,
        events.mother,
        np.rint(events.energy * _PER_GEV).astype(np.int64),
        np.rint(events.momentum * _PER_GEV).astype(np.int64),
        np.rint(events.vertex * _PER_MM).astype(np.int64),
    )


def hits_digest(hits: EventHits) -> str:
    """Hash of the cells and energies of the hits of events.

    Arguments:
        hits: The hits.
    """
    return _digest(hits.hits.offsets, hits.hits.cell, hits.hits.energy)


def _digest(*arrays: NDArray[Any]) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()
