"""U-Net along the layers of a calorimeter in numpy, as generation uses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import as_strided

from calozoo_caloscore.config import UnetConfig
from calozoo_core.nn.mlp import linear, silu
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Arrays, Layout, TensorLayout, part

__all__ = ["NORM_EPSILON", "TIME_SCALE", "NumpyUnet", "frequencies", "unet_layout"]

TIME_SCALE: Final = 1000.0
"""Factor on the time, which runs from 0 to 1, before its sinusoids are taken."""

TIME_PERIOD: Final = 10_000.0
"""Longest over shortest period of those sinusoids."""

NORM_EPSILON: Final = 1e-6
"""Added to the variance by the normalisation before attention."""

Linear = tuple[Float32Array, Float32Array]
"""Weight, shape (inputs, outputs), and bias, shape (outputs,)."""


def frequencies(width: int) -> Float32Array:
    """Frequencies of the sinusoids of the time, shape (width / 2,)."""
    half = width // 2
    return np.asarray(TIME_PERIOD ** (-np.arange(half) / max(half - 1, 1)), np.float32)


def block_sizes(config: UnetConfig) -> list[tuple[str, int, int, bool]]:
    """Name, inputs, outputs and attention of each block, in the order in which they compute.

    Arguments:
        config: Sizes.
    """
    sizes: list[tuple[str, int, int, bool]] = []
    *levels, last = zip(config.widths, config.attention, strict=True)
    width = config.stem
    skips: list[int] = []
    for own, attention in levels:
        for _ in range(config.depth):
            sizes.append((f"down.{len(skips)}", width, own, attention))
            skips.append(own)
            width = own
    for number in range(config.depth):
        sizes.append((f"middle.{number}", width, *last))
        width = last[0]
    up = 0
    for own, attention in reversed(levels):
        for _ in range(config.depth):
            sizes.append((f"up.{up}", width + skips.pop(), own, attention))
            width, up = own, up + 1
    return sizes


def unet_layout(config: UnetConfig) -> Layout:
    """Layout of the tensors of a `Unet` along one dimension.

    Arguments:
        config: Sizes.
    """
    width = config.embedding.width
    linears = {
        "embedding.time.0": (width, 2 * width),
        "embedding.time.2": (2 * width, width),
        "embedding.mix": ((1 + len(config.embedding.conditions)) * width, width),
    }
    for number, size in enumerate(config.embedding.conditions):
        linears[f"embedding.conditions.{number}"] = (size, width)
    convolutions = {
        "stem": (config.channels + config.place_conditions, config.stem, 1),
        "last": (config.widths[0], config.channels, 1),
    }
    for name, inputs, outputs, attention in block_sizes(config):
        linears[f"{name}.given"] = (width, outputs)
        convolutions[f"{name}.first"] = (inputs, outputs, 3)
        convolutions[f"{name}.second"] = (outputs, outputs, 3)
        if inputs != outputs:
            convolutions[f"{name}.residual"] = (inputs, outputs, 1)
        if attention:
            linears[f"{name}.attention.qkv"] = (outputs, 3 * outputs)
            linears[f"{name}.attention.project"] = (outputs, outputs)
    layout: Layout = {}
    for name, (inputs, outputs) in linears.items():
        layout[f"{name}.weight"] = TensorLayout((outputs, inputs))
        layout[f"{name}.bias"] = TensorLayout((outputs,))
    for name, (inputs, outputs, size) in convolutions.items():
        layout[f"{name}.weight"] = TensorLayout((outputs, inputs, size))
        layout[f"{name}.bias"] = TensorLayout((outputs,))
    return layout


class NumpyUnet:
    """Velocity along the layers, the same function as a `Unet` of one dimension.

    What depends on the conditions alone is computed once for all steps.

    Arguments:
        config: Sizes.
        arrays: Tensors of `unet_layout`, by name.
    """

    def __init__(self, config: UnetConfig, arrays: Arrays) -> None:
        self.config = config
        self._time = [linear(arrays, f"embedding.time.{layer}") for layer in (0, 2)]
        self._conditions = [
            linear(arrays, f"embedding.conditions.{number}")
            for number in range(len(config.embedding.conditions))
        ]
        mix, self._mix_bias = linear(arrays, "embedding.mix")
        self._mix_time, self._mix_conditions = np.split(mix, [config.embedding.width])
        self._frequencies = TIME_SCALE * frequencies(config.embedding.width)
        sizes = block_sizes(config)
        self._blocks = [_Block(part(arrays, name), attention) for name, _, _, attention in sizes]
        # What time and condition add to all blocks is one product of matrices.
        given = [linear(arrays, f"{name}.given") for name, *_ in sizes]
        self._given = (
            np.ascontiguousarray(np.concatenate([weight for weight, _ in given], axis=1)),
            np.concatenate([bias for _, bias in given]),
        )
        self._edges = np.cumsum([outputs for _, _, outputs, _ in sizes])[:-1]
        weight, bias = _pointwise(arrays, "stem")
        self._values, self._places = np.split(weight, [config.channels])
        self._stem_bias = bias
        self._last = _pointwise(arrays, "last")

    def given(
        self, conditions: Sequence[Float32Array], places: Float32Array
    ) -> tuple[Float32Array, Float32Array]:
        """Contributions of the conditions at every time: to the embedding, and to the stem.

        Arguments:
            conditions: Conditions of each shower, shape (n, numbers) each.
            places: Conditions of each layer, shape (n, layers, place_conditions).
        """
        embedded = [
            silu(condition @ weight + bias)
            for condition, (weight, bias) in zip(conditions, self._conditions, strict=True)
        ]
        mixed = np.concatenate(embedded, axis=1) @ self._mix_conditions + self._mix_bias
        return mixed, places @ self._places

    def __call__(
        self, x: Float32Array, time: float, given: tuple[Float32Array, Float32Array]
    ) -> Float32Array:
        """Velocity, shape (n, layers, channels).

        Arguments:
            x: Noisy values, shape (n, layers, channels).
            time: 0 for data, 1 for noise.
            given: What the conditions contribute, of `given`.
        """
        config, (mixed, places) = self.config, given
        embedded = mixed + self._moment(time) @ self._mix_time
        weight, bias = self._given
        added = np.split((embedded @ weight + bias)[:, None], self._edges, axis=2)
        before, behind = config.padding[0]
        n, layers, _ = x.shape
        hidden = np.empty((n, before + layers + behind, config.stem), np.float32)
        # Beyond the calorimeter there are zeros, of which a bias is left.
        hidden[:] = self._stem_bias
        hidden[:, before : before + layers] += x @ self._values + places
        skips: list[Float32Array] = []
        levels = config.depth * (len(config.widths) - 1)
        for number, (block, own) in enumerate(zip(self._blocks, added, strict=True)):
            up = number - levels - config.depth
            if up >= 0:
                if up % config.depth == 0:
                    hidden = np.repeat(hidden, 2, axis=1)
                hidden = np.concatenate([hidden, skips.pop()], axis=2)
            hidden = block(hidden, own)
            if number < levels:
                skips.append(hidden)
                if (number + 1) % config.depth == 0:
                    hidden = (hidden[:, ::2] + hidden[:, 1::2]) * np.float32(0.5)
        return _affine(hidden[:, before : before + layers], self._last)

    def _moment(self, time: float) -> Float32Array:
        turns = np.float32(time) * self._frequencies
        features = np.concatenate([np.sin(turns), np.cos(turns)])[None].astype(np.float32)
        first, second = self._time
        return _affine(silu(_affine(features, first)), second)


class _Block:
    """Two convolutions around what time and condition add, and attention if there is any."""

    def __init__(self, arrays: Arrays, attention: bool) -> None:
        self._first, self._second = (_Convolution(arrays, name) for name in ("first", "second"))
        has_residual = "residual.weight" in arrays
        self._residual = _pointwise(arrays, "residual") if has_residual else None
        self._attention = None
        if attention:
            names = ("attention.qkv", "attention.project")
            self._attention = tuple(linear(arrays, name) for name in names)

    def __call__(self, x: Float32Array, added: Float32Array) -> Float32Array:
        hidden = self._first(x)
        hidden += added
        hidden = self._second(hidden)
        hidden += x if self._residual is None else _affine(x, self._residual)
        if self._attention is not None:
            hidden += _attended(hidden, *self._attention)
        return hidden


class _Convolution:
    """Convolution of the activation of its input, with windows of three layers."""

    def __init__(self, arrays: Arrays, name: str) -> None:
        weight = arrays[f"{name}.weight"]
        outputs, inputs, size = weight.shape
        rows = weight.transpose(2, 1, 0).reshape(size * inputs, outputs)
        self._weight = np.ascontiguousarray(rows, np.float32)
        self._bias = np.asarray(arrays[f"{name}.bias"], np.float32)

    def __call__(self, x: Float32Array) -> Float32Array:
        n, places, channels = x.shape
        padded = np.zeros((n, places + 2, channels), np.float32)
        inner = padded[:, 1:-1]
        np.multiply(x, np.float32(0.5), out=inner)
        half = np.tanh(inner)
        half += 1
        inner *= half
        shower, place, number = padded.strides
        windows = as_strided(
            padded, (n, places, 3 * channels), (shower, place, number), writeable=False
        )
        result: Float32Array = windows.reshape(n * places, 3 * channels) @ self._weight
        result += self._bias
        return result.reshape(n, places, -1)


def _attended(x: Float32Array, qkv: Linear, project: Linear) -> Float32Array:
    width = x.shape[2]
    normal = x - x.mean(axis=2, keepdims=True)
    variance = np.einsum("npw,npw->np", normal, normal)[..., None] / np.float32(width)
    normal /= np.sqrt(variance + np.float32(NORM_EPSILON))
    query, key, value = np.split(_affine(normal, qkv), 3, axis=2)
    weights = (query * np.float32(width**-0.5)) @ key.transpose(0, 2, 1)
    weights -= weights.max(axis=2, keepdims=True)
    np.exp(weights, out=weights)
    weights /= weights.sum(axis=2, keepdims=True)
    return _affine(np.asarray(weights @ value, np.float32), project)


def _pointwise(arrays: Arrays, name: str) -> Linear:
    """Convolution with windows of one place, as a layer on the channels."""
    weight = np.ascontiguousarray(arrays[f"{name}.weight"][:, :, 0].T, np.float32)
    return weight, np.asarray(arrays[f"{name}.bias"], np.float32)


def _affine(x: Float32Array, layer: Linear) -> Float32Array:
    # As one matrix: stacked products of matrices are made one by one.
    flat = x.reshape(-1, x.shape[-1]) @ layer[0]
    flat += layer[1]
    result: Float32Array = flat.reshape(*x.shape[:-1], -1)
    return result
