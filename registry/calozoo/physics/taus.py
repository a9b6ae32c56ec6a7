"""Pi0 of tau decays, photons only: how many are found, and how well, model against Geant4.

Photons are found by calozoo's photon finder; there are no tracks, hadrons or conversions.

References:
    | Full physics benchmark, section V: https://arxiv.org/abs/2511.17293
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calozoo.physics.comparison import compare_samples
from calozoo.reconstruction.parameters import Pi0Parameters
from calozoo.reconstruction.photon_finder import PhotonFinder
from calozoo.reconstruction.pi0_finder import find_pi0
from calozoo.reconstruction.truth import CATEGORIES, category_counts, main_truth, shares
from calozoo_core.event_hits import EventHits
from calozoo_core.events import Events
from calozoo_core.metrics.divergence import js_divergence
from calozoo_core.metrics.result import MetricResult
from calozoo_core.typing import FloatArray, IntArray

__all__ = ["OBSERVABLES", "TauMeasurement", "compare_taus", "measure_taus", "true_pi0"]

OBSERVABLES = {
    "mass": (95.0, 175.0, 40),
    "energy": (-15.0, 15.0, 60),
    "theta": (-3.0, 3.0, 60),
    "phi": (-3.0, 3.0, 60),
}
"""Observables of pi0 that are right, with the range and the number of bins of their histograms:
the mass in MeV, the error of the energy in GeV, and of the polar angle and azimuth in mrad."""

_SOURCE = "Full physics benchmark, arXiv:2511.17293, section V; photons only, calozoo's finder"


@dataclass(frozen=True, eq=False)
class TauMeasurement:
    """Reconstruction of tau events.

    Arguments:
        counts: Pi0 of each event in each category, in the order of `CATEGORIES`, shape (n, 5).
        n_true: True pi0 of each event, shape (n,).
        event: Event of each pi0 that is right, shape (m,).
        observables: Mass in MeV, and errors of energy in GeV, theta and phi in mrad, shape (m, 4).
    """

    counts: IntArray
    n_true: IntArray
    event: IntArray
    observables: FloatArray

    def rows(self, rows: IntArray) -> TauMeasurement:
        """Measurement of some of the events, which may repeat."""
        members = [np.flatnonzero(self.event == row) for row in rows.tolist()]
        chosen = np.concatenate([np.zeros(0, np.int64), *members])
        again = np.repeat(np.arange(len(rows)), [len(m) for m in members])
        return TauMeasurement(self.counts[rows], self.n_true[rows], again, self.observables[chosen])

    def __len__(self) -> int:
        return len(self.n_true)

    def quantities(self) -> dict[str, float]:
        """Pi0 in each category for a true pi0, by name."""
        total = self.counts.sum(axis=0) / max(1, int(self.n_true.sum()))
        names = (f"pi0.{category}" for category in CATEGORIES)
        return dict(zip(names, total.tolist(), strict=True))

    def distances(self, other: TauMeasurement) -> dict[str, float]:
        """JS divergences in nats of the counts of the categories and of the observables."""
        counts = (self.counts.sum(axis=0), other.counts.sum(axis=0))
        found = {"pi0.categories": _js(*counts)}
        for column, (name, (low, high, bins)) in enumerate(OBSERVABLES.items()):
            one, another = (
                np.histogram(m.observables[:, column], bins=bins, range=(low, high))[0]
                for m in (self, other)
            )
            found[f"pi0.{name}"] = _js(one, another)
        return found


def true_pi0(events: Events) -> tuple[IntArray, dict[tuple[int, int], FloatArray]]:
    """True pi0 of tau events, both of whose photons are among the primaries.

    Arguments:
        events: Events; photons with one mother are those of one pi0.

    Returns:
        Number within its event of the pi0 of each primary, -1 for none, shape (N,), and the
        momentum in GeV of each pi0 by event and number.
    """
    number = np.full(events.n_primaries, -1, np.int64)
    momenta: dict[tuple[int, int], FloatArray] = {}
    pairs = Counter(zip(events.event.tolist(), events.mother.tolist(), strict=True))
    for (event, mother), n in pairs.items():
        if mother >= 0 and n == 2:
            is_its = (events.event == event) & (events.mother == mother)
            number[is_its] = mother
            momenta[event, mother] = events.momentum[is_its].sum(axis=0)
    return number, momenta


def measure_taus(
    hits: EventHits, events: Events, finder: PhotonFinder, parameters: Pi0Parameters
) -> TauMeasurement:
    """Reconstruction of a sample of tau events.

    Arguments:
        hits: Hits of the events.
        events: The events.
        finder: Photon finder.
        parameters: Parameters of the pi0 finder.
    """
    pi0, momenta = true_pi0(events)
    counts: list[list[int]] = []
    of_event: list[int] = []
    observables: list[list[float]] = []
    for i in range(len(events)):
        primaries = slice(int(events.offsets[i]), int(events.offsets[i + 1]))
        photons = finder.find(hits.hits[i])
        n_primaries = primaries.stop - primaries.start
        truth = main_truth(shares(hits[i : i + 1], photons, n_primaries))
        candidates = find_pi0(photons, finder, parameters)
        of_primary = pi0[primaries]
        counted = category_counts([c.photons for c in candidates], truth, of_primary)
        counts.append([counted[name] for name in CATEGORIES])
        for candidate in candidates:
            first, second = (int(truth[photon]) for photon in candidate.photons)
            if first < 0 or second < 0 or first == second:
                continue
            if of_primary[first] < 0 or of_primary[first] != of_primary[second]:
                continue
            expected = momenta[i, int(of_primary[first])]
            of_event.append(i)
            observables.append(
                _errors(candidate.mass_gev, np.array(candidate.momentum_gev), expected)
            )
    n_true = np.bincount([event for event, _ in momenta], minlength=len(events))
    return TauMeasurement(
        np.array(counts, np.int64).reshape(-1, len(CATEGORIES)),
        n_true.astype(np.int64),
        np.array(of_event, np.int64),
        np.array(observables, np.float64).reshape(-1, 4),
    )


def compare_taus(
    models: Sequence[TauMeasurement],
    truth: TauMeasurement,
    again: TauMeasurement | None = None,
) -> tuple[MetricResult, ...]:
    """Categories and observables of a model and of the truth, with errors by a bootstrap.

    Rates are per true pi0; JS divergences are of the counts of the categories and of histograms of
    the observables.

    Arguments:
        models: Measurements of the model, one a seed.
        truth: Measurement of the truth, of the same events.
        again: Measurement of the truth simulated with another seed, for the noise floors.
    """
    return compare_samples(models, truth, again=again, source=_SOURCE)


def _js(one: IntArray, other: IntArray) -> float:
    """JS divergence of two histograms; NaN if one is empty."""
    return float(js_divergence(one, other)) if one.sum() and other.sum() else float("nan")


def _errors(mass_gev: float, found: FloatArray, expected: FloatArray) -> list[float]:
    """Mass in MeV, and differences of energy in GeV, theta and phi in mrad, found minus true."""
    energy = np.hypot(np.linalg.norm(expected), Pi0Parameters().mass_gev)
    found_energy = np.hypot(np.linalg.norm(found), mass_gev)
    theta, phi = (
        [np.arctan2(np.hypot(p[0], p[1]), p[2]) for p in (found, expected)],
        [np.arctan2(p[1], p[0]) for p in (found, expected)],
    )
    turn = (phi[0] - phi[1] + np.pi) % (2 * np.pi) - np.pi
    return [1e3 * mass_gev, float(found_energy - energy), 1e3 * (theta[0] - theta[1]), 1e3 * turn]
