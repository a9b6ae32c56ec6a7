"""Transformer over patches of a calorimeter in numpy, as generation uses it."""

from __future__ import annotations

from typing import Final

import numpy as np

from calozoo_core.nn.mlp import gelu, linear, linear_layout, silu
from calozoo_core.nn.transformer_config import TransformerConfig
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Arrays, Layout, TensorLayout, prefixed

__all__ = [
    "NORM_EPSILON",
    "TIME_PERIOD",
    "TIME_SCALE",
    "NumpyTransformer",
    "transformer_layout",
]

TIME_SCALE: Final = 1000.0
"""Factor on the time, which runs from 0 to 1, before its sinusoids are taken."""

TIME_PERIOD: Final = 10_000.0
"""Longest over shortest period of those sinusoids."""

NORM_EPSILON: Final = 1e-6
"""Added to the variance by layer normalisation."""

Linear = tuple[Float32Array, Float32Array]
"""Weight, shape (inputs, outputs), and bias, shape (outputs,)."""


def transformer_layout(config: TransformerConfig) -> Layout:
    """Layout of the tensors of a `VisionTransformer`.

    Arguments:
        config: Sizes.
    """
    width, inner = config.width, config.mlp_ratio * config.width
    layout = {"frequencies": TensorLayout((3, width // 6))}
    layout |= linear_layout("patches", config.patch_size + config.token_conditions, width)
    for name, inputs in (("time", config.time_features), ("condition", config.conditions)):
        layout |= linear_layout(f"{name}.0", inputs, width)
        layout |= linear_layout(f"{name}.2", width, width)
    for block in range(config.blocks):
        own = (
            linear_layout("modulation", width, 6 * width)
            | linear_layout("qkv", width, 3 * width)
            | linear_layout("project", width, width)
            | linear_layout("widen", width, inner)
            | linear_layout("narrow", inner, width)
        )
        layout |= prefixed(f"blocks.{block}", own)
    layout |= linear_layout("final_modulation", width, 2 * width)
    return layout | linear_layout("final", width, config.patch_size)


class NumpyTransformer:
    """Velocity of patches, the same function as `VisionTransformer`.

    What depends on the time or on the condition alone is computed once for all tokens.

    Arguments:
        config: Sizes.
        arrays: Tensors of `transformer_layout`.
    """

    def __init__(self, config: TransformerConfig, arrays: Arrays) -> None:
        self.config = config
        self._time = [linear(arrays, "time.0"), linear(arrays, "time.2")]
        self._condition = [linear(arrays, "condition.0"), linear(arrays, "condition.2")]
        weight, bias = linear(arrays, "patches")
        self._values, self._tokens = np.split(weight, [config.patch_size])
        self._positions = _positions(config, arrays["frequencies"]) + bias
        self._final = linear(arrays, "final")
        # The modulations of all blocks are one product of matrices.
        names = [f"blocks.{block}.modulation" for block in range(config.blocks)]
        modulations = [linear(arrays, name) for name in (*names, "final_modulation")]
        self._modulation = (
            np.ascontiguousarray(np.concatenate([own[0] for own in modulations], axis=1)),
            np.concatenate([own[1] for own in modulations]),
        )
        parts = ("qkv", "project", "widen", "narrow")
        self._blocks = [
            {part: linear(arrays, f"blocks.{block}.{part}") for part in parts}
            for block in range(config.blocks)
        ]

    def given(
        self, condition: Float32Array, tokens: Float32Array | None = None
    ) -> tuple[Float32Array, Float32Array]:
        """Contributions of the conditions at every time: to the modulation, and to the tokens.

        Arguments:
            condition: Condition of each shower, shape (n, conditions).
            tokens: Condition of each token, shape (n, tokens, token_conditions).
        """
        embedded = _two_layers(condition, self._condition)
        if tokens is None:
            return embedded, self._positions
        return embedded, self._positions + tokens @ self._tokens

    def __call__(
        self, x: Float32Array, time: float, given: tuple[Float32Array, Float32Array]
    ) -> Float32Array:
        """Velocity, shape (n, tokens, patch_size).

        Arguments:
            x: Values on their way from noise to data, shape (n, tokens, patch_size).
            time: 0 for noise, 1 for data.
            given: What the conditions contribute, of `given`.
        """
        config, (embedded, constant) = self.config, given
        moment = _two_layers(_time_features(time, config.time_features), self._time)
        weight, bias = self._modulation
        modulation = (silu(embedded + moment) @ weight + bias)[:, None]
        hidden = x @ self._values + constant
        for number, block in enumerate(self._blocks):
            start = 6 * config.width * number
            own = np.split(modulation[..., start : start + 6 * config.width], 6, axis=2)
            shift, scale, gate, mlp_shift, mlp_scale, mlp_gate = own
            hidden += gate * self._attention(block, _modulated(hidden, shift, scale))
            inner = _affine(_modulated(hidden, mlp_shift, mlp_scale), block["widen"])
            hidden += mlp_gate * _affine(gelu(inner), block["narrow"])
        shift, scale = np.split(modulation[..., -2 * config.width :], 2, axis=2)
        return _affine(_modulated(hidden, shift, scale), self._final)

    def _attention(self, block: dict[str, Linear], x: Float32Array) -> Float32Array:
        n, tokens, width = x.shape
        heads, size = self.config.heads, width // self.config.heads
        qkv = _affine(x, block["qkv"]).reshape(n, tokens, 3, heads, size)
        query, key, value = np.ascontiguousarray(qkv.transpose(2, 0, 3, 1, 4))
        query *= np.float32(size**-0.5)
        weights = query @ key.transpose(0, 1, 3, 2)
        weights -= weights.max(axis=3, keepdims=True)
        np.exp(weights, out=weights)
        mixed = weights @ value
        mixed /= weights.sum(axis=3, keepdims=True)
        return _affine(mixed.transpose(0, 2, 1, 3).reshape(n, tokens, width), block["project"])


def _positions(config: TransformerConfig, frequencies: Float32Array) -> Float32Array:
    """Embedding of the places of the patches, shape (tokens, width)."""
    axes = [(np.arange(n) + 0.5) / n for n in config.patches]
    grid = np.meshgrid(*axes, indexing="ij")
    places = np.stack([axis.ravel() for axis in grid], axis=1).astype(np.float32)
    angles = places[:, :, None] * frequencies
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=2).reshape(len(places), -1)


def _time_features(time: float, features: int) -> Float32Array:
    powers = np.arange(features // 2) / (features // 2)
    angles = TIME_SCALE * time * TIME_PERIOD**-powers
    return np.concatenate([np.cos(angles), np.sin(angles)])[None].astype(np.float32)


def _affine(x: Float32Array, layer: Linear) -> Float32Array:
    # As one matrix: stacked products of matrices are made one by one.
    flat = x.reshape(-1, x.shape[-1]) @ layer[0]
    flat += layer[1]
    result: Float32Array = flat.reshape(*x.shape[:-1], -1)
    return result


def _two_layers(x: Float32Array, layers: list[Linear]) -> Float32Array:
    return _affine(silu(_affine(x, layers[0])), layers[1])


def _modulated(x: Float32Array, shift: Float32Array, scale: Float32Array) -> Float32Array:
    centred: Float32Array = x - x.mean(axis=2, keepdims=True)
    variance = np.einsum("ntw,ntw->nt", centred, centred)[..., None] / np.float32(x.shape[2])
    centred /= np.sqrt(variance + np.float32(NORM_EPSILON))
    centred *= 1 + scale
    centred += shift
    return centred
