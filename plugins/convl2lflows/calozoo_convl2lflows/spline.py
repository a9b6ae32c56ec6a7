"""Rational-quadratic splines with linear tails: the monotone curve in every flow of this model."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad, softmax, softplus

__all__ = ["n_parameters", "slope_at_zero", "spline"]

MIN_SIZE = 1e-3
"""Least width, height and slope of a bin, as a share of the whole."""


def n_parameters(bins: int) -> int:
    """Raw parameters of a spline: widths, heights, and slopes at the inner knots."""
    return 3 * bins - 1


def slope_at_zero(least: float) -> float:
    """What is added to a raw slope, so that raw parameters of zero make the identity."""
    return math.log(math.expm1(1 - least))


def spline(
    x: Tensor, raw: Tensor, bound: float, *, inverse: bool = False, least: float = MIN_SIZE
) -> tuple[Tensor, Tensor]:
    r"""A rational-quadratic spline on [-bound, bound], the identity outside.

    References:
        | Durkan et al., Neural Spline Flows, https://arxiv.org/abs/1906.04032

    Arguments:
        x: Values, any shape.
        raw: Raw parameters, shape (..., 3 * bins - 1); zeros give the identity.
        bound: Where the tails begin.
        inverse: Whether to go the other way.
        least: Least width, height and slope of a bin, as a share of the whole.

    Returns:
        The values behind the spline, and the logarithms of its slope there, in the shape of `x`.
    """
    bins = (raw.shape[-1] + 1) // 3
    widths, heights, slopes = torch.split(raw, [bins, bins, bins - 1], dim=-1)
    widths, heights = _sizes(widths, bound, least), _sizes(heights, bound, least)
    slopes = pad(softplus(slopes + slope_at_zero(least)) + least, (1, 1), value=1.0)
    knots_x, knots_y = _edges(widths, bound), _edges(heights, bound)
    inside = x.abs() < bound
    clamped = x.clamp(-bound, bound)
    knots = knots_y if inverse else knots_x
    index = (clamped.unsqueeze(-1) >= knots[..., 1:-1]).sum(dim=-1, keepdim=True)

    def at(table: Tensor, shift: int = 0) -> Tensor:
        return table.gather(-1, index + shift).squeeze(-1)

    left, width = at(knots_x), at(widths)
    bottom, height = at(knots_y), at(heights)
    low, high = at(slopes), at(slopes, 1)
    rise = height / width
    bend = low + high - 2 * rise
    if inverse:
        theta = _share(clamped - bottom, height, rise, low, bend)
    else:
        theta = (clamped - left) / width
    between = theta * (1 - theta)
    denominator = rise + bend * between
    numerator = rise.square() * (
        high * theta.square() + 2 * rise * between + low * (1 - theta).square()
    )
    log_slope = numerator.log() - 2 * denominator.log()
    if inverse:
        y, log_slope = left + theta * width, -log_slope
    else:
        y = bottom + height * (rise * theta.square() + low * between) / denominator
    return y.where(inside, x), log_slope.where(inside, log_slope.new_zeros(()))


def _share(climbed: Tensor, height: Tensor, rise: Tensor, low: Tensor, bend: Tensor) -> Tensor:
    """Which share of a bin's width lies behind, where so much of its height has been climbed."""
    a = climbed * bend + height * (rise - low)
    b = height * low - climbed * bend
    c = -rise * climbed
    root = (b.square() - 4 * a * c).clamp(min=0).sqrt()
    return (2 * c / (-b - root)).clamp(0, 1)


def _sizes(raw: Tensor, bound: float, least: float) -> Tensor:
    bins = raw.shape[-1]
    return 2 * bound * (least + (1 - least * bins) * softmax(raw, dim=-1))


def _edges(sizes: Tensor, bound: float) -> Tensor:
    return pad(sizes.cumsum(dim=-1), (1, 0)) - bound
