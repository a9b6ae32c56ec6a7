"""Truth of reconstructed photons and pi0, from what each primary left in the hits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from calozoo.reconstruction.photon_finder import FoundPhotons
from calozoo_core.event_hits import EventHits
from calozoo_core.typing import FloatArray, IntArray

__all__ = ["CATEGORIES", "category_counts", "main_truth", "shares"]

CATEGORIES = ("reco", "good", "confused", "fake", "missed")
"""Categories of pi0: reconstructed, right, with one right photon, unrelated, and not found."""


def shares(event: EventHits, photons: FoundPhotons, n_primaries: int) -> FloatArray:
    """Energy in MeV that each primary left in the hits of each photon.

    Arguments:
        event: Hits of one event.
        photons: Its photons.
        n_primaries: Number of its primaries.

    Returns:
        Shape (n_photons, n_primaries).
    """
    photon = np.repeat(photons.photon_of_hit, np.diff(event.offsets))
    is_used = photon >= 0
    index = photon[is_used] * n_primaries + event.primary[is_used]
    size = len(photons) * n_primaries
    energies = np.bincount(index, weights=event.energy[is_used], minlength=size)
    share: FloatArray = energies.astype(np.float64).reshape(len(photons), n_primaries)
    return share


def main_truth(share: FloatArray) -> IntArray:
    """Primary that each photon stands for; -1 where another photon has more of its energy.

    Arguments:
        share: Energies of primaries in photons, shape (n_photons, n_primaries).

    Returns:
        Shape (n_photons,).

    Example:
        >>> main_truth(np.array([[9.0, 1.0], [4.0, 3.0]])).tolist()
        [0, -1]
    """
    if share.size == 0:
        return np.full(len(share), -1, np.int64)
    truth = share.argmax(axis=1)
    energy = share[np.arange(len(share)), truth]
    best = np.zeros(share.shape[1])
    np.maximum.at(best, truth, energy)
    is_first = np.zeros(len(share), np.bool_)
    is_first[np.unique(np.where(energy == best[truth], truth, -1), return_index=True)[1]] = True
    return np.where((energy == best[truth]) & (energy > 0) & is_first, truth, -1)


def category_counts(
    pairs: Sequence[tuple[int, int]], truth: IntArray, pi0_of_primary: IntArray
) -> Counter[str]:
    """Number of pi0 of an event in each category.

    Arguments:
        pairs: Photons of the reconstructed pi0.
        truth: Primary that each photon stands for, -1 for none.
        pi0_of_primary: Number of the true pi0 of each primary, -1 for none; each true pi0 has two
            photons among the primaries.
    """
    true = set(np.unique(pi0_of_primary[pi0_of_primary >= 0]).tolist())
    counts = Counter(dict.fromkeys(CATEGORIES, 0))
    seen: set[int] = set()
    for pair in pairs:
        of_pair = [truth[photon] for photon in pair]
        pi0 = [int(pi0_of_primary[t]) if t >= 0 else -1 for t in of_pair]
        counts["reco"] += 1
        known = {number for number in pi0 if number >= 0}
        if pi0[0] >= 0 and pi0[0] == pi0[1] and of_pair[0] != of_pair[1]:
            counts["good"] += 1
        elif known:
            counts["confused"] += 1
        else:
            counts["fake"] += 1
        seen |= known
    counts["missed"] = len(true - seen)
    return counts
