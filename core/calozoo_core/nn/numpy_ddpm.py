"""Diffusion in fixed steps (DDPM) in numpy: the cosine schedule and the ancestral sampler.

References:
    | Ho, Jain and Abbeel, Denoising diffusion probabilistic models: https://arxiv.org/abs/2006.11239
    | Nichol and Dhariwal, Improved denoising diffusion: https://arxiv.org/abs/2102.09672
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, cast

import numpy as np

from calozoo_core.errors import InputError
from calozoo_core.typing import Float32Array, FloatArray

__all__ = ["CosineSchedule", "sample_ancestral"]

OFFSET: Final = 0.008
"""Keeps the first steps from being too small."""

BETAS: Final = (1e-4, 0.9999)
"""Least and largest part of the variance that is replaced by noise in a step."""

NoiseNetwork = Callable[[Float32Array, float], Float32Array]
"""Function of noisy values and a time, the part of the noise, to that noise."""


@dataclass(frozen=True)
class CosineSchedule:
    """Schedule of noise whose remaining signal falls like the square of a cosine.

    Arguments:
        steps: Number of steps from data to noise.

    Raises:
        InputError: If there is no step.

    Example:
        >>> CosineSchedule(4).signal.round(3).tolist()
        [0.847, 0.494, 0.144, 0.0]
    """

    steps: int = 400

    def __post_init__(self) -> None:
        if self.steps < 1:
            msg = f"A diffusion takes at least one step, not {self.steps}."
            raise InputError(msg, argument="steps")

    @cached_property
    def betas(self) -> FloatArray:
        """Part of the variance that each step replaces by noise, shape (steps,)."""
        place = np.arange(self.steps + 1) / self.steps
        signal = np.cos((place + OFFSET) / (1 + OFFSET) * np.pi / 2) ** 2
        betas: FloatArray = np.clip(1 - signal[1:] / signal[:-1], *BETAS)
        return betas

    @cached_property
    def signal(self) -> FloatArray:
        """Part of the variance that is data after each step, shape (steps,)."""
        return np.asarray(np.cumprod(1 - self.betas), np.float64)

    @cached_property
    def times(self) -> FloatArray:
        """Time that a network is given at each step: how much noise there is, shape (steps,)."""
        return np.sqrt(1 - self.signal)

    @cached_property
    def levels(self) -> FloatArray:
        """Noise over signal after each step, the noise level of EDM, shape (steps,)."""
        return np.sqrt((1 - self.signal) / self.signal)

    @cached_property
    def posterior_variances(self) -> FloatArray:
        """Variance of values before a step, given those after it and the data, shape (steps,)."""
        before = np.append(1.0, self.signal[:-1])
        variances: FloatArray = self.betas * (1 - before) / (1 - self.signal)
        return variances


def sample_ancestral(
    network: NoiseNetwork,
    noise: Float32Array,
    schedule: CosineSchedule,
    fresh: Callable[[], Float32Array],
    *,
    skip: int = 0,
) -> Float32Array:
    """Data drawn by a network that predicts noise, step by step, each with noise of its own.

    Arguments:
        network: Network.
        noise: Standard normal, any shape.
        schedule: Schedule of the noise.
        fresh: Draws standard normal numbers of the same shape.
        skip: Steps left out at the noisiest end.

    Raises:
        InputError: If no step is left.
    """
    if not 0 <= skip < schedule.steps:
        msg = f"Of {schedule.steps} steps of a diffusion {skip} cannot be left out."
        raise InputError(msg, argument="skip")
    x = noise
    for step in range(schedule.steps - 1 - skip, -1, -1):
        beta = schedule.betas[step]
        predicted = network(x, float(schedule.times[step]))
        mean = (x - beta / schedule.times[step] * predicted) / np.sqrt(1 - beta)
        if step:
            mean = mean + np.sqrt(schedule.posterior_variances[step]) * fresh()
        x = cast(Float32Array, np.asarray(mean, np.float32))
    return x
