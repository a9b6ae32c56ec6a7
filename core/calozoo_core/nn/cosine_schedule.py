r"""Cosine schedule of a diffusion, and its deterministic sampler for networks that predict v.

Between data x and noise e lies

.. math:: z_t = \alpha_t x + \sigma_t e, \quad \alpha_t = \cos\theta_t, \quad
    \sigma_t = \sin\theta_t,

with an angle that grows linearly with the time t. A network predicts the velocity
:math:`v = \alpha_t e - \sigma_t x`, which is how z changes with the angle. So a step of DDIM is a
rotation of (z, v), and nothing is divided by a small number.

References:
    | Progressive distillation: https://arxiv.org/abs/2202.00512
    | CaloScore v2: https://arxiv.org/abs/2308.03847
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Final

import numpy as np

from calozoo_core.errors import InputError
from calozoo_core.typing import Float32Array

__all__ = ["LARGEST_LOG_SNR", "angle", "ddim", "log_snr"]

LARGEST_LOG_SNR: Final = 20.0
"""Logarithm of the signal-to-noise ratio at time 0, and its negative at time 1."""

START: Final = math.atan(math.exp(-LARGEST_LOG_SNR / 2))
"""Angle at time 0."""

Velocity = Callable[[Float32Array, float], Float32Array]
"""Function of values and a time, which is 0 for data and 1 for noise, to v."""


def angle(time: float) -> float:
    """Angle at a time, whose cosine is alpha and whose sine is sigma.

    Arguments:
        time: 0 for data, 1 for noise.

    Example:
        >>> round(angle(0.5), 6) == round(math.pi / 4, 6)
        True
    """
    return START + (math.pi / 2 - 2 * START) * time


def log_snr(time: float) -> float:
    """Logarithm of the signal-to-noise ratio alpha^2 / sigma^2, from 20 at time 0 to -20 at 1.

    Arguments:
        time: 0 for data, 1 for noise.

    Example:
        >>> round(log_snr(0), 6), round(log_snr(1), 6)
        (20.0, -20.0)
    """
    return -2 * math.log(math.tan(angle(time)))


def ddim(velocity: Velocity, noise: Float32Array, steps: int) -> Float32Array:
    """Data that a network's velocities lead to from noise, in steps of equal time.

    The last step ends at what the network takes the data to be.

    Arguments:
        velocity: Network, its condition given.
        noise: Standard normal, any shape.
        steps: Number of steps; each evaluates the network once.

    Raises:
        InputError: If there is no step.

    Example:
        >>> noise = np.ones(1, np.float32)
        >>> ddim(lambda z, time: -3 * np.ones_like(z), noise, 1).round(3).tolist()
        [3.0]
    """
    if steps < 1:
        msg = f"A diffusion takes at least one step, not {steps}."
        raise InputError(msg, argument="steps")
    z = noise
    for now, later in pairwise(range(steps, -1, -1)):
        turn = angle(now / steps) - (angle(later / steps) if later else 0)
        v = velocity(z, now / steps)
        z = np.float32(math.cos(turn)) * z - np.float32(math.sin(turn)) * v
    return z
