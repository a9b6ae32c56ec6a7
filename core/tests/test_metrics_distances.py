"""Separation power, correlation distance and distances in features, against what is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from calozoo_core.errors import InputError
from calozoo_core.metrics import (
    frechet_distance,
    frobenius_distance,
    js_divergence,
    kernel_distance,
    separation_power,
)
from calozoo_core.metrics.classifier import classifier_auc, single_feature_auc
from calozoo_core.metrics.correlation import layer_correlations, voxel_correlations

contents = npst.arrays(np.float64, (2, 9), elements=st.integers(0, 50).map(float)).filter(
    lambda pair: np.all(pair.sum(axis=1) > 0)
)


def normal(n, seed, shift=0.0, n_features=5):
    return np.random.default_rng(seed).normal(4.0 + shift, size=(n, n_features))


@given(contents)
def test_separation_is_symmetric_and_between_zero_and_one(pair):
    separation = separation_power(*pair)
    assert separation == pytest.approx(separation_power(*pair[::-1]))
    assert 0 <= separation <= 1


@given(contents)
def test_separation_and_divergence_agree_on_what_is_equal_and_what_is_apart(pair):
    # Jensen-Shannon lies between half of the separation and ln 2 times it (Topsoe, 2000).
    separation, divergence = separation_power(*pair), js_divergence(*pair)
    assert separation / 2 - 1e-7 <= divergence <= np.log(2) * separation + 1e-7


def test_separation_of_one_law_is_the_occupied_bins_over_twice_the_showers():
    rng, n = np.random.default_rng(4), 20_000
    pairs = rng.multinomial(n, np.full(100, 0.01), size=(40, 2))
    mean = np.mean([separation_power(*pair) for pair in pairs])
    assert mean == pytest.approx(99 / (2 * n), rel=0.1)


def test_divergence_of_one_law_falls_with_the_showers_on_either_side():
    rng, n, m = np.random.default_rng(5), 4000, 16_000
    law = np.full(41, 1 / 41)
    ones, others = rng.multinomial(n, law, size=100), rng.multinomial(m, law, size=100)
    mean = np.mean([js_divergence(*pair) for pair in zip(ones, others, strict=True)])
    assert mean == pytest.approx(40 / 8 * (1 / n + 1 / m), rel=0.1)


@pytest.mark.parametrize("wrong", [([0, 0], [1, 1]), ([1, 1], [1, -1]), ([1, 1], [1, 1, 1])])
def test_histograms_without_a_separation_are_refused(wrong):
    with pytest.raises(InputError):
        separation_power(*wrong)


def test_layer_correlations_are_numpys():
    energy = np.random.default_rng(6).gamma(2, 30, (500, 6)).cumsum(axis=1)
    found = layer_correlations(500, energy.sum(axis=0), energy.T @ energy)
    np.testing.assert_allclose(found, np.corrcoef(energy.T), rtol=1e-9)


def test_voxel_correlations_are_numpys_layer_by_layer():
    energy = np.random.default_rng(7).gamma(2, 3, (400, 4, 3)).cumsum(axis=1)
    found = voxel_correlations(
        400,
        energy.sum(axis=0),
        (energy**2).sum(axis=0),
        (energy[:, :-1] * energy[:, 1:]).sum(axis=0),
    )
    for layer in range(3):
        for voxel in range(3):
            pair = energy[:, layer, voxel], energy[:, layer + 1, voxel]
            assert found[layer, voxel] == pytest.approx(np.corrcoef(*pair)[0, 1], rel=1e-9)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e6 / 3])
def test_what_never_changes_has_no_correlation_and_is_left_out(constant):
    energy = np.random.default_rng(8).gamma(2, 3, (300, 3))
    energy[:, 1] = constant
    found = layer_correlations(300, energy.sum(axis=0), energy.T @ energy)
    assert np.isnan(found[1]).all()
    assert np.isnan(found[:, 1]).all()
    distance, n_entries = frobenius_distance(found, np.zeros((3, 3)))
    assert n_entries == 4
    assert distance == pytest.approx(np.sqrt(2 + 2 * found[0, 2] ** 2))


def test_frechet_distance_is_the_formula_for_normal_distributions():
    one, other = normal(20_000, 1, shift=0.5), normal(20_000, 2)
    scale = np.abs(other).max(axis=0)
    expected = (0.25 / scale**2).sum()  # all five features are shifted
    distance, error = frechet_distance(one, other)
    assert distance == pytest.approx(expected, rel=0.05)
    assert error < 0.05 * expected


def test_frechet_distance_sees_correlations_that_no_histogram_sees():
    rng = np.random.default_rng(9)
    covariance = [[1, 0.8], [0.8, 1]]
    one = rng.multivariate_normal([4, 4], covariance, 10_000)
    other = rng.multivariate_normal([4, 4], np.eye(2), 10_000)
    # Tr(A + B - 2 sqrt(AB)) with eigenvalues 1.8 and 0.2 against 1 and 1.
    expected = (1 - np.sqrt(1.8)) ** 2 + (1 - np.sqrt(0.2)) ** 2
    scale = np.abs(other).max(axis=0).mean()
    distance, _ = frechet_distance(one, other)
    assert distance == pytest.approx(expected / scale**2, rel=0.1)


def test_frechet_distance_between_equals_is_small_and_not_below_zero():
    near, _ = frechet_distance(normal(5000, 1), normal(5000, 2))
    far, _ = frechet_distance(normal(5000, 1, shift=0.3), normal(5000, 2))
    assert 0 <= near < 0.05 * far


def test_kernel_distance_is_without_bias_and_grows_with_the_shift():
    near, spread = kernel_distance(normal(4000, 1), normal(4000, 2))
    far, _ = kernel_distance(normal(4000, 1, shift=0.5), normal(4000, 2))
    assert abs(near) < 5 * spread
    assert far > 20 * spread


def test_a_feature_that_is_always_zero_does_no_harm():
    one, other = normal(2000, 1), normal(2000, 2)
    one[:, 2] = other[:, 2] = 0
    assert np.isfinite(frechet_distance(one, other)).all()
    assert np.isfinite(kernel_distance(one, other)).all()


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_few_showers_or_other_features_are_refused(distance):
    with pytest.raises(InputError, match="999 showers are too few"):
        distance(normal(999, 1), normal(2000, 2))
    with pytest.raises(InputError, match="give the same columns"):
        distance(normal(2000, 1), normal(2000, 2, n_features=4))


def test_trees_tell_a_shift_and_cannot_tell_equals():
    pytest.importorskip("sklearn")
    equal, error = classifier_auc(normal(400, 1), normal(400, 2))
    assert abs(equal - 0.5) < 5 * error + 0.05
    shifted, _ = classifier_auc(normal(400, 1, shift=1.0), normal(400, 2))
    assert shifted > 0.8
    with pytest.raises(InputError, match="199 showers are too few to train on"):
        classifier_auc(normal(199, 1), normal(400, 2))


def test_samples_with_the_same_primaries_are_not_told_apart_by_them():
    pytest.importorskip("sklearn")
    primaries = normal(300, 1)
    area, error = classifier_auc(primaries, primaries)
    assert area == pytest.approx(0.5, abs=5 * error + 0.03)


def test_a_single_feature_tells_a_shift_and_a_width_whatever_the_primary():
    rng = np.random.default_rng(5)
    primaries = rng.uniform(1, 5, (2, 3000, 2))
    noise = rng.normal(size=(2, 3000, 3))
    features = noise + 20 * primaries[:, :, :1] ** 2 - primaries[:, :, 1:]
    features[0] += [0, 1, 0]
    features[0, :, 2] += noise[0, :, 2]  # twice as wide
    areas = single_feature_auc(*features, *primaries)
    assert areas[0] == pytest.approx(0.5, abs=0.02)
    assert areas[1] == pytest.approx(0.760, abs=0.02)  # of two normal distributions, one apart
    # |x| of two normal distributions: 2 arctan(2) / pi, less what the common scale blurs.
    assert areas[2] == pytest.approx(2 * np.arctan(2) / np.pi, abs=0.02)
