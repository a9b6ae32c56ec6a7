"""Monotone splines in torch: rational-quadratic, cubic and linear rational, element by element.

Every spline takes values of any shape and the raw output of a network, whose shape has one more
axis `dim` for the parameters of an element, and returns new values and the logarithms of the
slopes. It acts on [-bound, bound] and is the identity outside, for each element alone. (The
public CaloINN code lets a whole row pass as soon as one of its elements is outside.)

References:
    | Durkan et al., Neural spline flows: https://arxiv.org/abs/1906.04032
    | Durkan et al., Cubic-spline flows: https://arxiv.org/abs/1906.02145
    | Dolatabadi et al., Invertible generative modeling using linear rational splines:
    | https://arxiv.org/abs/2001.05168
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad, softmax, softplus

from calozoo_core.nn.numpy_spline import (
    MIN_LAMBDA,
    MIN_SIZE,
    SplineKind,
    n_parameters,
    raw_unit_slope,
)

__all__ = [
    "MIN_SIZE",
    "SPLINES",
    "SplineKind",
    "cubic",
    "linear_rational",
    "n_parameters",
    "rational_quadratic",
]


def rational_quadratic(
    x: Tensor,
    raw: Tensor,
    bound: float,
    *,
    inverse: bool = False,
    dim: int = -1,
    least: float = MIN_SIZE,
) -> tuple[Tensor, Tensor]:
    r"""Rational-quadratic spline: a ratio of two parabolas in each bin; slope 1 at both ends.

    Arguments:
        x: Values.
        raw: Raw widths and heights of B bins and slopes at the inner knots, shape of `x` with
            3 B - 1 numbers along `dim`; zeros give the identity.
        bound: Half the width of the interval.
        inverse: Apply the inverse function.
        dim: Axis of the parameters in `raw`.
        least: Least width, height and slope of a bin, as a share of the whole.

    Returns:
        New values and logarithms of the slope there, each in the shape of `x`.

    Example:
        >>> x = torch.tensor([-0.5, 0.2, 7.0])
        >>> y, log_slope = rational_quadratic(x, torch.randn(3, 23), bound=3.0)
        >>> back, _ = rational_quadratic(y, torch.zeros(3, 23), bound=3.0, inverse=True)
        >>> float(y[2]), float(log_slope[2])
        (7.0, 0.0)
    """
    dim = dim % raw.dim()
    bins = (raw.shape[dim] + 1) // 3
    widths, heights, slopes = torch.split(raw, [bins, bins, bins - 1], dim=dim)
    left, bottom = _edges(widths, bound, dim, least), _edges(heights, bound, dim, least)
    slopes = softplus(slopes + raw_unit_slope(least)) + least
    slopes = _padded(slopes, dim, 1.0, 1.0)
    value = x.clamp(-bound, bound)
    at = _picker(value, bottom if inverse else left, dim)
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
        share = (2 * c / (-b - root)).clamp(0, 1)
        out = x0 + share * width
    else:
        share = (value - x0) / width
    mixed = share * (1 - share)
    scale = mean + bend * mixed
    if not inverse:
        out = y0 + height * (mean * share.square() + d0 * mixed) / scale
    top = d1 * share.square() + 2 * mean * mixed + d0 * (1 - share).square()
    log_slope = 2 * mean.log() + top.log() - 2 * scale.log()
    return _identity_outside(x, bound, out, -log_slope if inverse else log_slope)


def cubic(
    x: Tensor, raw: Tensor, bound: float, *, inverse: bool = False, dim: int = -1
) -> tuple[Tensor, Tensor]:
    """Monotone cubic spline, whose slopes at inner knots follow from the bins (Steffen 1990).

    Arguments:
        x: Values.
        raw: Raw widths and heights of B bins and the slopes at both ends, shape of `x` with
            2 B + 2 numbers along `dim`.
        bound: Half the width of the interval.
        inverse: Apply the inverse function.
        dim: Axis of the parameters in `raw`.

    Returns:
        New values and logarithms of the slope there, each in the shape of `x`.
    """
    dim = dim % raw.dim()
    bins = (raw.shape[dim] - 2) // 2
    widths, heights, ends = torch.split(raw, [bins, bins, 2], dim=dim)
    left, bottom = _edges(widths, bound, dim), _edges(heights, bound, dim)
    slopes = _steffen_slopes(left, bottom, ends, dim)
    value = x.clamp(-bound, bound)
    at = _picker(value, bottom if inverse else left, dim)
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
    return _identity_outside(x, bound, out, -log_slope if inverse else log_slope)


def linear_rational(
    x: Tensor, raw: Tensor, bound: float, *, inverse: bool = False, dim: int = -1
) -> tuple[Tensor, Tensor]:
    """Linear rational spline: two pieces in each bin that meet at a knot inside it.

    Its inverse is of the same form and costs the same.

    Arguments:
        x: Values.
        raw: Raw widths and heights of B bins, slopes at the inner knots and positions of the knots
            inside the bins, shape of `x` with 4 B - 1 numbers along `dim`.
        bound: Half the width of the interval.
        inverse: Apply the inverse function.
        dim: Axis of the parameters in `raw`.

    Returns:
        New values and logarithms of the slope there, each in the shape of `x`.
    """
    dim = dim % raw.dim()
    bins = (raw.shape[dim] + 1) // 4
    widths, heights, slopes, lambdas = torch.split(raw, [bins, bins, bins - 1, bins], dim=dim)
    left, bottom = _edges(widths, bound, dim), _edges(heights, bound, dim)
    slopes = _padded(softplus(slopes) + MIN_SIZE, dim, 1 - MIN_SIZE, 1 - MIN_SIZE)
    lambdas = (1 - 2 * MIN_LAMBDA) * torch.sigmoid(lambdas) + MIN_LAMBDA
    value = x.clamp(-bound, bound)
    at = _picker(value, bottom if inverse else left, dim)
    x0, width = at(left), at(left, 1) - at(left)
    y0, y1 = at(bottom), at(bottom, 1)
    d0, d1, knot = at(slopes), at(slopes, 1), at(lambdas)
    weight_top = (d0 / d1).sqrt()
    weight_middle = (knot * d0 + (1 - knot) * weight_top * d1) * width / (y1 - y0)
    middle = (1 - knot) * y0 + knot * weight_top * y1
    middle = middle / ((1 - knot) + knot * weight_top)
    theta = (value - x0) / width
    is_below_knot = value <= middle if inverse else theta <= knot
    end = torch.where(is_below_knot, y0, y1)
    weight = torch.where(is_below_knot, torch.ones_like(value), weight_top)
    span = torch.where(is_below_knot, knot, 1 - knot)
    # The share is 0 at the edge of the bin and 1 at the knot inside it.
    if inverse:
        to_end = weight * (value - end).abs()
        share = to_end / (to_end + weight_middle * (value - middle).abs())
    else:
        share = torch.where(is_below_knot, theta, 1 - theta) / span
    denominator = weight * (1 - share) + weight_middle * share
    if inverse:
        out = x0 + width * torch.where(is_below_knot, span * share, 1 - span * share)
    else:
        out = (weight * end * (1 - share) + weight_middle * middle * share) / denominator
    rise = (middle - end).abs()
    log_slope = (weight * weight_middle * rise / (denominator.square() * span * width)).log()
    return _identity_outside(x, bound, out, -log_slope if inverse else log_slope)


SPLINES: dict[SplineKind, Callable[..., tuple[Tensor, Tensor]]] = {
    "rational-quadratic": rational_quadratic,
    "cubic": cubic,
    "linear-rational": linear_rational,
}
"""Splines by name."""


def _identity_outside(
    x: Tensor, bound: float, out: Tensor, log_slope: Tensor
) -> tuple[Tensor, Tensor]:
    inside = x.abs() < bound
    return torch.where(inside, out, x), torch.where(inside, log_slope, torch.zeros_like(x))


def _edges(raw: Tensor, bound: float, dim: int, least: float = MIN_SIZE) -> Tensor:
    """Edges of the bins, B + 1 along `dim`."""
    bins = raw.shape[dim]
    share = least + (1 - least * bins) * softmax(raw, dim=dim)
    inner = 2 * bound * share.narrow(dim, 0, bins - 1).cumsum(dim=dim) - bound
    # The last edge is the bound itself, whatever the sum is rounded to.
    return _padded(inner, dim, -bound, bound)


def _padded(table: Tensor, dim: int, first: float, last: float) -> Tensor:
    """Table with a constant before and behind it along an axis."""
    zeros = (0, 0) * (table.dim() - 1 - dim)
    return pad(pad(table, (*zeros, 1, 0), value=first), (*zeros, 0, 1), value=last)


def _picker(value: Tensor, edges: Tensor, dim: int) -> Callable[..., Tensor]:
    """Look-up of a table's entry for the bin each value falls into."""
    inner = edges.narrow(dim, 1, edges.shape[dim] - 2)
    index = (value.unsqueeze(dim) >= inner).sum(dim=dim, keepdim=True)

    def at(table: Tensor, shift: int = 0) -> Tensor:
        return table.gather(dim, index + shift).squeeze(dim)

    return at


def _steffen_slopes(left: Tensor, bottom: Tensor, ends: Tensor, dim: int) -> Tensor:
    """Slopes at the knots that keep every cubic rising, B + 1 along `dim`."""
    widths = left.diff(dim=dim)
    mean = bottom.diff(dim=dim) / widths
    inner = widths.shape[dim] - 1
    before, behind = mean.narrow(dim, 0, inner), mean.narrow(dim, 1, inner)
    width_before, width_behind = widths.narrow(dim, 0, inner), widths.narrow(dim, 1, inner)
    weighted = before * width_behind + behind * width_before
    weighted = weighted / (width_behind + width_before)
    slopes = torch.minimum(2 * torch.minimum(before, behind), weighted)
    # Up to three times the mean slope of its bin a cubic still rises.
    first, last = (
        3 * torch.sigmoid(ends.narrow(dim, 0, 1)),
        3 * torch.sigmoid(ends.narrow(dim, 1, 1)),
    )
    outer = first * mean.narrow(dim, 0, 1), last * mean.narrow(dim, inner, 1)
    return torch.cat([outer[0], slopes, outer[1]], dim=dim)


def _cubic_root(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Root t in [0, 1] of a rising a t^3 + b t^2 + c t + d.

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
