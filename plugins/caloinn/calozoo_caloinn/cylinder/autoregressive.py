"""Ring energies on cylinders, sampled layer by layer from autoregressive networks.

One network serves all layers, so every shower has as many examples for it as it has layers. Layers
differ by its condition: position of the layer, energies of its neighbours, and rings of the layers
before it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from calozoo_caloinn.numpy_inn import Sampler
from calozoo_caloinn.voxel_encoding import Codec
from calozoo_core.typing import Float32Array

__all__ = ["CylinderRingSampler", "layer_condition", "ring_condition"]


FLOOR_MEV = np.float32(0.02)
"""Added to an energy before its logarithm is taken."""

LEAST_MEV = np.float32(1e-9)
"""Least energy of a ring, so that rings without energy have ratios."""


def layer_condition(
    at: int, energy_gev: Float32Array, visible: Float32Array, layers: Float32Array
) -> Float32Array:
    """Condition of the network of the layers, shape (n, 10).

    Arguments:
        at: Index of the layer.
        energy_gev: Incident energies, shape (n,).
        visible: Visible energies, in MeV, shape (n,).
        layers: Energies of layers, in MeV, shape (n, layers); only those before this one are used.
    """
    number = layers.shape[1]
    before = layers[:, :at].sum(axis=1)
    left = np.maximum(visible - before, 0)
    last, second, third = (_log(layers[:, at - k] if at >= k else None, left) for k in (1, 2, 3))
    depth = layers[:, :at] @ np.arange(at, dtype=np.float32) / (before + FLOOR_MEV) / number
    columns = [
        np.full_like(left, at / number),
        np.log(energy_gev),
        np.log(visible / energy_gev),
        np.log(left + FLOOR_MEV),
        np.log(before + FLOOR_MEV),
        last,
        second,
        third,
        last - np.log(left + FLOOR_MEV),
        depth,
    ]
    return np.column_stack(columns).astype(np.float32)


def ring_condition(
    at: int, codec: Codec, energy_gev: Float32Array, layers: Float32Array, rings: Float32Array
) -> Float32Array:
    """Condition of the network of the rings, shape (n, 7 + 3 (rings - 1)).

    Arguments:
        at: Index of the layer.
        codec: Encoding of ring energies.
        energy_gev: Incident energies, shape (n,).
        layers: Energies of all layers, in MeV, shape (n, layers).
        rings: Energies of rings, in MeV, shape (n, layers, rings); only the layers before this
            one are used.
    """
    number = layers.shape[1]
    columns = [
        np.log(energy_gev),
        np.full_like(energy_gev, at / number),
        _log(layers[:, at], energy_gev),
        _log(layers[:, at - 1] if at > 0 else None, energy_gev),
        _log(layers[:, at + 1] if at + 1 < number else None, energy_gev),
        _log(layers[:, :at].sum(axis=1), energy_gev),
        _log(layers[:, at + 1 :].sum(axis=1), energy_gev),
    ]
    before = [rings[:, at - 1], rings[:, max(at - 2, 0)], rings[:, :at].sum(axis=1)]
    no_ratios = np.zeros((len(layers), rings.shape[2] - 1), np.float32)
    earlier = [
        codec.ratios(np.maximum(energy, LEAST_MEV)) if at > 0 else no_ratios for energy in before
    ]
    return np.concatenate([np.column_stack(columns), *earlier], axis=1).astype(np.float32)


class CylinderRingSampler:
    """Sampler of the energy of every ring of every layer.

    Arguments:
        codec: Encoding of ring energies.
        samplers: Samplers of invertible networks: "visible", of the visible over the incident
            energy; "layers", of the ratio of a layer; "rings", of the ratios of its rings.
    """

    def __init__(self, codec: Codec, samplers: Mapping[str, Sampler]) -> None:
        self.codec = codec
        self._samplers = samplers
        self.noise = codec.config.layers + codec.config.width

    def __call__(self, energy_gev: Float32Array, noise: Float32Array) -> Float32Array:
        """Ring energies, in MeV, shape (n, layers, rings); empty ones have some noise left.

        Arguments:
            energy_gev: Incident energies, shape (n,).
            noise: Standard normal, shape (n, `noise`).
        """
        head = self.codec.config.layers
        visible = self.visible(energy_gev, noise[:, :1])
        layers = self.layers(energy_gev, visible, noise[:, 1:head])
        energies = self.rings(energy_gev, layers, noise[:, head:])
        width = np.float32(self.codec.config.noise_mev)
        # Without the mean of the noise; what had less keeps the half, so that none is below 0.
        without: Float32Array = np.maximum(energies - width / 2, energies / 2)
        return without

    def visible(self, energy_gev: Float32Array, noise: Float32Array) -> Float32Array:
        """Visible energies, in MeV, shape (n,).

        Arguments:
            energy_gev: Incident energies, shape (n,).
            noise: Standard normal, shape (n, 1).
        """
        condition = np.log(energy_gev)[:, None].astype(np.float32)
        first = self._samplers["visible"](noise, condition)
        return self.codec.visible_energy(first[:, 0], energy_gev)

    def layers(
        self, energy_gev: Float32Array, visible: Float32Array, noise: Float32Array
    ) -> Float32Array:
        """Energies of layers, in MeV, shape (n, layers).

        Arguments:
            energy_gev: Incident energies, shape (n,).
            visible: Visible energies, in MeV, shape (n,).
            noise: Standard normal, shape (n, layers - 1); the last layer takes what is left.
        """
        sample = self._samplers["layers"]
        n, ratios = noise.shape
        layers = np.zeros((n, ratios + 1), np.float32)
        left = visible
        for at in range(ratios):
            condition = layer_condition(at, energy_gev, visible, layers)
            logit = sample(noise[:, at : at + 1], condition)
            ratio = 1 / (1 + np.exp(-np.clip(logit[:, 0], -14, 14)))
            layers[:, at] = left * ratio
            left = (left * (1 - ratio)).astype(np.float32)
        layers[:, -1] = left
        return layers

    def rings(
        self, energy_gev: Float32Array, layers: Float32Array, noise: Float32Array
    ) -> Float32Array:
        """Energies of rings, in MeV, shape (n, layers, rings).

        Arguments:
            energy_gev: Incident energies, shape (n,).
            layers: Energies of the layers, in MeV, shape (n, layers).
            noise: Standard normal, shape (n, layers x (rings - 1)).
        """
        sample, codec = self._samplers["rings"], self.codec
        n, number = layers.shape
        noise = noise.reshape(n, number, -1)
        rings = np.zeros((n, number, noise.shape[2] + 1), np.float32)
        for at in range(number):
            ratios = sample(noise[:, at], ring_condition(at, codec, energy_gev, layers, rings))
            shares = codec.shares(ratios)
            rings[:, at] = shares * (layers[:, at] / shares.sum(axis=1))[:, None]
        return rings


def _log(energy: Float32Array | None, like: Float32Array) -> Float32Array:
    """Logarithm of an energy, or of 0 where there is no such layer, shape (n,)."""
    log: Float32Array = np.log((np.zeros_like(like) if energy is None else energy) + FLOOR_MEV)
    return log
