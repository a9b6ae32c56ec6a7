"""Transformer over patches of a calorimeter in numpy, as generation uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.nn.mlp import gelu, silu
from calozoo_core.nn.transformer_config import TransformerConfig
from calozoo_core.typing import Float32Array

__all__ = [
    "NORM_EPSILON",
    "TIME_PERIOD",
    "TIME_SCALE",
    "Arrays",
    "NumpyTransformer",
    "tensor_shapes",
]

TIME_SCALE: Final = 1000.0
"""Factor on the time, which runs from 0 to 1, before its sinusoids are taken."""

TIME_PERIOD: Final = 10_000.0
"""Longest over shortest period of those sinusoids."""

NORM_EPSILON: Final = 1e-6
"""Added to the variance by layer normalisation."""

Arrays = Mapping[str, NDArray[Any]]
"""Tensors by name."""

Linear = tuple[Float32Array, Float32Array]
"""Weight, shape (inputs, outputs), and bias, shape (outputs,)."""


def tensor_shapes(config: TransformerConfig) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor of a `VisionTransformer`, by name.

    Arguments:
        config: Sizes.
    """
    width, inner = config.width, config.mlp_ratio * config.width
    shapes: dict[str, tuple[int, ...]] = {"frequencies": (3, width // 6)}
    sizes = {
        "patches": (config.patch_size + config.token_conditions, width),
        "time.0": (config.time_features, width),
        "time.2": (width, width),
        "condition.0": (config.conditions, width),
        "condition.2": (width, width),
        "final_modulation": (width, 2 * width),
        "final": (width, config.patch_size),
    }
    for block in range(config.blocks):
        sizes |= {
            f"blocks.{block}.modulation": (width, 6 * width),
            f"blocks.{block}.qkv": (width, 3 * width),
            f"blocks.{block}.project": (width, width),
            f"blocks.{block}.widen": (width, inner),
            f"blocks.{block}.narrow": (inner, width),
        }
    for name, (inputs, outputs) in sizes.items():
        shapes |= {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
    return shapes


class NumpyTransformer:
    """Velocity of patches, the same function as `VisionTransformer`.

    What depends on the time or on the condition alone is computed once for all tokens.

    Arguments:
        config: Sizes.
        arrays: Tensors of `tensor_shapes`, by name.
    """

    def __init__(
        self, config: TransformerConfig, arrays: Mapping[str, NDArray[np.generic]]
    ) -> None:
        self.config = config

        def linear(name: str) -> Linear:
            weight = np.ascontiguousarray(arrays[f"{name}.weight"].T, np.float32)
            return weight, np.asarray(arrays[f"{name}.bias"], np.float32)

        self._time = [linear("time.0"), linear("time.2")]
        self._condition = [linear("condition.0"), linear("condition.2")]
        weight, bias = linear("patches")
        self._values, self._tokens = np.split(weight, [config.patch_size])
        frequencies = np.asarray(arrays["frequencies"], np.float32)
        self._positions = _positions(config, frequencies) + bias
        self._final = linear("final")
        # The modulations of all blocks are one product of matrices.
        names = [f"blocks.{block}.modulation" for block in range(config.blocks)]
        modulations = [linear(name) for name in (*names, "final_modulation")]
        self._modulation = (
            np.ascontiguousarray(np.concatenate([own[0] for own in modulations], axis=1)),
            np.concatenate([own[1] for own in modulations]),
        )
        parts = ("qkv", "project", "widen", "narrow")
        self._blocks = [
            {part: linear(f"blocks.{block}.{part}") for part in parts}
            for block in range(config.blocks)
        ]

    def given(
        self, condition: Float32Array, tokens: Float32Array | None = None
    ) -> tuple[Float32Array, Float32Array]:
        """What the conditions contribute at every time: to the modulation, and to the tokens.

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
