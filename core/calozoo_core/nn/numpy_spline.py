"""Monotone splines in numpy, as generation uses them: one direction, values only.

The splines of `calozoo_core.nn.spline`, which says what their raw parameters are. A flow for one
shower is a hundred operations on a few numbers, and torch takes several microseconds to begin one
where numpy takes one.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from calozoo_core.kernels import use_compiled
from calozoo_core.typing import Float32Array

__all__ = [
    "MIN_LAMBDA",
    "MIN_SIZE",
    "SplineKind",
    "inverse_rational_quadratic",
    "linear_rational",
    "n_parameters",
    "raw_unit_slope",
]

SplineKind = Literal["rational-quadratic", "cubic", "linear-rational"]

MIN_SIZE = 1e-3
"""Least width and height of a bin, as a share of the interval, and least slope at a knot."""

_MOST_BINS = 128
"""Bins of a spline that compiled kernels have room for."""

MIN_LAMBDA = 0.025
"""Least distance of the knot inside a bin of a linear rational spline from the bin's edges."""


def n_parameters(bins: int, kind: SplineKind = "rational-quadratic") -> int:
    """Number of raw parameters of an element.

    Example:
        >>> n_parameters(10), n_parameters(10, "cubic"), n_parameters(8, "linear-rational")
        (29, 22, 31)
    """
    if kind == "cubic":
        return 2 * bins + 2
    return (3 if kind == "rational-quadratic" else 4) * bins - 1


def raw_unit_slope(least: float = MIN_SIZE) -> float:
    """Raw parameter that makes a slope of 1: the inverse of softplus at `1 - least`."""
    return math.log(math.expm1(1 - least))


def inverse_rational_quadratic(y: Float32Array, raw: Float32Array, bound: float) -> Float32Array:
    """Inverse of a rational-quadratic spline, `rational_quadratic(..., inverse=True, dim=1)`.

    Arguments:
        y: Values, shape (n, m).
        raw: Raw widths, heights and inner slopes of B bins, shape (n, 3 B - 1, m), contiguous.
        bound: Half the width of the interval; the spline is the identity outside.

    Returns:
        Values, shape (n, m).
    """
    n, parameters, m = raw.shape
    bins, limit = (parameters + 1) // 3, np.float32(bound)
    sizes = np.exp(raw[:, : 2 * bins].reshape(n, 2, bins, m))
    if bins <= _MOST_BINS and use_compiled():
        return _compiled_inverse(y, sizes, raw, bound)
    sizes *= (2 * limit * np.float32(1 - MIN_SIZE * bins)) / sizes.sum(axis=2, keepdims=True)
    sizes += 2 * limit * np.float32(MIN_SIZE)
    edges = np.empty((n, 2, bins + 1, m), np.float32)
    edges[:, :, 0] = 0
    np.cumsum(sizes, axis=2, out=edges[:, :, 1:])
    height_at = np.minimum(np.maximum(y, -limit), limit) + limit
    index = (height_at[:, None] >= edges[:, 1, 1:-1]).sum(axis=1, dtype=np.intp)
    # Slopes are computed at the two knots of the bin a value lies in; the outermost are 1.
    row, column = np.arange(n)[:, None], np.arange(m)
    at = row * (parameters * m) + column + (2 * bins - 1 + index) * m
    flat = raw.reshape(-1)
    d0 = np.where(index > 0, _slope(flat.take(at, mode="clip")), np.float32(1))
    at += m
    d1 = np.where(index < bins - 1, _slope(flat.take(at, mode="clip")), np.float32(1))
    at = row * (2 * bins * m) + column + index * m
    width = sizes.reshape(-1).take(at)
    height = sizes.reshape(-1).take(at + bins * m)
    at += row * 2 * m  # a row of edges is longer by one in each half
    left = edges.reshape(-1).take(at)
    rise = height_at - edges.reshape(-1).take(at + (bins + 1) * m)
    mean = height / width
    bend = rise * (d0 + d1 - 2 * mean)
    a = height * (mean - d0) + bend
    b = height * d0 - bend
    c = mean * rise
    root = np.sqrt(np.maximum(b * b + 4 * a * c, 0))
    x = np.minimum(np.maximum(2 * c / (b + root), 0), 1) * width + left - limit
    inside: Float32Array = np.where(np.abs(y) < limit, x, y)
    return inside


