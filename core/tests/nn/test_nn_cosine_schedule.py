"""The cosine schedule, and its deterministic sampler on laws whose v is known exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from calozoo_core.errors import InputError
from calozoo_core.nn.cosine_schedule import angle, ddim, log_snr
from calozoo_core.typing import Float32Array

MEAN, SPREAD = 1.5, 0.5


def gaussian_velocity(z: Float32Array, time: float) -> Float32Array:
    """Exact v of data that are N(1.5, 0.5)."""
    alpha, sigma = math.cos(angle(time)), math.sin(angle(time))
    gain = alpha * SPREAD**2 / (alpha**2 * SPREAD**2 + sigma**2)
    data = MEAN + gain * (z.astype(np.float64) - alpha * MEAN)
    return np.asarray((alpha * z - data) / sigma, np.float32)


@pytest.mark.parametrize("time", [0.0, 0.1, 0.5, 0.77, 1.0])
def test_cosine_and_sine_are_the_published_alpha_and_sigma(time: float) -> None:
    """logSNR = -2 ln tan(a t + b) with limits of 20, alpha^2 and sigma^2 its sigmoids."""
    b = math.atan(math.exp(-10))
    a = math.atan(math.exp(10)) - b
    ratio = -2 * math.log(math.tan(a * time + b))
    assert log_snr(time) == pytest.approx(ratio)
    assert math.cos(angle(time)) == pytest.approx(math.sqrt(1 / (1 + math.exp(-ratio))))
    assert math.sin(angle(time)) == pytest.approx(math.sqrt(1 / (1 + math.exp(ratio))))


def test_noise_and_data_change_places_in_the_middle() -> None:
    for time in (0.0, 0.2, 0.45):
        assert log_snr(time) == pytest.approx(-log_snr(1 - time))
        assert math.cos(angle(time)) == pytest.approx(math.sin(angle(1 - time)))


def test_a_step_is_the_published_one() -> None:
    """x0 = alpha z - sigma v, e = (z - alpha x0) / sigma, z' = alpha' x0 + sigma' e."""
    z, v = (np.array([value], np.float32) for value in (0.7, -1.1))
    steps, found = 5, []

    def velocity(at: Float32Array, time: float) -> Float32Array:
        found.append(float(at[0]))
        return v

    last = ddim(velocity, z, steps)
    at = float(z[0])
    for number in range(steps, 0, -1):
        assert found[steps - number] == pytest.approx(at, abs=1e-5)
        now, later = angle(number / steps), angle((number - 1) / steps)
        data = math.cos(now) * at - math.sin(now) * float(v[0])
        noise = (at - math.cos(now) * data) / math.sin(now)
        at = math.cos(later) * data + math.sin(later) * noise
    assert float(last[0]) == pytest.approx(data, abs=1e-5)


def error(steps: int) -> float:
    """Largest distance from the exact end of the path, which is mean + spread x noise."""
    noise = np.linspace(-3, 3, 101).astype(np.float32)
    return float(np.abs(ddim(gaussian_velocity, noise, steps) - (MEAN + SPREAD * noise)).max())


def test_a_gaussian_is_drawn_the_better_the_more_steps_there_are() -> None:
    assert error(64) < 0.04
    assert error(16) / error(64) == pytest.approx(4, rel=0.2)


def test_one_step_from_noise_is_the_mean() -> None:
    noise = np.linspace(-3, 3, 7).astype(np.float32)
    np.testing.assert_allclose(ddim(gaussian_velocity, noise, 1), MEAN, atol=1e-3)


def test_no_step_is_refused() -> None:
    with pytest.raises(InputError, match="at least one step, not 0"):
        ddim(gaussian_velocity, np.zeros(1, np.float32), 0)
