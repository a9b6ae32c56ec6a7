"""An invertible network as generation uses it: from noise to data, in numpy.

One shower is a few hundred operations on a few hundred numbers, and torch takes several
microseconds to begin one where numpy takes one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor, nn

from calozoo_caloinn.inn import ActNorm, Baseline, Inn, Permutation, SplineCoupling
from calozoo_caloinn.splines import MIN_SIZE, UNIT_SLOPE
from calozoo_core.typing import Float32Array as Array

__all__ = ["PlainInn"]

Step = Callable[[Array, Array], Array]


class PlainInn:
    """What `Inn.inverse` computes, on arrays, for rational-quadratic splines without batch norm.

    Arguments:
        inn: The trained network; its weights are copied.
    """

    def __init__(self, inn: Inn) -> None:
        self.dim = inn.config.dim
        self._shift, self._scale = _array(inn.shift), _array(inn.scale)
        self._condition_shift = _array(inn.condition_shift)
        self._condition_scale = _array(inn.condition_scale)
        self._steps = [_step(transform) for transform in reversed(inn.transforms)]

    @staticmethod
    def can_be(inn: Inn) -> bool:
        """Whether a network has a counterpart in numpy."""
        return inn.config.spline == "rational-quadratic" and not inn.config.batch_norm

    def __call__(self, noise: Array, condition: Array) -> Array:
        """Data from noise, shapes (n, dim) and (n, conditions)."""
        condition = (condition - self._condition_shift) / self._condition_scale
        x = noise
        for step in self._steps:
            x = step(x, condition)
        return x * self._scale + self._shift


def _step(transform: nn.Module) -> Step:
    if isinstance(transform, SplineCoupling):
        return _coupling(transform)
    if isinstance(transform, Baseline):
        return _baseline(transform)
    if isinstance(transform, ActNorm):
        shift, scale = _array(transform.shift), np.exp(-_array(transform.log_scale))
        return lambda z, _: z * scale + shift
    assert isinstance(transform, Permutation)
    order = transform.inverse_order.cpu().numpy()
    return lambda z, _: z.take(order, axis=1)


def _baseline(baseline: Baseline) -> Step:
    head = baseline.head
    of_head = _network(baseline.of_head)
    of_rest = None if baseline.of_rest is None else _network(baseline.of_rest)

    def undone(z: Array, both: Array) -> Array:
        width = z.shape[1]
        return z * np.exp(-both[:, width:]) + both[:, :width]

    def step(z: Array, condition: Array) -> Array:
        first = undone(z[:, :head], of_head(condition))
        if of_rest is None:
            return first
        told = np.concatenate([first, condition], axis=1)
        return np.concatenate([first, undone(z[:, head:], of_rest(told))], axis=1)

    return step


def _coupling(coupling: SplineCoupling) -> Step:
    kept, moved, per_element = coupling.kept, coupling.moved, coupling.per_element
    network, bound = _network(coupling.net), np.float32(coupling.bound)
    bins = (per_element + 1) // 3

    def step(z: Array, condition: Array) -> Array:
        raw = network(np.concatenate([z[:, :kept], condition], axis=1))
        raw = raw.reshape(len(z), per_element, moved)
        return np.concatenate([z[:, :kept], _unbent(z[:, kept:], raw, bins, bound)], axis=1)

    return step


def _unbent(y: Array, raw: Array, bins: int, bound: np.float32) -> Array:
    """The inverse of a rational-quadratic spline; slopes are worked out only where needed."""
    n, _, moved = raw.shape
    sizes = np.exp(raw[:, : 2 * bins].reshape(n, 2, bins, moved))
    sizes *= (2 * bound * np.float32(1 - MIN_SIZE * bins)) / sizes.sum(axis=2, keepdims=True)
    sizes += 2 * bound * np.float32(MIN_SIZE)
    edges = np.empty((n, 2, bins + 1, moved), np.float32)
    edges[:, :, 0] = 0
    np.cumsum(sizes, axis=2, out=edges[:, :, 1:])
    above = y + bound
    index = (above[:, None] >= edges[:, 1, 1:-1]).sum(axis=1, dtype=np.intp)
    flat = np.arange(n)[:, None] * ((3 * bins - 1) * moved) + np.arange(moved)
    slopes = raw.reshape(-1)
    at = flat + (2 * bins - 1 + index) * moved
    d0 = np.where(index > 0, _slope(slopes.take(at, mode="clip")), np.float32(1))
    at += moved
    d1 = np.where(index < bins - 1, _slope(slopes.take(at, mode="clip")), np.float32(1))
    size = 2 * bins * moved
    at = np.arange(n)[:, None] * size + np.arange(moved) + index * moved
    width = sizes.reshape(-1).take(at)
    height = sizes.reshape(-1).take(at + bins * moved)
    at += np.arange(n)[:, None] * 2 * moved  # a row of edges is longer by one in each half
    left = edges.reshape(-1).take(at)
    rise = above - edges.reshape(-1).take(at + (bins + 1) * moved)
    mean = height / width
    bent = rise * (d0 + d1 - 2 * mean)
    a = height * (mean - d0) + bent
    b = height * d0 - bent
    c = -mean * rise
    root = np.sqrt(np.maximum(b * b - 4 * a * c, 0))
    x = 2 * c / (-b - root) * width + left - bound
    inside: Array = np.where(np.abs(y) < bound, x, y)
    return inside


def _slope(raw: Array) -> Array:
    slope: Array = np.log1p(np.exp(raw + np.float32(UNIT_SLOPE))) + np.float32(MIN_SIZE)
    return slope


def _network(net: nn.Sequential) -> Callable[[Array], Array]:
    """Linear layers with LeakyReLU or SiLU between them; what only training needs is left out."""
    layers = [(_array(m.weight).T.copy(), _array(m.bias)) for m in net if isinstance(m, nn.Linear)]
    smooth = any(isinstance(module, nn.SiLU) for module in net)
    *hidden, (last_weight, last_bias) = layers

    def network(x: Array) -> Array:
        for weight, bias in hidden:
            x = x @ weight
            x += bias
            x = x / (1 + np.exp(-x)) if smooth else np.maximum(x, np.float32(0.01) * x)
        x = x @ last_weight
        x += last_bias
        return x

    return network


def _array(tensor: Tensor) -> Array:
    array: Array = tensor.detach().float().cpu().numpy().copy()
    return array