def _compiled_inverse(
    y: Float32Array, sizes: Float32Array, raw: Float32Array, bound: float
) -> Float32Array:
    from calozoo_core.kernels import _compiled

    n, parameters, m = raw.shape
    y = np.ascontiguousarray(y, np.float32)
    bins, bin_of = (parameters + 1) // 3, np.empty((4, n, m), np.float32)
    slopes = np.empty((2, n, m), np.float32)
    ends, x = np.empty((n, m), np.uint8), np.empty((n, m), np.float32)
    raw = np.ascontiguousarray(raw)
    _compiled.spline_bins(y, sizes, raw, bin_of, slopes, ends, bins, m, bound)
    _compiled.spline_inverse(y, bin_of, _slope(slopes), ends, x, bound)
    return x


def linear_rational(x: Float32Array, raw: Float32Array, bound: float) -> Float32Array:
    """Linear rational spline, `spline.linear_rational(..., dim=1)`.

    Arguments:
        x: Values, shape (n, m).
        raw: Raw widths, heights, inner slopes and inner knots of B bins, shape (n, 4 B - 1, m).
        bound: Half the width of the interval; the spline is the identity outside.

    Returns:
        Values, shape (n, m).
    """
    n, parameters, m = raw.shape
    bins, limit = (parameters + 1) // 4, np.float32(bound)
    sizes = np.exp(raw[:, : 2 * bins].reshape(n, 2, bins, m))
    sizes /= sizes.sum(axis=2, keepdims=True)
    sizes = 2 * limit * (MIN_SIZE + (1 - MIN_SIZE * bins) * sizes)
    edges = np.full((n, 2, bins + 1, m), -limit, np.float32)
    edges[:, :, 1:] += np.cumsum(sizes, axis=2)
    index = (x[:, None] >= edges[:, 0, 1:-1]).sum(axis=1)
    rows, columns = np.arange(n)[:, None], np.arange(m)
    # Slopes and inner knot are computed in the bin a value lies in; the outermost slopes are fixed.
    left = _softplus(raw[rows, 2 * bins - 1 + index, columns]) + MIN_SIZE
    left_slope = np.where(index > 0, left, np.float32(1 - MIN_SIZE))
    right = _softplus(raw[rows, 2 * bins + index, columns]) + MIN_SIZE
    right_slope = np.where(index < bins - 1, right, np.float32(1 - MIN_SIZE))
    raw_knot = raw[rows, 3 * bins - 1 + index, columns]
    knot = (1 - 2 * MIN_LAMBDA) / (1 + np.exp(-raw_knot)) + MIN_LAMBDA
    bottom, top = edges[rows, 1, index, columns], edges[rows, 1, index + 1, columns]
    width = sizes[rows, 0, index, columns]
    theta = (x - edges[rows, 0, index, columns]) / width
    weight_top = np.sqrt(left_slope / right_slope)
    slope = (top - bottom) / width
    middle_weight = (knot * left_slope + (1 - knot) * weight_top * right_slope) / slope
    middle = (1 - knot) * bottom + knot * weight_top * top
    middle /= (1 - knot) + knot * weight_top
    is_below_knot = theta <= knot
    near, far = np.abs(theta - knot), np.where(is_below_knot, theta, 1 - theta)
    end_weight = np.where(is_below_knot, np.float32(1), weight_top) * near
    inner_weight = middle_weight * far
    y = end_weight * np.where(is_below_knot, bottom, top) + inner_weight * middle
    y /= end_weight + inner_weight
    inside: Float32Array = np.where(np.abs(x) < limit, y, x).astype(np.float32)
    return inside


def _slope(raw: Float32Array) -> Float32Array:
    slope: Float32Array = _softplus(raw + np.float32(raw_unit_slope())) + np.float32(MIN_SIZE)
    return slope


def _softplus(x: Float32Array) -> Float32Array:
    """Function ln(1 + e^x), which is x itself in single precision above 30."""
    softplus: Float32Array = np.maximum(np.log1p(np.exp(np.minimum(x, np.float32(30)))), x)
    return softplus
