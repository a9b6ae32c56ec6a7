"""Tails: how they are measured, what is drawn more often, and what a ratio of densities does."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError, WeightsError
from calozoo_core.incident import Incident
from calozoo_core.observables import points
from calozoo_core.random import stream
from calozoo_core.refining import (
    OBSERVABLES,
    TAILS,
    Sample,
    Strength,
    TailEnhancedSampler,
    TailScore,
    Weights,
    excess,
    excesses,
    fit_ratio,
    observed,
    read_refinement,
)
from calozoo_core.refining.classifier_strength import find_strength
from calozoo_core.refining.clouds import Cloud
from calozoo_core.refining.transport import MOVED, Transport
from calozoo_core.refining.trend import Span
from calozoo_core.showers import Showers

DETECTOR = load_detector("ild_siecal_regular")
NAMES = [o.name for o in OBSERVABLES]


def primaries(n: int, seed: int) -> Incident:
    rng = stream(seed, 0, "primaries")
    theta, phi = rng.uniform(0, 1, n), rng.uniform(0, 6.28, n)
    direction = [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)]
    return Incident(rng.uniform(10, 100, n), np.stack(direction, axis=1))


def made_up(n: int, seed: int, *, width: float = 8.0, shift: float = 0.0, more: float = 1.0):
    """Showers of gamma-distributed depth, some wider, deeper or richer than others."""
    incident = primaries(n, seed)
    rng = stream(seed, 1, "made up")
    counts = rng.poisson(2 * more * incident.energy) + 20
    owner = np.repeat(np.arange(n), counts)
    deep = rng.normal(shift, 1.0, n)[owner]
    layer = np.clip(rng.normal(11 + deep, 5), 0, 29).astype(np.uint8)
    spread = width * np.exp(rng.normal(0, 0.1, n))[owner]
    slope = incident.direction[:, :2] / incident.direction[:, 2:]
    axis = DETECTOR.layer_depth_mm[layer][:, None] * slope[owner]
    x, y = (rng.normal(0, spread) + along for along in axis.T)
    energy = rng.exponential(0.4, len(owner))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return Showers(offsets, x, y, layer, energy, incident, "x25", DETECTOR.name)


def gaussian(n: int, seed: int, shift: float = 0.0, column: int = 1) -> Sample:
    values = stream(seed, 2, "gaussian").normal(size=(n, len(NAMES)))
    values[:, column] += shift
    return Sample(values, primaries(n, seed))


def as_sample(showers: Showers) -> Sample:
    return Sample(observed(Cloud.of(showers, DETECTOR)), showers.incident)


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
    again = Cloud.of(showers, DETECTOR).showers("x25")
    assert np.allclose(again.x, showers.x, atol=1e-3)
    assert np.allclose(again.y, showers.y, atol=1e-3)


def test_showers_are_taken_in_any_order():
    cloud = Cloud.of(made_up(6, 1), DETECTOR)
    taken = cloud.take(np.array([4, 0, 4]))
    assert np.array_equal(taken.sums(taken.energy), cloud.sums(cloud.energy)[[4, 0, 4]])


def test_excess_of_two_samples_of_one_law_is_what_chance_gives():
    found = excesses(gaussian(4000, 1), gaussian(4000, 2), 1e-2)
    assert np.all(np.abs(found.values) < 4 * found.errors)
    assert 0.5 * found.chance < found.rms < 1.5 * found.chance


def test_excess_of_a_shifted_sample_is_what_the_normal_distribution_says():
    reference, generated = gaussian(20_000, 1), gaussian(20_000, 2, shift=0.5)
    found = dict(zip(TAILS, excess(reference, generated, 1e-2), strict=True))
    shifted = {tail.side: value for tail, value in found.items() if tail.observable == NAMES[1]}
    # 1 - Phi(2.326 -+ 0.5) = 0.0339 and 0.00236
    assert shifted["high"] == pytest.approx(2.39, abs=0.35)
    assert shifted["low"] == pytest.approx(-0.764, abs=0.1)


def test_weights_take_an_excess_away():
    reference, generated = gaussian(20_000, 1), gaussian(20_000, 2, shift=0.5)
    weights = np.exp(-0.5 * generated.values[:, 1] + 0.125)
    found = excess(reference, generated, 1e-2, weights)
    assert np.abs(found).max() < 0.35


def test_a_slanted_shower_is_no_tail_among_slanted_ones():
    reference = gaussian(6000, 1)
    slant = 5 * (1 / reference.incident.direction[:, 2] - 1)
    tilted = Sample(reference.values + slant[:, None], reference.incident)
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
    assert sampler.undone(rows).mean() == pytest.approx(1, abs=0.01)
    assert np.average(score[rows], weights=sampler.undone(rows)) == pytest.approx(
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


def test_moved_showers_have_the_distributions_of_the_reference():
    reference = made_up(1500, 1, width=9, more=1.1)
    wrong = made_up(1500, 2, width=7, shift=1.0)
    truth, raw = as_sample(reference), as_sample(wrong)
    transport = Transport.fitted(Span.of(truth.incident), raw, truth)
    other = made_up(1500, 3, width=7, shift=1.0)
    moved = transport(Cloud.of(other, DETECTOR), 5, np.arange(len(other)), 1.0)
    after = Sample(observed(moved), moved.incident)
    for name in MOVED:
        k = NAMES.index(name)
        of = [s.values[:, k] for s in (truth, as_sample(other), after)]
        levels = [np.quantile(values, [0.05, 0.5, 0.95]) for values in of]
        spread = of[0].std() / np.sqrt(300)
        assert np.all(np.abs(levels[2] - levels[0]) < 5 * spread), name
    assert after.values[:, NAMES.index("width")].mean() > raw.values[:, NAMES.index("width")].mean()


def test_moving_depends_on_the_number_of_a_shower_and_not_on_its_company():
    truth, raw = as_sample(made_up(800, 1, more=1.2)), as_sample(made_up(800, 2))
    transport = Transport.fitted(Span.of(truth.incident), raw, truth)
    cloud = Cloud.of(made_up(6, 3), DETECTOR)
    together = transport(cloud, 7, np.arange(10, 16), 1.0)
    alone = transport(cloud.take(np.array([4])), 7, np.array([14]), 1.0)
    assert np.array_equal(alone.energy, together.take(np.array([4])).energy)


def test_a_classifier_finds_the_ratio_of_two_gaussians():
    reference, generated = gaussian(2500, 1, shift=0.7), gaussian(2500, 2)
    fitted = fit_ratio(Span.of(reference.incident), generated, reference, seed=3)
    test = gaussian(2000, 4)
    truth = 0.7 * test.values[:, 1] - 0.245
    found = fitted.estimator.log_ratio(test)
    assert np.corrcoef(found, truth)[0, 1] > 0.9
    assert np.polyfit(truth, found, 1)[0] == pytest.approx(1, abs=0.25)
    assert fitted.auc == pytest.approx(0.69, abs=0.03)  # Phi(0.7 / sqrt 2)


def test_nothing_is_corrected_where_there_is_no_difference():
    reference, generated = gaussian(2000, 1), gaussian(2000, 2)
    noise = stream(1, 0, "noise").normal(0, 0.3, 2000)
    assert find_strength(generated, reference, noise, "accept-reject", 0.7) is None


def test_weights_are_one_on_average_at_every_energy_and_never_above_the_cap():
    sample = gaussian(6000, 1)
    log_ratio = sample.values[:, 0] + np.log(sample.incident.energy)
    weights = Weights.fitted(Strength(1.0, 2.0), log_ratio, sample.incident)
    each = weights(log_ratio, sample.incident)
    assert each.max() <= 2
    for low in (10, 40, 70):
        there = (sample.incident.energy > low) & (sample.incident.energy < low + 30)
        assert each[there].mean() == pytest.approx(1, abs=0.05)


def test_a_folder_that_holds_no_refinement_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"kind": "something else"}')
    with pytest.raises(WeightsError, match="not this model's configuration"):
        read_refinement(tmp_path)
