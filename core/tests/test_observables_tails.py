"""Tail observables, scores in the tails, and sampling that favours them."""

from __future__ import annotations

import numpy as np
import pytest
from tail_samples import DETECTOR, NAMES, as_sample, gaussian, made_up

from calozoo_core.errors import InputError
from calozoo_core.incident import Incident
from calozoo_core.observables import points
from calozoo_core.observables.tails import AxisPoints, TailSample, TailScore
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.training.tail_sampler import TailEnhancedSampler


def test_observables_are_those_of_the_evaluation():
    showers = made_up(50, 1)
    found = dict(zip(NAMES, as_sample(showers).values.T, strict=True))
    seen = points(showers, DETECTOR)
    assert np.allclose(np.exp(found["response"]), seen.response, rtol=1e-4)
    assert np.allclose(found["depth"], seen.centre_z, rtol=1e-4)
    assert np.allclose(np.exp(found["points"]), seen.occupancy / showers.incident.energy, rtol=1e-5)
    square = seen.sums(seen.energy * seen.distance**2) / seen.visible_energy
    assert np.allclose(np.exp(found["width"]) ** 2, square, rtol=1e-3)


def test_a_shower_without_points_has_finite_observables():
    none = Showers([0, 0], [], [], [], [], Incident(10, (0, 0, 1)), "x25", DETECTOR.name)
    assert np.isfinite(as_sample(none).values).all()


def test_points_come_back_where_they_were():
    showers = made_up(5, 1)
    again = AxisPoints.from_showers(showers, DETECTOR).to_showers("x25")
    assert np.allclose(again.x, showers.x, atol=1e-3)
    assert np.allclose(again.y, showers.y, atol=1e-3)


def test_showers_are_taken_in_any_order():
    batch = AxisPoints.from_showers(made_up(6, 1), DETECTOR)
    taken = batch[np.array([4, 0, 4])]
    assert np.array_equal(taken.sums(taken.energy), batch.sums(batch.energy)[[4, 0, 4]])


def test_a_slanted_shower_is_no_tail_among_slanted_ones():
    reference = gaussian(6000, 1)
    slant = 5 * (1 / reference.incident.direction[:, 2] - 1)
    tilted = TailSample(reference.values + slant[:, None], reference.incident)
    assert TailScore(tilted, 300)(tilted).mean() == pytest.approx(
        TailScore(reference, 300)(reference).mean(), abs=0.03
    )


@pytest.mark.parametrize(
    ("fraction", "boost", "acceptance", "ess"),
    [(0.02, 10, 0.85, 0.86), (0.02, 20, 0.72, 0.74), (0.05, 10, 0.69, 0.72)],
)
def test_undoing_the_enhancement_costs_what_it_should(fraction, boost, acceptance, ess):
    sampler = TailEnhancedSampler(np.arange(1000), fraction, boost)
    assert sampler.acceptance == pytest.approx(acceptance, abs=6e-3)
    assert sampler.ess == pytest.approx(ess, abs=6e-3)


def test_an_enhancement_is_undone_exactly():
    score = stream(1, 0, "score").random(500)
    sampler = TailEnhancedSampler(score, 0.02, 10)
    rng = stream(1, 1, "draw")
    rows = sampler.draw(rng, 200_000)
    outer = sampler.weights > 1
    assert outer.sum() == 10
    assert outer[rows].mean() == pytest.approx(0.02 * 10 / sampler.normalisation, rel=0.02)
    assert sampler.inverse_weights(rows).mean() == pytest.approx(1, abs=0.01)
    assert np.average(score[rows], weights=sampler.inverse_weights(rows)) == pytest.approx(
        score.mean(), abs=5e-3
    )
    kept = rows[sampler.is_kept(rows, rng)]
    assert len(kept) / len(rows) == pytest.approx(sampler.acceptance, abs=0.01)
    assert outer[kept].mean() == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize(
    ("fraction", "boost", "says"),
    [(0.1, 10, "boost of 6 or less"), (0, 2, "between 0 and 1"), (0.1, 0.5, "1 or more")],
)
def test_an_enhancement_that_is_too_strong_is_refused(fraction, boost, says):
    with pytest.raises(InputError, match=says):
        TailEnhancedSampler(np.arange(10), fraction, boost)
