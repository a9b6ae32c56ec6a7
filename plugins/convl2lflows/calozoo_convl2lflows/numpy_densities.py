"""Densities as generation uses them: in numpy, and only from noise to values.

A layer of one shower has a few dozen deposits. Torch takes several microseconds to begin an
operation on them where numpy takes one, and a shower needs some ten thousand.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from calozoo_convl2lflows.hurdle import BOUND, LARGEST_LOG_SCALE, Density
from calozoo_convl2lflows.spline import MIN_SIZE, slope_at_zero
from calozoo_core.typing import Float32Array as Array

__all__ = ["PlainDensity", "linear", "logistic", "normal_quantile", "sigmoid", "silu"]

Double = NDArray[np.float64]

NEAREST = 1e-12
"""Shares are kept this far from 0 and 1."""


class PlainDensity:
    """What `Density.to_value` computes, on arrays.

    Arguments:
        density: The trained density; its weights are copied.
    """

    def __init__(self, density: Density) -> None:
        weight, bias = linear(density.head)
        self.bins = (weight.shape[1] - 1) // 3
        self.weight, self.bias = weight, bias
        self.mean, self.std = np.float32(density.mean), np.float32(density.std)
        self._slope = np.float32(slope_at_zero(MIN_SIZE))
        self._unit = np.float32(0)  # the raw slope of the tails, which is 1

    def __call__(self, noise: Array, known: Array) -> Array:
        """The numbers that standard normal noise becomes, shape (n,)."""
        raw = known @ self.weight
        raw += self.bias
        scaled = self._spline(noise, raw[:, 2:])
        scaled *= np.exp(np.clip(raw[:, 1], -LARGEST_LOG_SCALE, LARGEST_LOG_SCALE))
        scaled += raw[:, 0]
        value: Array = scaled * self.std + self.mean
        return value

    def _spline(self, y: Array, raw: Array) -> Array:
        """The inverse of `spline.spline`."""
        n, bins = len(y), self.bins
        sizes = np.exp(raw[:, : 2 * bins]).reshape(n, 2, bins)
        sizes *= np.float32(2 * BOUND * (1 - MIN_SIZE * bins)) / sizes.sum(axis=2, keepdims=True)
        sizes += np.float32(2 * BOUND * MIN_SIZE)
        ends = sizes.cumsum(axis=2)
        height_at = np.minimum(np.maximum(y, -BOUND), BOUND) + np.float32(BOUND)
        index = (height_at[:, None] >= ends[:, 1, : bins - 1]).sum(axis=1)
        row = np.arange(n)
        width, height = sizes[row, :, index].T
        right, top = ends[row, :, index].T
        climbed = height_at - top + height
        slopes = np.full((n, bins + 1), self._unit, np.float32)
        slopes[:, 1:-1] = raw[:, 2 * bins :]
        both = np.stack([slopes[row, index], slopes[row, index + 1]])
        low, high = np.logaddexp(both + self._slope, np.float32(0)) + np.float32(MIN_SIZE)
        rise = height / width
        bend = climbed * (low + high - 2 * rise)
        a = bend + height * (rise - low)
        b = height * low - bend
        c = rise * climbed
        root = np.sqrt(np.maximum(b * b + 4 * a * c, 0))
        theta = np.minimum(np.maximum(2 * c / (b + root), 0), 1)
        x = right + (theta - 1) * width - np.float32(BOUND)
        outside = np.abs(y) >= BOUND
        if outside.any():
            x[outside] = y[outside]
        single: Array = x.astype(np.float32, copy=False)
        return single


def linear(layer: nn.Linear | nn.Module) -> tuple[Array, Array]:
    """Weight (inputs, outputs) and bias of a linear layer, as arrays of their own."""
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, Tensor)
    zeros = torch.zeros(len(weight)) if bias is None else bias
    assert isinstance(zeros, Tensor)
    return _array(weight.T), _array(zeros)


def silu(x: Array) -> Array:
    """x / (1 + exp(-x)), in place, and without an overflow anywhere."""
    half = np.tanh(x * np.float32(0.5))
    half += 1
    half *= np.float32(0.5)
    x *= half
    return x


def sigmoid(x: Double) -> Double:
    """1 / (1 + exp(-x)); below it falls to 0, where tanh would round it away."""
    result: Double = np.exp(-np.logaddexp(0, -x))
    return result


def logistic(uniform: Double) -> Array:
    """The logit of uniform numbers: above minus another logit with that one's probability."""
    with np.errstate(divide="ignore"):
        return (np.log(uniform) - np.log1p(-uniform)).astype(np.float32)


def normal_quantile(share: Double) -> Array:
    """The standard normal number below which there is such a share of them."""
    inside = torch.from_numpy(np.minimum(np.maximum(share, NEAREST), 1 - NEAREST))
    quantile: Array = torch.special.ndtri(inside).numpy().astype(np.float32)
    return quantile


def _array(tensor: Tensor) -> Array:
    return np.ascontiguousarray(tensor.detach().float().cpu().numpy()).copy()
