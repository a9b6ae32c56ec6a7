"""Monotone splines, element by element: rational-quadratic and cubic, the identity beyond a bound.

Every function takes the raw output of a network, shape (n, K, m), for values of shape (n, m), and
returns new values and the logarithms of the slopes, both of shape (n, m). The bound holds for each
element alone: one element beyond it passes as it is and leaves its neighbours to the spline. (The
public CaloINN code lets a whole row pass as soon as one of its elements is beyond.)

References:
    | Durkan et al., Neural spline flows: https://arxiv.org/abs/1906.04032
    | Durkan et al., Cubic-spline flows: https://arxiv.org/abs/1906.02145
    | CaloINN, section 3: https://arxiv.org/abs/2312.09290
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad, softmax, softplus

__all__ = ["MIN_SIZE", "cubic", "parameters_per_element", "rational_quadratic"]

MIN_SIZE = 1e-3
"""Least share of a bin in the interval, and least slope at a knot."""

UNIT_SLOPE = math.log(math.expm1(1 - MIN_SIZE))
"""What the network says where the slope is to be 1."""

Spline = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def parameters_per_element(kind: str, bins: int) -> int:
    """How many numbers a spline needs for each element: 3 B - 1, or 2 B + 2 if it is cubic."""
    return 3 * bins - 1 if kind == "rational-quadratic" else 2 * bins + 2


def rational_quadratic(
    x: Tensor, raw: Tensor, bound: float, *, inverse: bool = False
) -> tuple[Tensor, Tensor]:
    """Bins in [-bound, bound] with a ratio of two parabolas in each; the slope is 1 at the ends.

    Arguments:
        x: Values, shape (n, m).
        raw: Widths, heights and inner slopes of B bins before they are made positive, shape
            (n, 3 B - 1, m).
        bound: Where the identity begins.
        inverse: Go the other way.
    """
    bins = (raw.shape[1] + 1) // 3
    widths, heights, slopes = raw.split([bins, bins, bins - 1], dim=1)
    left, bottom = _edges(widths, bound), _edges(heights, bound)
    slopes = pad(softplus(slopes + UNIT_SLOPE) + MIN_SIZE, (0, 0, 1, 1), value=1.0)
    inside = x.abs() < bound
    value = torch.where(inside, x, torch.zeros_like(x))
    at = _picker(value, bottom if inverse else left)
    x0, width = at(left), at(left, 1) - at(left)
    y0, height = at(bottom), at(bottom, 1) - at(bottom)
    d0, d1, mean = at(slopes), at(slopes, 1), height / width
    bend = d0 + d1 - 2 * mean
    if inverse:
        rise = value - y0
        a = height * (mean - d0) + rise * bend
        b = height * d0 - rise * bend
        c = -mean * rise
        root = (b.square() - 4 * a * c).clamp_min(0).sqrt()
        share = 2 * c / (-b - root)
        out = x0 + share * width
    else:
        share = (value - x0) / width
    mixed = share * (1 - share)
    scale = mean + bend * mixed
    if not inverse:
        out = y0 + height * (mean * share.square() + d0 * mixed) / scale
    top = d1 * share.square() + 2 * mean * mixed + d0 * (1 - share).square()
    log_slope = 2 * mean.log() + top.log() - 2 * scale.log()
    zero = torch.zeros_like(x)
    log_slope = torch.where(inside, -log_slope if inverse else log_slope, zero)
    return torch.where(inside, out, x), log_slope


def cubic(x: Tensor, raw: Tensor, bound: float, *, inverse: bool = False) -> tuple[Tensor, Tensor]:
    """Bins in [-bound, bound] with a cubic in each; slopes at inner knots follow from the bins.

    Arguments:
        x: Values, shape (n, m).
        raw: Widths and heights of B bins and the slopes at both ends, before they are made
            positive, shape (n, 2 B + 2, m).
        bound: Where the identity begins.
        inverse: Go the other way.
    """
    bins = (raw.shape[1] - 2) // 2
    widths, heights, ends = raw.split([bins, bins, 2], dim=1)
    left, bottom = _edges(widths, bound), _edges(heights, bound)
    slopes = _steffen(left, bottom, ends)
    inside = x.abs() < bound
    value = torch.where(inside, x, torch.zeros_like(x))
    at = _picker(value, bottom if inverse else left)
    x0, width = at(left), at(left, 1) - at(left)
    y0, height = at(bottom), at(bottom, 1) - at(bottom)
    # y = y0 + a t^3 + b t^2 + c t, with t from 0 to 1 across the bin
    c, last = at(slopes) * width, at(slopes, 1) * width
    a, b = c + last - 2 * height, 3 * height - 2 * c - last
    if inverse:
        share = _cubic_root(a, b, c, y0 - value)
        out = x0 + share * width
    else:
        share = (value - x0) / width
        out = y0 + share * (c + share * (b + share * a))
    log_slope = ((c + share * (2 * b + 3 * share * a)).clamp_min(1e-12) / width).log()
    zero = torch.zeros_like(x)
    log_slope = torch.where(inside, -log_slope if inverse else log_slope, zero)
    return torch.where(inside, out, x), log_slope


def _edges(raw: Tensor, bound: float) -> Tensor:
    """Where the bins begin and end, shape (n, B + 1, m)."""
    share = MIN_SIZE + (1 - MIN_SIZE * raw.shape[1]) * softmax(raw, dim=1)
    # The last edge is the bound itself, whatever the sum is rounded to.
    return pad(
        pad(2 * bound * share[:, :-1].cumsum(dim=1) - bound, (0, 0, 1, 0), value=-bound),
        (0, 0, 0, 1),
        value=bound,
    )


def _picker(value: Tensor, edges: Tensor) -> Callable[..., Tensor]:
    """Looks up the entry of a table for the bin each value falls into."""
    index = (value.unsqueeze(1) >= edges[:, 1:-1]).sum(dim=1, keepdim=True)

    def at(table: Tensor, shift: int = 0) -> Tensor:
        return table.gather(1, index + shift).squeeze(1)

    return at


def _steffen(left: Tensor, bottom: Tensor, ends: Tensor) -> Tensor:
    """Slopes at the knots that keep every cubic rising (Steffen 1990), shape (n, B + 1, m)."""
    widths = left.diff(dim=1)
    mean = bottom.diff(dim=1) / widths
    before, behind = mean[:, :-1], mean[:, 1:]
    weighted = before * widths[:, 1:] + behind * widths[:, :-1]
    weighted = weighted / (widths[:, 1:] + widths[:, :-1])
    inner = torch.minimum(2 * torch.minimum(before, behind), weighted)
    # Up to three times the mean slope of its bin a cubic still rises.
    outer = 3 * torch.sigmoid(ends) * torch.cat([mean[:, :1], mean[:, -1:]], dim=1)
    return torch.cat([outer[:, :1], inner, outer[:, 1:]], dim=1)


def _cubic_root(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """The t in [0, 1] at which a rising a t^3 + b t^2 + c t + d is 0.

    Newton's steps, kept between ends that close in; a closed form loses digits where a is small.
    """
    low, high = torch.zeros_like(d), torch.ones_like(d)
    t = (-d / (a + b + c)).clamp(0, 1)
    for _ in range(30):
        value = d + t * (c + t * (b + t * a))
        low, high = torch.where(value < 0, t, low), torch.where(value < 0, high, t)
        step = t - value / (c + t * (2 * b + t * 3 * a)).clamp_min(1e-12)
        t = torch.where((step > low) & (step < high), step, (low + high) / 2)
    return t
