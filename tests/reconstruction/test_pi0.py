"""Pi0 finder and truth relation: exact cases, statistics, and brute force."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calozoo.reconstruction.pi0_finder import best_pairs, fit_mass
from calozoo.reconstruction.truth import CATEGORIES, category_counts, main_truth

MASS = 0.1349768


def opening(one, other):
    """Opening angle of the photons of a pi0 with these energies."""
    return math.acos(1 - MASS**2 / (2 * one * other))


def test_an_exact_pi0_needs_no_fit():
    fit = fit_mass((12.0, 7.0), opening(12.0, 7.0), (0.5, 0.4), 0.001, MASS)
    assert fit.chi2 == pytest.approx(0, abs=1e-9)
    assert fit.probability == pytest.approx(1, abs=1e-4)
    assert fit.energies_gev == pytest.approx((12.0, 7.0))


def test_the_fit_has_the_mass_and_no_smaller_chi2_is_near():
    measured, errors = (12.0, 7.0, 0.018), (0.6, 0.5, 0.0008)
    fit = fit_mass(measured[:2], measured[2], errors[:2], errors[2], MASS)
    one, other = fit.energies_gev
    assert 2 * one * other * (1 - math.cos(fit.angle)) == pytest.approx(MASS**2, rel=1e-9)
    for change in (0.99, 1.01):
        angle = opening(one * change, other)
        changed = zip((one * change, other, angle), measured, errors, strict=True)
        assert sum(((a - b) / c) ** 2 for a, b, c in changed) > fit.chi2 - 1e-9


def test_smeared_pi0_have_a_flat_probability():
    rng = np.random.default_rng(1)
    probabilities = []
    for _ in range(1500):
        one, other = rng.uniform(8, 30, 2)
        angle, errors = opening(one, other), (0.02 * one, 0.02 * other)
        angle_error = 0.02 * angle
        smeared = rng.normal((one, other, angle), (*errors, angle_error))
        fit = fit_mass((smeared[0], smeared[1]), smeared[2], errors, angle_error, MASS)
        probabilities.append(fit.probability)
    counts = np.histogram(probabilities, bins=10, range=(0, 1))[0]
    assert ((counts - 150) ** 2 / 150).sum() < 30  # nine degrees of freedom


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 6), st.data())
def test_best_pairs_are_those_of_brute_force(n, data):
    every = list(combinations(range(n), 2))
    chosen = data.draw(st.lists(st.sampled_from(every), unique=True, max_size=8))
    chi2 = [data.draw(st.floats(0, 10)) for _ in chosen]
    pairs = list(zip(chosen, chi2, strict=True))

    def merit(subset):
        return -len(subset), sum(pairs[i][1] for i in subset)

    allowed = [
        subset
        for size in range(len(pairs) + 1)
        for subset in combinations(range(len(pairs)), size)
        if len({photon for i in subset for photon in pairs[i][0]}) == 2 * size
    ]
    best = min(merit(subset) for subset in allowed)
    found = merit(best_pairs(pairs))
    assert found[0] == best[0]
    assert found[1] == pytest.approx(best[1])


def test_of_two_photons_that_claim_one_primary_the_greater_keeps_it():
    share = np.array([[8.0, 1.0, 0.0], [5.0, 0.5, 0.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
    assert main_truth(share).tolist() == [0, -1, 2, -1]


@pytest.mark.parametrize(
    ("pairs", "truth", "expected"),
    [
        ([(0, 1)], [0, 1], {"reco": 1, "good": 1, "missed": 1}),
        ([(0, 2)], [0, 1, 2, 3], {"reco": 1, "confused": 1}),
        ([(0, 1)], [0, 4], {"reco": 1, "confused": 1, "missed": 1}),
        ([(0, 1)], [4, -1], {"reco": 1, "fake": 1, "missed": 2}),
        ([], [0, 1, 2, 3], {"missed": 2}),
        ([(0, 1), (2, 3)], [0, 1, 2, 3], {"reco": 2, "good": 2}),
    ],
)
def test_categories_of_made_up_events(pairs, truth, expected):
    of_primary = np.array([0, 0, 1, 1, -1])  # two pi0, and a photon of none
    counts = category_counts(pairs, np.array(truth), of_primary)
    assert dict(counts) == {name: expected.get(name, 0) for name in CATEGORIES}
    assert counts["reco"] == counts["good"] + counts["confused"] + counts["fake"]
