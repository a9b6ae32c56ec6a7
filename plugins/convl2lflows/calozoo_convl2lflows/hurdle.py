"""Densities of what is often exactly zero: the hurdle first, then a conditional spline."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from calozoo_convl2lflows.spline import n_parameters, spline

__all__ = ["Density", "hurdle_log_prob", "hurdle_noise", "log_deposit"]

BOUND = 5.0
"""The splines act within five standard deviations."""

LARGEST_LOG_SCALE = 7.0

LOG_2_PI = math.log(2 * math.pi)


def log_deposit(energy: Tensor, floor: float) -> Tensor:
    """ln(1 + e / floor): 0 for nothing, nearly linear below the floor, logarithmic above."""
    return torch.log1p(energy / floor)


class Density(nn.Module):
    """A number given what is known about it: shifted and scaled, then bent by a spline.

    From data to noise; the noise is standard normal.

    Arguments:
        features: Width of what is known.
        bins: Bins of the spline.
        mean: What the numbers are like before anything is known.
        std: Their spread then.
    """

    def __init__(self, features: int, bins: int, mean: float = 0.0, std: float = 1.0) -> None:
        super().__init__()
        self.head = nn.Linear(features, 2 + n_parameters(bins))
        self.mean, self.std = mean, std
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def to_noise(self, value: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """The noise behind a number, and the log-slope of that, shapes (n,) from (n, features)."""
        shift, log_scale, raw = self._parameters_of(known)
        scaled = ((value - self.mean) / self.std - shift) * (-log_scale).exp()
        noise, log_slope = spline(scaled, raw, BOUND)
        return noise, log_slope - log_scale - math.log(self.std)

    def to_value(self, noise: Tensor, known: Tensor) -> Tensor:
        """The number that this noise becomes, shape (n,)."""
        shift, log_scale, raw = self._parameters_of(known)
        scaled, _ = spline(noise, raw, BOUND, inverse=True)
        return (scaled * log_scale.exp() + shift) * self.std + self.mean

    def log_prob(self, value: Tensor, known: Tensor) -> Tensor:
        """Log-density of numbers, shape (n,)."""
        noise, log_slope = self.to_noise(value, known)
        return log_slope - 0.5 * (noise.square() + LOG_2_PI)

    def _parameters_of(self, known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        raw = self.head(known)
        return raw[..., 0], raw[..., 1].clamp(-LARGEST_LOG_SCALE, LARGEST_LOG_SCALE), raw[..., 2:]


def hurdle_log_prob(logit: Tensor, hit: Tensor) -> Tensor:
    """Log-probability of what is hit and what is empty, where `logit` is that of being hit."""
    return torch.where(hit, logsigmoid(logit), logsigmoid(-logit))


def hurdle_noise(logit: Tensor, hit: Tensor, normal: Tensor, inside: Tensor) -> Tensor:
    """The uniform noise, float64, behind what is hit and what is empty.

    Empty is what lies below 1 - p, where p is the probability of a hit, anywhere there: that is the
    dequantisation of nothing. What is left above is stretched over the noise of the deposits.

    Arguments:
        logit: Of being hit, any shape.
        hit: Which are hit, in the same shape.
        normal: Standard normal noise of the deposits of those, shape (hits,).
        inside: Where below the hurdle what is empty lies, in (0, 1), in the shape of `logit`.
    """
    empty = torch.sigmoid(-logit.double())
    above = torch.sigmoid(logit[hit].double()) * torch.special.ndtr(normal.double())
    return (inside * empty).masked_scatter(hit, empty[hit] + above)
