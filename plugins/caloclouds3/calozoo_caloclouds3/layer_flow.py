"""ShowerFlow in numpy, as generation uses it: number of points and energy of each layer."""

from __future__ import annotations

import numpy as np

from calozoo_caloclouds3.config import N_LAYERS, FlowConfig
from calozoo_core.nn.mlp import Mlp, linear, linear_layout
from calozoo_core.nn.numpy_flow import NumpyStep, permutation
from calozoo_core.nn.numpy_spline import linear_rational, n_parameters
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Arrays, Layout, TensorLayout, part, prefixed

__all__ = ["BLOCK", "DIM", "LOG_FLOOR", "LOG_SCALE", "NumpyShowerFlow", "flow_layout"]

LOG_FLOOR, LOG_SCALE = 1e-3, 2.0
"""Added to E / 127 GeV before its logarithm is taken, and divisor of the logarithm."""

DIM = 2 * N_LAYERS
"""Elements of the flow: the points of each layer, then its energy."""

BLOCK = "APAPAPSPAPAPAP"
"""Transforms of a block, from noise to data: affine couplings, permutations and one spline."""


def flow_layout(config: FlowConfig) -> Layout:
    """Layout of the tensors of a ShowerFlow."""
    layout = {"shift": TensorLayout.table(DIM), "scale": TensorLayout.table(DIM)}
    conditions = _conditions(config)
    kinds = {
        "A": _affine_layout(config, conditions),
        "S": _spline_layout(config, conditions),
        "P": {"order": TensorLayout.table(DIM, dtype="int64")},
    }
    for i, kind in enumerate(BLOCK * config.blocks):
        layout |= prefixed(f"transforms.{i}", kinds[kind])
    if config.baseline_hidden is not None:
        net = prefixed("net", _baseline(config.baseline_hidden, conditions).layout())
        layout |= prefixed(f"transforms.{len(BLOCK) * config.blocks}", net)
    return layout


class NumpyShowerFlow:
    """Forward pass of ShowerFlow on arrays.

    Arguments:
        config: Sizes.
        arrays: Tensors of `flow_layout`.
    """

    def __init__(self, config: FlowConfig, arrays: Arrays) -> None:
        self.dim = DIM
        self._log_energy = config.log_energy
        self._shift, self._scale = arrays["shift"], arrays["scale"]
        conditions = _conditions(config)
        self._steps: list[NumpyStep] = []
        for i, kind in enumerate(BLOCK * config.blocks):
            own = part(arrays, f"transforms.{i}")
            if kind == "A":
                self._steps.append(_affine_coupling(config, conditions, own))
            elif kind == "S":
                self._steps.append(_conditional_spline(config, conditions, own))
            else:
                self._steps.append(permutation(own["order"]))
        if config.baseline_hidden is not None:
            net = _baseline(config.baseline_hidden, conditions)
            own = part(arrays, f"transforms.{len(BLOCK) * config.blocks}.net")
            self._steps.append(_conditional_affine(net, own))

    def __call__(self, noise: Float32Array, condition: Float32Array) -> Float32Array:
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


def _conditions(config: FlowConfig) -> int:
    return 5 if config.log_energy else 4


def _coupling(config: FlowConfig, conditions: int) -> Mlp:
    return Mlp(conditions + DIM // 2, (config.hidden,) * 2, activation="relu")


def _affine_layout(config: FlowConfig, conditions: int) -> Layout:
    heads = {name: linear_layout(name, config.hidden, DIM // 2) for name in ("shift", "scale")}
    return prefixed("net", _coupling(config, conditions).layout()) | heads["shift"] | heads["scale"]


def _affine_coupling(config: FlowConfig, conditions: int, arrays: Arrays) -> NumpyStep:
    """Affine transform of the second half, given the first half and the condition."""
    split, network = DIM // 2, _coupling(config, conditions).function(part(arrays, "net"))
    # Both heads in one product.
    heads = [linear(arrays, head) for head in ("shift", "scale")]
    weight = np.concatenate([weight for weight, _ in heads], axis=1)
    bias = np.concatenate([bias for _, bias in heads])

    def step(x: Float32Array, condition: Float32Array) -> Float32Array:
        identity, moved = x[:, :split], x[:, split:]
        both = network(np.concatenate([condition, identity], axis=1)) @ weight + bias
        scaled = np.exp(-np.tanh(both[:, split:])) * moved
        return np.concatenate([identity, scaled + both[:, :split]], axis=1)

    return step


def _spline(config: FlowConfig, conditions: int) -> Mlp:
    return Mlp(conditions, (config.spline_hidden,) * 2, activation="relu")


def _spline_layout(config: FlowConfig, conditions: int) -> Layout:
    outputs = DIM * n_parameters(config.bins, "linear-rational")
    heads = linear_layout("heads", config.spline_hidden, outputs)
    return prefixed("net", _spline(config, conditions).layout()) | heads


def _conditional_spline(config: FlowConfig, conditions: int, arrays: Arrays) -> NumpyStep:
    """Linear rational spline on every element, given the condition alone."""
    network, bound = _spline(config, conditions).function(part(arrays, "net")), config.bound
    weight, bias = linear(arrays, "heads")

    def step(x: Float32Array, condition: Float32Array) -> Float32Array:
        raw = (network(condition) @ weight + bias).reshape(len(x), -1, DIM)
        return linear_rational(x, raw, bound)

    return step


def _baseline(hidden: int, conditions: int) -> Mlp:
    return Mlp(conditions, (hidden, hidden), 2 * DIM, activation="silu")


def _conditional_affine(net: Mlp, arrays: Arrays) -> NumpyStep:
    """Affine transform of every element, given the condition alone."""
    network = net.function(arrays)

    def step(x: Float32Array, condition: Float32Array) -> Float32Array:
        both = network(condition)
        y: Float32Array = np.exp(both[:, DIM:]) * x + both[:, :DIM]
        return y

    return step
