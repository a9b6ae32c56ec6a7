"""Tail correction: excess, transport, density ratio and weights."""

from __future__ import annotations

import numpy as np
import pytest
from tail_samples import DETECTOR, NAMES, as_sample, gaussian, made_up

from calozoo_core.errors import WeightsError
from calozoo_core.observables.tails import AxisPoints, TailSample
from calozoo_core.random import stream
from calozoo_refine.density_ratio import fit_density_ratio
from calozoo_refine.importance_weights import (
    ImportanceWeights,
    Regularisation,
    choose_regularisation,
)
from calozoo_refine.quantile_transport import TRANSPORTED, IncidentRange, QuantileTransport
from calozoo_refine.refinement import read_refinement
from calozoo_refine.tail_excess import TAILS, tail_excess, tail_excesses


def test_excess_of_two_samples_of_one_law_is_what_chance_gives():
    found = tail_excesses(gaussian(4000, 1), gaussian(4000, 2), 1e-2)
    assert np.all(np.abs(found.values) < 4 * found.errors)
    assert 0.5 * found.expected_rms < found.rms < 1.5 * found.expected_rms


def test_excess_of_a_shifted_sample_is_what_the_normal_distribution_says():
    reference, generated = gaussian(20_000, 1), gaussian(20_000, 2, shift=0.5)
    found = dict(zip(TAILS, tail_excess(reference, generated, 1e-2), strict=True))
    shifted = {tail.side: value for tail, value in found.items() if tail.observable == NAMES[1]}
    # 1 - Phi(2.326 -+ 0.5) = 0.0339 and 0.00236
    assert shifted["high"] == pytest.approx(2.39, abs=0.35)
    assert shifted["low"] == pytest.approx(-0.764, abs=0.1)


def test_weights_take_an_excess_away():
    reference, generated = gaussian(20_000, 1), gaussian(20_000, 2, shift=0.5)
    weights = np.exp(-0.5 * generated.values[:, 1] + 0.125)
    found = tail_excess(reference, generated, 1e-2, weights)
    assert np.abs(found).max() < 0.35


def test_moved_showers_have_the_distributions_of_the_reference():
    reference = made_up(1500, 1, width=9, more=1.1)
    wrong = made_up(1500, 2, width=7, shift=1.0)
    truth, raw = as_sample(reference), as_sample(wrong)
    transport = QuantileTransport.fit(IncidentRange.from_incident(truth.incident), raw, truth)
    other = made_up(1500, 3, width=7, shift=1.0)
    moved = transport(AxisPoints.from_showers(other, DETECTOR), 5, np.arange(len(other)), 1.0)
    after = TailSample.from_points(moved)
    for name in TRANSPORTED:
        k = NAMES.index(name)
        of = [s.values[:, k] for s in (truth, as_sample(other), after)]
        levels = [np.quantile(values, [0.05, 0.5, 0.95]) for values in of]
        spread = of[0].std() / np.sqrt(300)
        assert np.all(np.abs(levels[2] - levels[0]) < 5 * spread), name
    assert after.values[:, NAMES.index("width")].mean() > raw.values[:, NAMES.index("width")].mean()


def test_moving_depends_on_the_number_of_a_shower_and_not_on_its_company():
    truth, raw = as_sample(made_up(800, 1, more=1.2)), as_sample(made_up(800, 2))
    transport = QuantileTransport.fit(IncidentRange.from_incident(truth.incident), raw, truth)
    batch = AxisPoints.from_showers(made_up(6, 3), DETECTOR)
    together = transport(batch, 7, np.arange(10, 16), 1.0)
    alone = transport(batch[np.array([4])], 7, np.array([14]), 1.0)
    assert np.array_equal(alone.energy, together[np.array([4])].energy)


def test_a_classifier_finds_the_ratio_of_two_gaussians():
    reference, generated = gaussian(2500, 1, shift=0.7), gaussian(2500, 2)
    fitted = fit_density_ratio(
        IncidentRange.from_incident(reference.incident), generated, reference, seed=3
    )
    test = gaussian(2000, 4)
    truth = 0.7 * test.values[:, 1] - 0.245
    found = fitted.density_ratio.log_ratio(test)
    assert np.corrcoef(found, truth)[0, 1] > 0.9
    assert np.polyfit(truth, found, 1)[0] == pytest.approx(1, abs=0.25)
    assert fitted.auc == pytest.approx(0.69, abs=0.03)  # Phi(0.7 / sqrt 2)


def test_nothing_is_corrected_where_there_is_no_difference():
    reference, generated = gaussian(2000, 1), gaussian(2000, 2)
    noise = stream(1, 0, "noise").normal(0, 0.3, 2000)
    assert choose_regularisation(generated, reference, noise, "accept-reject", 0.7) is None


def test_weights_are_one_on_average_at_every_energy_and_never_above_the_cap():
    sample = gaussian(6000, 1)
    log_ratio = sample.values[:, 0] + np.log(sample.incident.energy)
    weights = ImportanceWeights.fit(Regularisation(1.0, 2.0), log_ratio, sample.incident)
    each = weights(log_ratio, sample.incident)
    assert each.max() <= 2
    for low in (10, 40, 70):
        there = (sample.incident.energy > low) & (sample.incident.energy < low + 30)
        assert each[there].mean() == pytest.approx(1, abs=0.05)


def test_a_folder_that_holds_no_refinement_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"kind": "something else"}')
    with pytest.raises(WeightsError, match="not this model's configuration"):
        read_refinement(tmp_path)
