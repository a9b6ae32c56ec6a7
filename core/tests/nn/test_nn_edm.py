"""Diffusion by noise levels: scalings, samplers and loss where the answers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from calozoo_core.errors import InputError
from calozoo_core.nn.edm import edm_loss, hybrid_weight, log_normal_levels
from calozoo_core.nn.numpy_edm import (
    HIGHEST,
    EdmSolver,
    denoiser,
    noise_levels,
    sample,
    time_of,
)
from calozoo_core.typing import Float32Array

MEAN, SPREAD = 0.3, 0.5
SOLVERS: tuple[EdmSolver, ...] = ("angle", "ddim", "dpm", "heun")


def gaussian_network(x: Float32Array, time: float) -> Float32Array:
    """Exact network of data of N(0.3, 0.5): the rest of their posterior mean, scaled."""
    sigma = math.exp(2 * time)
    scale = (1 + sigma**2) ** -0.5
    noisy = x / scale
    data = (SPREAD**2 * noisy + sigma**2 * MEAN) / (SPREAD**2 + sigma**2)
    return np.asarray((data - scale**2 * noisy) / (sigma * scale), np.float32)


def exact_end(noise: Float32Array) -> Float32Array:
    """Where the path from 80 x noise ends for such data."""
    ratio = SPREAD / math.hypot(SPREAD, HIGHEST)
    return np.asarray(MEAN + ratio * (HIGHEST * noise - MEAN), np.float32)


def error(solver: EdmSolver, evaluations: int) -> float:
    noise = np.linspace(-3, 3, 61).astype(np.float32)
    found = sample(gaussian_network, noise, evaluations, solver)
    return float(np.abs(found - exact_end(noise)).max())


def test_a_denoiser_of_a_gaussian_says_the_posterior_mean() -> None:
    x = np.linspace(-4, 4, 9).astype(np.float32)
    for sigma in (0.01, 0.7, 30.0):
        expected = (SPREAD**2 * x + sigma**2 * MEAN) / (SPREAD**2 + sigma**2)
        np.testing.assert_allclose(denoiser(gaussian_network)(x, sigma), expected, atol=1e-5)


def test_a_network_of_zero_is_exact_for_a_standard_normal() -> None:
    """In the angle nothing moves then; straight lines lose spread."""
    noise = np.linspace(-3, 3, 61).astype(np.float32)
    found = {solver: sample(lambda x, t: 0 * x, noise, 4, solver) for solver in SOLVERS}
    np.testing.assert_array_equal(found["angle"], noise)
    assert np.abs(found["ddim"]).max() < 0.9 * np.abs(noise).max()


def test_the_levels_fall_from_the_highest_to_none() -> None:
    levels = noise_levels(18)
    assert (levels[0], levels[-1]) == (pytest.approx(80.0), 0.0)
    assert levels[-2] == pytest.approx(0.002)
    assert (np.diff(levels) < 0).all()
    assert noise_levels(1).tolist() == pytest.approx([80.0, 0.0])


@pytest.mark.parametrize("solver", SOLVERS)
def test_more_evaluations_come_closer_to_the_exact_end(solver: EdmSolver) -> None:
    errors = [error(solver, evaluations) for evaluations in (16, 32, 64)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < {"angle": 0.001, "ddim": 0.1, "dpm": 0.01, "heun": 0.03}[solver]


def test_the_angle_is_best_at_eight_evaluations() -> None:
    errors = {solver: error(solver, 8) for solver in SOLVERS}
    assert min(errors, key=lambda solver: errors[solver]) == "angle"
    assert errors["angle"] < 0.05


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("evaluations", [1, 2, 3, 4, 7, 8])
def test_the_network_is_evaluated_as_often_as_asked_for(
    solver: EdmSolver, evaluations: int
) -> None:
    times: list[float] = []

    def network(x: Float32Array, time: float) -> Float32Array:
        times.append(time)
        return 0 * x

    found = sample(network, np.ones(3, np.float32), evaluations, solver)
    assert len(times) == evaluations
    assert times[0] == pytest.approx(time_of(HIGHEST), abs=1e-6)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_no_evaluation_is_refused() -> None:
    with pytest.raises(InputError, match="at least one evaluation of its network, not 0"):
        sample(gaussian_network, np.zeros(1, np.float32), 0)


def test_the_weight_makes_all_levels_count_alike() -> None:
    """A network of zero has the same loss at every level: that of data or of noise, which is 1."""
    generator = torch.Generator().manual_seed(1)
    noise, data = torch.randn(2, 200_000, 1, generator=generator)
    for level in (0.02, 1.0, 50.0):
        sigma = torch.full((len(data),), level)
        loss = edm_loss(lambda x, t: torch.zeros_like(x), noise, data, sigma)
        assert float(loss) == pytest.approx(1, rel=0.02)
    assert float(hybrid_weight(torch.tensor(2.0))) == 1.25


def test_the_exact_network_of_a_gaussian_has_the_least_loss() -> None:
    generator = torch.Generator().manual_seed(2)
    noise, data = torch.randn(2, 100_000, 1, generator=generator)
    data = MEAN + SPREAD * data
    sigma = log_normal_levels(len(data), generator)

    def exact(x: Tensor, time: Tensor) -> Tensor:
        level = (2 * time).exp()[:, None]
        scale = (1 + level**2).rsqrt()
        mean = (SPREAD**2 * x / scale + level**2 * MEAN) / (SPREAD**2 + level**2)
        return (mean - scale * x) / (level * scale)

    least = float(edm_loss(exact, noise, data, sigma))
    for shift in (-0.2, 0.2):
        other = edm_loss(lambda x, t, by=shift: exact(x, t) + by, noise, data, sigma)  # type: ignore[misc]
        assert float(other) == pytest.approx(least + 0.04, abs=0.004)


def test_levels_of_a_batch_are_log_normal_and_spread_evenly() -> None:
    logs = log_normal_levels(1000, torch.Generator().manual_seed(3), mean=-0.5, spread=2.0).log()
    assert float(logs.mean()) == pytest.approx(-0.5, abs=0.01)
    assert float(logs.std()) == pytest.approx(2.0, abs=0.03)
    normal = torch.special.ndtr((logs + 0.5) / 2)
    assert sorted((1000 * normal).floor().int().tolist()) == list(range(1000))
