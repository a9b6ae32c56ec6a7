"""PointWiseNet in numpy at the largest noise level: from standard normal noise to points."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from calozoo_caloclouds3.config import PointsConfig
from calozoo_caloclouds3.noise_levels import (
    CONDITIONS,
    FEATURES,
    LEAK,
    SIGMA_DATA,
    SIGMA_MAX,
    SIGMA_MIN,
)
from calozoo_core.nn.mlp import Mlp, leaky_relu, linear, linear_layout
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Arrays, Layout, TensorLayout, part, prefixed

__all__ = ["DISTANCE", "SIGMA_TOTAL", "SKIP", "FoldedLayers", "OneStepNet", "points_layout"]

SIGMA_TOTAL = math.hypot(SIGMA_MAX, SIGMA_DATA)
DISTANCE = SIGMA_MAX - SIGMA_MIN
SKIP = SIGMA_MAX * SIGMA_DATA**2 / (DISTANCE**2 + SIGMA_DATA**2)
"""Share of the noise that goes past the network."""


def points_layout(config: PointsConfig) -> Layout:
    """Layout of the tensors of a PointWiseNet."""
    width = config.time_features
    layout = {"frequencies": TensorLayout.table(width // 2, 1)}
    layout |= linear_layout("embed", width, width)
    mix, context = _mix(config)
    if mix is not None:
        layout |= prefixed("mix", mix.layout())
    for i, (inputs, outputs) in enumerate(pairwise((FEATURES, *config.widths, FEATURES))):
        layout |= prefixed(
            f"layers.{i}",
            linear_layout("layer", inputs, outputs)
            | linear_layout("gate", context, outputs)
            | linear_layout("bias", context, outputs, bias=False),
        )
    return layout


MOST_LAYERS, MOST_WIDTH = 16, 256
"""Sizes of networks that the compiled kernel has room for."""


class FoldedLayers(NamedTuple):
    """Plain linear layers of PointWiseNet for some showers.

    Arguments:
        weights: Weight of each layer, and its bias as the last column, shape (showers, outputs,
            inputs + 1).
        flat: All of them, one after the other.
        memory: Two arrays that the layers of all these showers use in turn, each with a last row
            of ones for the bias, and one without; memory of its own for each layer would cost more
            than a quarter of the network's time.
    """

    weights: list[Float32Array]
    flat: Float32Array
    memory: tuple[Float32Array, Float32Array, Float32Array]


class OneStepNet:
    """PointWiseNet at the largest noise level, from standard normal noise to points.

    At one noise level the context of a shower is known before its points are, so its gates are
    multiplied into the weights, which leaves plain linear layers. The scales before and
    behind the network go into the first and the last of them.

    Arguments:
        config: Sizes.
        arrays: Tensors of `points_layout`.
    """

    def __init__(self, config: PointsConfig, arrays: Arrays) -> None:
        frequencies = arrays["frequencies"][:, 0]
        phase = np.float32(2 * math.pi / 4 * math.log(SIGMA_MAX)) * frequencies
        weight, bias = linear(arrays, "embed")
        wave = np.concatenate([np.cos(phase), np.sin(phase)])
        self._embedding = leaky_relu(wave @ weight + bias, LEAK)
        mix, _ = _mix(config)
        self._mix = None if mix is None else mix.function(part(arrays, "mix"))
        self._width = max(config.widths)
        self.widths = (FEATURES, *config.widths, FEATURES)
        self._layers = [
            tuple(linear(arrays, f"layers.{i}.{name}") for name in ("layer", "gate", "bias"))
            for i in range(len(config.widths) + 1)
        ]

    @property
    def fits_kernel(self) -> bool:
        """True if the compiled kernel has room for a network of these sizes."""
        return len(self.widths) <= MOST_LAYERS + 1 and self._width <= MOST_WIDTH

    def fold(self, condition: Float32Array, most: int) -> FoldedLayers:
        """Layers for showers of these conditions.

        Arguments:
            condition: (E / 127 GeV, p_x, p_y, p_z), shape (n, 4).
            most: Largest number of points of one of them.
        """
        embedding = np.broadcast_to(self._embedding, (len(condition), len(self._embedding)))
        context = np.concatenate([embedding, condition], axis=1)
        if self._mix is not None:
            context = self._mix(context)
        flat, folded = self._empty_weights(len(condition))
        for (layer, gate, bias), weight in zip(self._layers, folded, strict=True):
            factor = 1 / (1 + np.exp(-(context @ gate[0] + gate[1])))
            np.multiply(factor[..., None], layer[0].T, out=weight[..., :-1])
            weight[..., -1] = layer[1] * factor + context @ bias[0]
        folded[0][..., :-1] *= np.float32(SIGMA_MAX / SIGMA_TOTAL)
        folded[-1] *= np.float32(DISTANCE * SIGMA_DATA / SIGMA_TOTAL)
        shape = self._width + 1, most
        memory = (
            np.ones(shape, np.float32),
            np.ones(shape, np.float32),
            np.empty(shape, np.float32),
        )
        return FoldedLayers(folded, flat, memory)

    def _empty_weights(self, n: int) -> tuple[Float32Array, list[Float32Array]]:
        """Room for the weights of n showers: all of them, and those of each layer."""
        sizes = [n * outputs * (inputs + 1) for inputs, outputs in pairwise(self.widths)]
        flat = np.empty(sum(sizes), np.float32)
        parts = np.split(flat, np.cumsum(sizes)[:-1])
        layers = zip(parts, pairwise(self.widths), strict=True)
        return flat, [part.reshape(n, outputs, inputs + 1) for part, (inputs, outputs) in layers]

    def __call__(self, layers: FoldedLayers, shower: int, noise: Float32Array) -> Float32Array:
        """Network features of points of one shower.

        Arguments:
            layers: Layers for some showers.
            shower: Index of the shower among them.
            noise: Standard normal, shape (4, points).

        Returns:
            Features, shape (4, points).
        """
        n = noise.shape[1]
        leaked = layers.memory[2]
        x = np.concatenate([noise, np.ones((1, n), np.float32)])
        for i, weights in enumerate(layers.weights[:-1]):
            weight = weights[shower]
            # The row of ones is the last one of the memory, and rows are taken from its end.
            rows = layers.memory[i % 2][-1 - len(weight) :, :n]
            values = rows[:-1]
            np.matmul(weight, x, out=values)
            np.multiply(values, np.float32(LEAK), out=leaked[: len(weight), :n])
            np.maximum(values, leaked[: len(weight), :n], out=values)
            x = rows
        features: Float32Array = layers.weights[-1][shower] @ x
        features += noise * np.float32(SKIP)
        return features


def _mix(config: PointsConfig) -> tuple[Mlp | None, int]:
    """Network of the context, if there is one, and the width of the context."""
    inputs = config.time_features + CONDITIONS
    if config.context is None:
        return None, inputs
    return Mlp(inputs, (config.context,), activation="silu"), config.context
