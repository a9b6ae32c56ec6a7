"""Tuning of the photon finder on Geant4's pairs: a scan on one half, a report on the other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from calozoo.events.deposits import Deposits
from calozoo.physics.pairs import measure_pairs
from calozoo.reconstruction.parameters import FinderParameters
from calozoo.reconstruction.photon_finder import PhotonFinder
from calozoo_core.detector import Detector
from calozoo_core.event_hits import EventHits
from calozoo_core.events import Events
from calozoo_core.typing import FloatArray

__all__ = ["SCANNED", "deposits_digest", "finder_report", "scan"]

SCANNED: dict[str, tuple[float, ...]] = {
    "valley": (0.6, 0.7, 0.85, 0.95),
    "min_share": (0.02, 0.05, 0.1),
    "min_bins": (3, 4, 6),
    "min_peak_mev": (2.0, 5.0, 10.0),
}
"""Values of each parameter that is scanned; the others keep theirs meanwhile."""


def finder_report(
    hits: EventHits,
    events: Events,
    separation: FloatArray,
    detector: Detector,
    parameters: FinderParameters,
) -> dict[str, float]:
    """Share of split photons, and the separation at which half of the pairs are found as two.

    Arguments:
        hits: Hits of pairs by Geant4.
        events: The pairs.
        separation: Distances of their photons, in mm, shape (n,).
        detector: The detector.
        parameters: Parameters of the finder.
    """
    measured = measure_pairs(hits, events, separation, PhotonFinder(detector, parameters))
    quantities = measured.quantities()
    names = ("split", "d50_mm", "response", "resolution", "position_mm")
    return {name: round(quantities[name], 6) for name in names}


def scan(
    hits: EventHits,
    events: Events,
    separation: FloatArray,
    detector: Detector,
    parameters: FinderParameters,
) -> Iterator[dict[str, Any]]:
    """Reports for other values of one parameter at a time.

    Arguments are those of `finder_report`.
    """
    for name, values in SCANNED.items():
        for value in values:
            changed = parameters.model_copy(update={name: value})
            yield {name: value, **finder_report(hits, events, separation, detector, changed)}


def deposits_digest(deposits: Deposits) -> str:
    """Hash of the cells and energies of a sample."""
    content = (deposits.offsets.astype("<i8"), deposits.cell.astype("<i8"))
    arrays = (*content, deposits.energy.astype("<f4"))
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()
