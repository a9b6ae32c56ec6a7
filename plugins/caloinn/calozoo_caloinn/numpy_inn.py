"""Invertible networks and decoders of autoencoders in numpy, as generation uses them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from calozoo_caloinn.config import InnConfig, VaeConfig
from calozoo_caloinn.voxel_encoding import SHARE_FLOOR
from calozoo_core.nn.mlp import Mlp
from calozoo_core.nn.numpy_flow import (
    NumpyStep,
    SplineCouplingSizes,
    act_norm,
    act_norm_layout,
    permutation,
)
from calozoo_core.nn.numpy_spline import n_parameters
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Arrays, Layout, TensorLayout, part, prefixed

__all__ = [
    "HEADROOM",
    "NumpyInn",
    "NumpyVae",
    "Sampler",
    "has_numpy",
    "inn_layout",
    "vae_layout",
]

Sampler = Callable[[Float32Array, Float32Array], Float32Array]
"""Function of noise, shape (n, dim), and condition, shape (n, conditions), to data, (n, dim)."""

HEADROOM = 0.9
"""Factor on the shares that an autoencoder learns, so that a logit can reach the share 1."""


def has_numpy(config: InnConfig) -> bool:
    """True if every part of the network has a counterpart in numpy: cubic splines have none."""
    return config.spline == "rational-quadratic"


def inn_layout(config: InnConfig) -> Layout:
    """Layout of the tensors of an invertible network."""
    layout = _standardisation_layout(config.dim, config.conditions)
    for i, kind in enumerate(_kinds(config)):
        own: Layout = {}
        if kind == "baseline":
            own = prefixed("of_head", _of_head(config).layout())
            if (rest := _of_rest(config)) is not None:
                own |= prefixed("of_rest", rest.layout())
        elif kind == "act norm":
            own = act_norm_layout(config.dim)
        elif kind == "coupling":
            own = _coupling(config).layout()
        else:
            own = {"order": TensorLayout.table(config.dim, dtype="int64")}
        layout |= prefixed(f"transforms.{i}", own)
    return layout


class NumpyInn:
    """Inverse of an invertible network on arrays.

    Arguments:
        config: Sizes, of a network that has a counterpart in numpy.
        arrays: Tensors of `inn_layout`.
    """

    def __init__(self, config: InnConfig, arrays: Arrays) -> None:
        assert has_numpy(config)
        self._shift, self._scale = arrays["shift"], arrays["scale"]
        self._condition_shift = arrays["condition_shift"]
        self._condition_scale = arrays["condition_scale"]
        steps: list[NumpyStep] = []
        for i, kind in enumerate(_kinds(config)):
            own = part(arrays, f"transforms.{i}")
            if kind == "baseline":
                steps.append(_inverse_baseline(config, own))
            elif kind == "act norm":
                steps.append(act_norm(own, inverse=True))
            elif kind == "coupling":
                steps.append(_coupling(config).inverse(own))
            else:
                steps.append(permutation(own["order"], inverse=True))
        self._steps = steps[::-1]

    def __call__(self, noise: Float32Array, condition: Float32Array) -> Float32Array:
        """Data of noise, shape (n, dim).

        Arguments:
            noise: Standard normal, shape (n, dim).
            condition: Condition, shape (n, conditions).
        """
        shifted = condition - self._condition_shift
        standardised = np.asarray(shifted / self._condition_scale, np.float32)
        x = noise
        for step in self._steps:
            x = step(x, standardised)
        return x * self._scale + self._shift


def vae_layout(config: VaeConfig) -> Layout:
    """Layout of the tensors of an autoencoder."""
    encoder = Mlp(config.dim + config.conditions, config.hidden, 2 * config.latent)
    return (
        _standardisation_layout(config.dim, config.conditions)
        | prefixed("encoder", encoder.layout())
        | prefixed("decoder", _decoder(config).layout())
    )


class NumpyVae:
    """Decoder of an autoencoder on arrays.

    Arguments:
        config: Sizes.
        arrays: Tensors of `vae_layout`.
    """

    def __init__(self, config: VaeConfig, arrays: Arrays) -> None:
        self._decode = _decoder(config).function(part(arrays, "decoder"))
        self._shift, self._scale = arrays["condition_shift"], arrays["condition_scale"]

    def __call__(self, latent: Float32Array, condition: Float32Array) -> Float32Array:
        """Logarithms of shares, shape (n, dim)."""
        inputs = np.concatenate([latent, (condition - self._shift) / self._scale], axis=1)
        # tanh does not overflow, where exp would.
        shares = (1 + np.tanh(self._decode(inputs) / 2)) / np.float32(2 * HEADROOM)
        logs: Float32Array = np.log(shares + np.float32(SHARE_FLOOR))
        return logs


def _kinds(config: InnConfig) -> list[str]:
    """Kinds of the transforms, from data to noise."""
    kinds = [] if config.baseline_hidden is None else ["baseline"]
    for block in range(config.blocks):
        if config.act_norm and block > 0:
            kinds.append("act norm")
        kinds += ["coupling", "permutation"]
    return kinds


def _standardisation_layout(dim: int, conditions: int) -> Layout:
    widths = {
        "shift": dim,
        "scale": dim,
        "condition_shift": conditions,
        "condition_scale": conditions,
    }
    return {name: TensorLayout.table(width) for name, width in widths.items()}


def _coupling(config: InnConfig) -> SplineCouplingSizes:
    return SplineCouplingSizes(
        config.dim,
        config.conditions,
        (config.hidden,) * config.hidden_layers,
        bound=config.bound,
        parameters=n_parameters(config.bins, config.spline),
        batch_norm=config.batch_norm,
        dropout=config.dropout > 0,
    )


def _of_head(config: InnConfig) -> Mlp:
    return _baseline(config, config.conditions, config.baseline_head)


def _of_rest(config: InnConfig) -> Mlp | None:
    rest = config.dim - config.baseline_head
    return _baseline(config, config.baseline_head + config.conditions, rest) if rest else None


def _baseline(config: InnConfig, inputs: int, elements: int) -> Mlp:
    assert config.baseline_hidden is not None
    hidden, dropout = (config.baseline_hidden,) * 2, config.dropout > 0
    return Mlp(inputs, hidden, 2 * elements, activation="silu", dropout=dropout)


def _inverse_baseline(config: InnConfig, arrays: Arrays) -> NumpyStep:
    """Affine transform that gives every element its mean and spread, given the condition."""
    n_head, of_head = config.baseline_head, _of_head(config).function(part(arrays, "of_head"))
    rest_network = _of_rest(config)
    of_rest = None if rest_network is None else rest_network.function(part(arrays, "of_rest"))

    def step(y: Float32Array, condition: Float32Array) -> Float32Array:
        head = _inverse_affine(y[:, :n_head], of_head(condition))
        if of_rest is None:
            return head
        rest = of_rest(np.concatenate([head, condition], axis=1))
        return np.concatenate([head, _inverse_affine(y[:, n_head:], rest)], axis=1)

    return step


def _inverse_affine(y: Float32Array, shift_and_log_scale: Float32Array) -> Float32Array:
    width = y.shape[1]
    x: Float32Array = y * np.exp(-shift_and_log_scale[:, width:]) + shift_and_log_scale[:, :width]
    return x


def _decoder(config: VaeConfig) -> Mlp:
    return Mlp(config.latent + config.conditions, config.hidden[::-1], config.dim)
