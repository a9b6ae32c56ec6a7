"""Conditional spline densities and logistic hurdles in numpy, as generation uses them.

A layer of one shower has a few dozen deposits, and a shower some ten thousand operations on them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from calozoo_core.nn.mlp import linear, linear_layout
from calozoo_core.nn.numpy_spline import inverse_rational_quadratic, n_parameters
from calozoo_core.typing import Float32Array, FloatArray
from calozoo_core.weights.layout import Arrays, Layout, prefixed

__all__ = [
    "BOUND",
    "CELL_SCALE",
    "LARGEST_LOG_SCALE",
    "LAYER_SCALE",
    "STICK_SCALE",
    "NumpyDensity",
    "Scale",
    "density_layout",
    "logistic",
    "normal_quantile",
    "sigmoid",
]

BOUND = 5.0
"""Interval of the splines, in standard deviations."""

LARGEST_LOG_SCALE = 7.0

LEAST_PROBABILITY = 1e-12
"""Distance from 0 and 1 at which the normal quantile is cut off."""


class Scale(NamedTuple):
    """Mean and standard deviation of numbers before training."""

    mean: float
    std: float


LAYER_SCALE = Scale(4.0, 2.0)
"""Of the logarithmic layer energies."""

CELL_SCALE = Scale(2.2, 1.2)
"""Of the logarithmic deposits of cells."""

STICK_SCALE = Scale(0.0, 2.0)
"""Of the logits of fractions."""


def density_layout(name: str, features: int, bins: int) -> Layout:
    """Layout of a density of this name."""
    return prefixed(name, linear_layout("head", features, 2 + n_parameters(bins)))


class NumpyDensity:
    """Numbers of a `hurdle.Density` from noise.

    Arguments:
        arrays: Tensors among which those of the density are.
        name: Name of the density.
        scale: Its scale.
    """

    def __init__(self, arrays: Arrays, name: str, scale: Scale) -> None:
        self.weight, self.bias = linear(arrays, f"{name}.head")
        self.mean, self.std = np.float32(scale.mean), np.float32(scale.std)

    def __call__(self, noise: Float32Array, features: Float32Array) -> Float32Array:
        """Numbers of standard normal noise, shape (n,).

        Arguments:
            noise: Shape (n,).
            features: Shape (n, features).
        """
        raw = features @ self.weight
        raw += self.bias
        scaled = inverse_rational_quadratic(noise[:, None], raw[:, 2:, None], BOUND)[:, 0]
        scaled *= np.exp(np.clip(raw[:, 1], -LARGEST_LOG_SCALE, LARGEST_LOG_SCALE))
        scaled += raw[:, 0]
        value: Float32Array = scaled * self.std + self.mean
        return value


def sigmoid(x: FloatArray) -> FloatArray:
    """Logistic function 1 / (1 + exp(-x)), accurate where it is close to 0."""
    result: FloatArray = np.exp(-np.logaddexp(0, -x))
    return result


def logistic(uniform: FloatArray) -> Float32Array:
    """Logistic noise of uniform noise; it exceeds -logit with the probability of that logit."""
    with np.errstate(divide="ignore"):
        return (np.log(uniform) - np.log1p(-uniform)).astype(np.float32)


def normal_quantile(probability: FloatArray) -> Float32Array:
    """Quantiles of the standard normal distribution, shape (n,).

    References:
        | Wichura, Algorithm AS 241: The percentage points of the normal distribution,
        | https://doi.org/10.2307/2347330

    Example:
        >>> normal_quantile(np.array([0.5, 0.975])).round(3).tolist()
        [0.0, 1.9600000381469727]
    """
    least = LEAST_PROBABILITY
    p = np.minimum(np.maximum(probability, least), 1 - least)
    q = p - 0.5
    quantile = q * _ratio(0.180625 - q * q, _CENTRAL)
    tail = np.flatnonzero(np.abs(q) > 0.425)
    if len(tail):
        own = q[tail]
        r = np.sqrt(-np.log(np.minimum(p, 1 - p)[tail]))
        magnitude = _ratio(r - 1.6, _MIDDLE)
        if r.max() > 5:
            magnitude = np.where(r <= 5, magnitude, _ratio(r - 5, _FAR))
        quantile[tail] = np.copysign(magnitude, own)
    result: Float32Array = quantile.astype(np.float32)
    return result


def _ratio(x: FloatArray, coefficients: FloatArray) -> FloatArray:
    """Ratio of two polynomials, shape (n,).

    Arguments:
        x: Shape (n,).
        coefficients: Of both polynomials, the lowest power first, shape (8, 2).
    """
    powers = np.empty((len(x), len(coefficients)))
    powers[:, 0] = 1
    powers[:, 1:] = x[:, None]
    # All powers by one running product, and both sums by one matrix product.
    np.multiply.accumulate(powers, axis=1, out=powers)
    above, below = (powers @ coefficients).T
    ratio: FloatArray = above / below
    return ratio


def _table(above: tuple[float, ...], below: tuple[float, ...]) -> FloatArray:
    """Coefficients of two polynomials, given with the highest power first."""
    return np.array([above, below])[:, ::-1].T.copy()


_CENTRAL = _table(
    (
        2509.0809287301226727,
        33430.575583588128105,
        67265.770927008700853,
        45921.953931549871457,
        13731.693765509461125,
        1971.5909503065514427,
        133.14166789178437745,
        3.387132872796366608,
    ),
    (
        5226.495278852545925,
        28729.085735721942674,
        39307.89580009271061,
        21213.794301586595867,
        5394.1960214247511077,
        687.1870074920579083,
        42.313330701600911252,
        1.0,
    ),
)
_MIDDLE = _table(
    (
        7.7454501427834140764e-4,
        0.0227238449892691845833,
        0.24178072517745061177,
        1.27045825245236838258,
        3.64784832476320460504,
        5.7694972214606914055,
        4.6303378461565452959,
        1.42343711074968357734,
    ),
    (
        1.05075007164441684324e-9,
        5.475938084995344946e-4,
        0.0151986665636164571966,
        0.14810397642748007459,
        0.68976733498510000455,
        1.6763848301838038494,
        2.05319162663775882187,
        1.0,
    ),
)
_FAR = _table(
    (
        2.01033439929228813265e-7,
        2.71155556874348757815e-5,
        0.0012426609473880784386,
        0.026532189526576123093,
        0.29656057182850489123,
        1.7848265399172913358,
        5.4637849111641143699,
        6.6579046435011037772,
    ),
    (
        2.04426310338993978564e-15,
        1.4215117583164458887e-7,
        1.8463183175100546818e-5,
        7.868691311456132591e-4,
        0.0148753612908506148525,
        0.13692988092273580531,
        0.59983220655588793769,
        1.0,
    ),
)
