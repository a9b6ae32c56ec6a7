"""The encoding of a shower's core: there and back, and what becomes of empty rings."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo_core.clumps.core_encoding import (
    EMPTY_MEV,
    core_from,
    layer_ratios,
    layers_from_ratios,
    log_shares,
    primary_condition,
    with_noise,
)
from calozoo_core.incident import Incident
from calozoo_core.nn.standardisation import fit_standardisation
from calozoo_core.typing import Float32Array

N, LAYERS, RINGS = 50, 30, 5


@pytest.fixture
def core() -> Float32Array:
    """Energies of every order of magnitude, three of ten rings empty, and empty layers."""
    random = np.random.default_rng(1)
    energies = random.lognormal(0, 2, (N, LAYERS, RINGS)) + EMPTY_MEV
    energies[random.random(energies.shape) < 0.3] = 0
    energies[:, -2:] = 0
    return energies.astype(np.float32)


def test_a_core_is_the_same_there_and_back(core: Float32Array) -> None:
    random = np.random.default_rng(2)
    energy = np.full(N, 50, np.float32)
    layers = with_noise(core.sum(axis=2), random)
    ratios, shares = layer_ratios(layers, energy), log_shares(with_noise(core, random), layers)
    found = core_from(shares, layers_from_ratios(ratios, energy))
    assert (found[:, -2:] == 0).mean() > 0.98
    # Noise rarely comes near the threshold, and an empty ring that is not has a share of it.
    assert ((found > 0) == (core > 0)).mean() > 0.98
    np.testing.assert_allclose(found.sum(axis=2), core.sum(axis=2), rtol=1e-3, atol=2 * EMPTY_MEV)
    np.testing.assert_allclose(found, core, rtol=2e-2, atol=2 * EMPTY_MEV)


def test_ratios_that_stray_give_no_more_than_the_primary_had() -> None:
    strayed = np.full((2, LAYERS), 1e4, np.float32)
    strayed[1] *= -1
    energy = np.array([10, 10], np.float32)
    found = layers_from_ratios(strayed, energy)
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert found.sum(axis=1).max() <= 10_000 * (1 + 1e-4)


def test_a_layer_with_energy_has_a_ring_with_all_of_it() -> None:
    shares = np.full((1, LAYERS, RINGS), -20, np.float32)
    shares[..., 2] = -19
    found = core_from(shares, np.ones((1, LAYERS), np.float32))
    np.testing.assert_allclose(found[0, :, 2], 1)
    assert not np.delete(found, 2, axis=2).any()


def test_layers_below_the_threshold_are_empty() -> None:
    shares = np.zeros((1, LAYERS, RINGS), np.float32)
    assert not core_from(shares, np.full((1, LAYERS), EMPTY_MEV / 2, np.float32)).any()


def test_standardisation_takes_mean_and_spread_out_where_they_follow_the_features() -> None:
    random = np.random.default_rng(3)
    slope = random.uniform(-1, 1, (5000, 1)).astype(np.float32)
    features = np.stack([np.ones_like(slope), slope], axis=2)
    noise = random.standard_normal((5000, 2))
    values = (3 + 2 * slope + 0.1 * np.exp(slope) * noise).astype(np.float32)
    scale = fit_standardisation(values, features)
    standard = scale.apply(values, features)
    np.testing.assert_allclose(scale.invert(standard, features), values, rtol=1e-4)
    for part in (slope[:, 0] < 0, slope[:, 0] > 0):
        np.testing.assert_allclose(standard[part].mean(axis=0), 0, atol=0.1)
        np.testing.assert_allclose(standard[part].std(axis=0), 1, atol=0.1)
    np.testing.assert_allclose(scale.mean, [[3, 2], [3, 2]], atol=0.02)


def test_mirrored_primaries_have_the_same_condition() -> None:
    direction = np.array([[0.3, 0.2, 0.9], [-0.3, 0.2, 0.9]])
    one, two = primary_condition(Incident(np.array([20.0, 20.0]), direction))
    np.testing.assert_array_equal(one, two)
