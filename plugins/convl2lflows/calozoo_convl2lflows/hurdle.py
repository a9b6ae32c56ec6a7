"""Hurdle densities: a probability of zero, and a conditional spline density of what is not zero.

In torch, as training uses them; `densities` has them in numpy.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from calozoo_convl2lflows.densities import BOUND, LARGEST_LOG_SCALE
from calozoo_core.nn.mlp import zero_init
from calozoo_core.nn.spline import n_parameters, rational_quadratic

__all__ = [
    "Density",
    "hurdle_log_prob",
    "hurdle_noise",
    "log_deposit",
]

LOG_2_PI = math.log(2 * math.pi)


def log_deposit(energy: Tensor, floor: float) -> Tensor:
    """Logarithmic deposit ln(1 + e / floor), nearly linear below the floor."""
    return torch.log1p(energy / floor)


class Density(nn.Module):
    """Density of a number given features: shifted, scaled, and transformed by a spline.

    Noise is standard normal.

    Arguments:
        features: Number of features.
        bins: Number of bins of the spline.
        mean: Mean of the numbers before training.
        std: Standard deviation of the numbers before training.
    """

    def __init__(self, features: int, bins: int, mean: float = 0.0, std: float = 1.0) -> None:
        super().__init__()
        self.head = zero_init(nn.Linear(features, 2 + n_parameters(bins)))
        self.mean, self.std = mean, std

    def to_noise(self, value: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Noise of numbers, and the logarithmic slopes of it, shapes (n,).

        Arguments:
            value: The numbers, shape (n,).
            features: Shape (n, features).
        """
        shift, log_scale, raw = self._spline_parameters(features)
        scaled = ((value - self.mean) / self.std - shift) * (-log_scale).exp()
        noise, log_slope = rational_quadratic(scaled, raw, BOUND)
        return noise, log_slope - log_scale - math.log(self.std)

    def to_value(self, noise: Tensor, features: Tensor) -> Tensor:
        """Numbers of standard normal noise, shape (n,)."""
        shift, log_scale, raw = self._spline_parameters(features)
        scaled, _ = rational_quadratic(noise, raw, BOUND, inverse=True)
        return (scaled * log_scale.exp() + shift) * self.std + self.mean

    def log_prob(self, value: Tensor, features: Tensor) -> Tensor:
        """Log-density of numbers, shape (n,)."""
        noise, log_slope = self.to_noise(value, features)
        return log_slope - 0.5 * (noise.square() + LOG_2_PI)

    def _spline_parameters(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        raw = self.head(features)
        return raw[..., 0], raw[..., 1].clamp(-LARGEST_LOG_SCALE, LARGEST_LOG_SCALE), raw[..., 2:]


def hurdle_log_prob(logit: Tensor, is_hit: Tensor) -> Tensor:
    """Log-probability of hit and empty elements.

    Arguments:
        logit: Logit of being hit, any shape.
        is_hit: Elements that are hit, in the same shape.
    """
    return torch.where(is_hit, logsigmoid(logit), logsigmoid(-logit))


def hurdle_noise(logit: Tensor, is_hit: Tensor, normal: Tensor, fraction: Tensor) -> Tensor:
    """Uniform noise of hit and empty elements, float64, in the shape of `logit`.

    Noise below 1 - p, where p is the probability of a hit, makes an empty element, which is the
    dequantisation of zeros. The rest is stretched over the noise of the deposits.

    Arguments:
        logit: Logit of being hit, any shape.
        is_hit: Elements that are hit, in the same shape.
        normal: Standard normal noise of their deposits, shape (hits,).
        fraction: Position of empty elements below the hurdle, in (0, 1), in the shape of `logit`.
    """
    empty = torch.sigmoid(-logit.double())
    above = torch.sigmoid(logit[is_hit].double()) * torch.special.ndtr(normal.double())
    return (fraction * empty).masked_scatter(is_hit, empty[is_hit] + above)
