"""ShowerFlow as generation uses it: from noise to layers, in numpy.

A flow for one shower is a hundred operations on a few numbers, and torch takes several microseconds
to begin one where numpy takes one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor, nn

from calozoo_caloclouds3.flow import (
    LOG_FLOOR,
    LOG_SCALE,
    AffineCoupling,
    ConditionalAffine,
    Permutation,
    ShowerFlow,
)
from calozoo_caloclouds3.spline import MIN_LAMBDA, MIN_SIZE, ConditionalSpline
from calozoo_core.typing import Float32Array as Array

__all__ = ["PlainFlow"]

Step = Callable[[Array, Array], Array]


class PlainFlow:
    """What `ShowerFlow.forward` computes, on arrays.

    Arguments:
        flow: The trained flow; its weights are copied.
    """

    def __init__(self, flow: ShowerFlow) -> None:
        self.dim = flow.dim
        self._log_energy = flow.config.log_energy
        self._shift, self._scale = _array(flow.shift), _array(flow.scale)
        self._steps: list[Step] = [_step(transform) for transform in flow.transforms]

    def __call__(self, noise: Array, condition: Array) -> Array:
        """Counts, then energies in MeV, to the power of the configuration, shape (n, 60).

        Arguments:
            noise: Standard normal, shape (n, 60).
            condition: (E / 127 GeV, p_x, p_y, p_z), shape (n, 4).
        """
        if self._log_energy:
            log_energy = np.log(condition[:, :1] + np.float32(LOG_FLOOR)) / np.float32(LOG_SCALE)
            condition = np.concatenate([condition, log_energy + np.float32(1)], axis=1)
        x = noise
        for step in self._steps:
            x = step(x, condition)
        return x * self._scale + self._shift


def _step(transform: nn.Module) -> Step:
    if isinstance(transform, AffineCoupling):
        return _coupling(transform)
    if isinstance(transform, ConditionalSpline):
        return _spline(transform)
    if isinstance(transform, ConditionalAffine):
        return _affine(transform)
    assert isinstance(transform, Permutation)
    order = transform.order.cpu().numpy()
    return lambda x, _: x[:, order]


def _coupling(coupling: AffineCoupling) -> Step:
    split = coupling.split
    hidden = _hidden(coupling.net, np.maximum)
    # Both heads in one product.
    heads = [_linear(head) for head in (coupling.shift, coupling.scale)]
    weight = np.concatenate([weight for weight, _ in heads], axis=1)
    bias = np.concatenate([bias for _, bias in heads])

    def step(x: Array, condition: Array) -> Array:
        kept, moved = x[:, :split], x[:, split:]
        both = hidden(np.concatenate([condition, kept], axis=1)) @ weight + bias
        width = moved.shape[1]
        scaled = np.exp(-np.tanh(both[:, width:])) * moved
        return np.concatenate([kept, scaled + both[:, :width]], axis=1)

    return step


def _affine(affine: ConditionalAffine) -> Step:
    hidden = _hidden(affine.net[:-1], lambda x, _: x / (1 + np.exp(-x)))
    weight, bias = _linear(affine.net[-1])

    def step(x: Array, condition: Array) -> Array:
        both = hidden(condition) @ weight + bias
        width = x.shape[1]
        return np.exp(both[:, width:]) * x + both[:, :width]

    return step


def _spline(spline: ConditionalSpline) -> Step:
    """The same pieces as `ConditionalSpline._bin`, gathered at once for all tables."""
    bins, dim, bound = spline.bins, spline.dim, np.float32(spline.bound)
    hidden = _hidden(spline.net, np.maximum)
    weight, bias = _linear(spline.heads)

    def step(x: Array, condition: Array) -> Array:
        n = len(x)
        raw = (hidden(condition) @ weight + bias).reshape(n, 4 * bins - 1, dim)
        sizes = np.exp(raw[:, : 2 * bins].reshape(n, 2, bins, dim))
        sizes /= sizes.sum(axis=2, keepdims=True)
        sizes = 2 * bound * (MIN_SIZE + (1 - MIN_SIZE * bins) * sizes)
        edges = np.full((n, 2, bins + 1, dim), -bound, np.float32)
        edges[:, :, 1:] += np.cumsum(sizes, axis=2)
        index = (x[:, None] >= edges[:, 0, 1:-1]).sum(axis=1)
        rows, columns = np.arange(n)[:, None], np.arange(dim)
        # Only the two slopes and the knot of the bin an element falls into are worked out; at the
        # ends of the interval the slope is fixed.
        left = np.log1p(np.exp(raw[rows, 2 * bins - 1 + index, columns])) + MIN_SIZE
        left_slope = np.where(index > 0, left, np.float32(1 - MIN_SIZE))
        right = np.log1p(np.exp(raw[rows, 2 * bins + index, columns])) + MIN_SIZE
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
        low = theta <= knot
        near, far = np.abs(theta - knot), np.where(low, theta, 1 - theta)
        end_weight = np.where(low, np.float32(1), weight_top) * near
        inner_weight = middle_weight * far
        y = end_weight * np.where(low, bottom, top) + inner_weight * middle
        y /= end_weight + inner_weight
        inside: Array = np.where(np.abs(x) < bound, y, x).astype(np.float32)
        return inside

    return step


def _hidden(
    net: nn.Module, activation: Callable[[Array, Array], Array]
) -> Callable[[Array], Array]:
    """The linear layers of a network, each with the activation behind it."""
    layers = [_linear(layer) for layer in net.children() if isinstance(layer, nn.Linear)]
    zero = np.zeros((), np.float32)

    def hidden(x: Array) -> Array:
        for weight, bias in layers:
            x = activation(x @ weight + bias, zero)
        return x

    return hidden


def _linear(layer: nn.Module) -> tuple[Array, Array]:
    assert isinstance(layer, nn.Linear)
    return np.ascontiguousarray(_array(layer.weight).T), _array(layer.bias)


def _array(tensor: Tensor) -> Array:
    array: Array = tensor.detach().float().cpu().numpy().copy()
    return array
