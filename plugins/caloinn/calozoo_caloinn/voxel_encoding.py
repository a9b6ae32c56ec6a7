"""Encoding of voxel energies as the vector that the networks model, and decoding.

The layers' part: u_0 is the visible over the incident energy, u_i the energy of layer i - 1 over
that of itself and all behind it. The voxels' part: the shares of the voxels of each layer.

References:
    | CaloINN, section 2: https://arxiv.org/abs/2312.09290
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from calozoo_caloinn.config import CodecConfig
from calozoo_core.nn.stick_breaking import break_stick, stick_logits
from calozoo_core.typing import Float32Array

__all__ = ["Codec", "Encoded"]

LOG_FLOOR_MEV = np.float32(0.05)
"""Added to the energy of a layer before its logarithm is taken."""

SHARE_FLOOR = 1e-6
"""Added to the share of a voxel before its logarithm is taken."""


class Encoded(NamedTuple):
    """Vector of showers, in two parts.

    Arguments:
        layers: ln of u_0 over its typical value, then the logits of u_1, u_2, ..., shape
            (n, layers).
        voxels: Logits of ratios, or logarithms of shares, shape (n, width).
    """

    layers: Float32Array
    voxels: Float32Array


class Codec:
    """Encoder and decoder of voxel energies.

    Arguments:
        config: Configuration of the encoding.

    Example:
        >>> codec = Codec(CodecConfig(layers=2, voxels=2))
        >>> energies = np.array([[[3, 1], [2, 2]]], np.float32)
        >>> incident = np.array([0.3], np.float32)
        >>> codec.decode(*codec.encode(energies, incident), incident).round(3).tolist()
        [[[3.0, 1.0], [2.0, 2.0]]]
    """

    def __init__(self, config: CodecConfig) -> None:
        self.config = config

    def add_noise(self, energies: Float32Array, random: np.random.Generator) -> Float32Array:
        """Energies with noise on every voxel, so that empty ones have a density, in MeV."""
        width = np.float32(self.config.noise_mev)
        return energies + width * random.random(energies.shape, np.float32)

    def threshold(self, energies: Float32Array) -> Float32Array:
        """Energies without the noise, in MeV: those below its width become 0."""
        width = np.float32(self.config.noise_mev)
        return np.where(energies < width, np.float32(0), energies - width / 2)

    def encode(self, energies: Float32Array, energy_gev: Float32Array) -> Encoded:
        """Vector of energies.

        Arguments:
            energies: Positive energies, in MeV, shape (n, layers, voxels).
            energy_gev: Incident energies, shape (n,).
        """
        layers = energies.sum(axis=2)
        typical = 1000 * self.config.visible * energy_gev
        first = np.log(layers.sum(axis=1) / typical)
        encoded = np.concatenate([first[:, None], stick_logits(layers)], axis=1)
        if self.config.kind == "ratios":
            voxels = self.ratios(energies)
        else:
            voxels = np.log(energies / layers[..., None] + np.float32(SHARE_FLOOR))
        return Encoded(
            encoded.astype(np.float32), voxels.reshape(len(energies), -1).astype(np.float32)
        )

    def layer_energies(self, layers: Float32Array, energy_gev: Float32Array) -> Float32Array:
        """Energies of layers, in MeV, shape (n, layers).

        Arguments:
            layers: The layers' part of the vector, shape (n, layers).
            energy_gev: Incident energies, shape (n,).
        """
        visible = self.visible_energy(layers[:, 0], energy_gev)
        return visible[:, None] * break_stick(layers[:, 1:])

    def visible_energy(self, first: Float32Array, energy_gev: Float32Array) -> Float32Array:
        """Visible energies, in MeV, shape (n,), from the first number of a vector.

        Arguments:
            first: ln of u_0 over its typical value, shape (n,).
            energy_gev: Incident energies, shape (n,).
        """
        typical = self.config.visible
        # A network may stray, but no shower holds more than its primary had.
        share = typical * np.exp(np.clip(first, -12, -np.log(typical)))
        return (1000 * energy_gev * share).astype(np.float32)

    def voxel_condition(self, layers: Float32Array, condition: Float32Array) -> Float32Array:
        """Condition of a network of the voxels: that of the shower and ln of the layer energies.

        Arguments:
            layers: The layers' part of the vector, shape (n, layers).
            condition: (ln E, p_x, p_y, p_z), shape (n, 4).
        """
        energies = self.layer_energies(layers, np.exp(condition[:, 0]))
        return np.concatenate([condition, np.log(energies + LOG_FLOOR_MEV)], axis=1)

    def decode(
        self, layers: Float32Array, voxels: Float32Array, energy_gev: Float32Array
    ) -> Float32Array:
        """Energies of a vector, in MeV, shape (n, layers, voxels).

        Arguments:
            layers: The layers' part, shape (n, layers).
            voxels: The voxels' part, shape (n, width).
            energy_gev: Incident energies, shape (n,).
        """
        config = self.config
        energy = self.layer_energies(layers, energy_gev)
        shape = (len(layers), config.layers, config.width // config.layers)
        if config.kind == "ratios":
            shares = self.shares(voxels.reshape(shape))
        else:
            grown = np.exp(np.clip(voxels, -20, 5).reshape(shape))
            shares = np.maximum(grown - np.float32(SHARE_FLOOR), np.float32(1e-12))
        shares *= (energy / shares.sum(axis=2))[..., None]
        return shares.astype(np.float32, copy=False)

    def ratios(self, energies: Float32Array) -> Float32Array:
        """Logits of the ratio of each voxel to the sum of itself and those behind it, one fewer.

        Arguments:
            energies: Positive energies, shape (..., voxels).
        """
        powers = energies ** np.float32(self.config.power)
        return stick_logits(powers)

    def shares(self, ratios: Float32Array) -> Float32Array:
        """Relative energies of voxels, shape (..., voxels), from these logits."""
        shares = break_stick(ratios)
        if self.config.power == 0.5:
            shares *= shares
        elif self.config.power != 1:
            shares **= np.float32(1 / self.config.power)
        return shares
