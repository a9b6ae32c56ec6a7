"""Diffusion in fixed steps: the cosine schedule's identities, and a Gaussian's exact noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from calozoo_core.errors import InputError
from calozoo_core.nn.ddpm import noise_loss
from calozoo_core.nn.numpy_ddpm import CosineSchedule, sample_ancestral
from calozoo_core.typing import Float32Array

MEAN, SPREAD = 0.7, 0.4
SCHEDULE = CosineSchedule(400)


def exact_noise(x: Float32Array, time: float) -> Float32Array:
    """Mean of the noise in values that come from N(0.7, 0.4)."""
    signal = np.sqrt(1 - time**2)
    variance = (signal * SPREAD) ** 2 + time**2
    return np.asarray(time * (x - signal * MEAN) / variance, np.float32)


def drawn(schedule: CosineSchedule, skip: int) -> Float32Array:
    random = np.random.default_rng(4)

    def fresh() -> Float32Array:
        return random.standard_normal(20_000, np.float32)

    return sample_ancestral(exact_noise, fresh(), schedule, fresh, skip=skip)


def test_the_signal_falls_like_the_square_of_a_cosine() -> None:
    place = np.arange(1, 401) / 400

    def cosine(at: float | np.ndarray) -> np.ndarray:
        return np.cos((at + 0.008) / 1.008 * np.pi / 2) ** 2

    # The last steps are the ones whose variance is bounded.
    np.testing.assert_allclose(SCHEDULE.signal[:-1], (cosine(place) / cosine(0))[:-1], rtol=2e-3)
    assert SCHEDULE.betas.min() >= 1e-4
    assert SCHEDULE.betas.max() == pytest.approx(0.9999)
    assert (np.diff(SCHEDULE.signal) < 0).all()


def test_signal_and_noise_make_up_the_variance() -> None:
    np.testing.assert_allclose(SCHEDULE.signal + SCHEDULE.times**2, 1)
    np.testing.assert_allclose(SCHEDULE.levels**2, 1 / SCHEDULE.signal - 1, rtol=1e-9)
    # A step back takes no more noise away than the step put in, and the last is certain.
    assert (SCHEDULE.posterior_variances <= SCHEDULE.betas).all()
    assert SCHEDULE.posterior_variances[0] == 0


@pytest.mark.parametrize("skip", [0, 2])
def test_the_ancestral_sampler_draws_the_gaussian_whose_noise_it_is_told(skip: int) -> None:
    found = drawn(SCHEDULE, skip)
    assert found.mean() == pytest.approx(MEAN, abs=0.012)
    assert found.std() == pytest.approx(SPREAD, rel=0.03)


def test_the_exact_noise_of_a_gaussian_has_the_least_loss() -> None:
    generator = torch.Generator().manual_seed(5)
    noise, data = torch.randn(2, 100_000, 1, generator=generator)
    data = MEAN + SPREAD * data
    step = torch.randint(400, (len(data),), generator=generator)

    def exact(x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        t = time[:, None]
        signal = (1 - t**2).sqrt()
        return t * (x - signal * MEAN) / ((signal * SPREAD) ** 2 + t**2)

    least = float(noise_loss(exact, noise, data, step, SCHEDULE))
    for shift in (-0.2, 0.2):
        other = noise_loss(lambda x, t, by=shift: exact(x, t) + by, noise, data, step, SCHEDULE)  # type: ignore[misc]
        assert float(other) == pytest.approx(least + 0.04, abs=0.004)


@pytest.mark.parametrize("steps", [0, -3])
def test_a_schedule_without_steps_is_refused(steps: int) -> None:
    with pytest.raises(InputError, match=f"at least one step, not {steps}"):
        CosineSchedule(steps)


@pytest.mark.parametrize("skip", [-1, 5])
def test_a_sampler_that_leaves_out_all_steps_is_refused(skip: int) -> None:
    with pytest.raises(InputError, match="cannot be left out"):
        sample_ancestral(
            exact_noise, np.zeros(2, np.float32), CosineSchedule(5), np.ndarray, skip=skip
        )  # type: ignore[arg-type]
