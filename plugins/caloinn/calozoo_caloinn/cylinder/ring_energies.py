"""The ring energies of showers, drawn from the networks."""

from __future__ import annotations

import numpy as np

from calozoo_caloinn.cylinder.autoregressive import drawn_layers, drawn_rings
from calozoo_caloinn.cylinder.networks import Networks
from calozoo_caloinn.networks import drawing
from calozoo_caloinn.voxel_encoding import Codec
from calozoo_core.typing import Float32Array

__all__ = ["RingDrawer"]


class RingDrawer:
    """Draws how much energy every ring of every layer gets.

    Arguments:
        codec: From energies to vectors.
        networks: Trained.
    """

    def __init__(self, codec: Codec, networks: Networks) -> None:
        self.codec = codec
        self._visible, self._layers, self._rings = (drawing(network) for network in networks)
        config = codec.config
        self.noise = config.layers + config.width

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
        """Visible energies, in MeV, shape (n,); of the noise, what is theirs."""
        drawn = self._visible(noise, np.log(energy_gev)[:, None].astype(np.float32))
        return self.codec.visible_energy(drawn[:, 0], energy_gev)

    def layers(
        self, energy_gev: Float32Array, visible: Float32Array, noise: Float32Array
    ) -> Float32Array:
        """Layer energies of showers with these visible energies, in MeV, shape (n, layers)."""
        return drawn_layers(self._layers, energy_gev, visible, noise)

    def rings(
        self, energy_gev: Float32Array, layers: Float32Array, noise: Float32Array
    ) -> Float32Array:
        """Ring energies of showers with these layer energies."""
        return drawn_rings(self._rings, self.codec, energy_gev, layers, noise)
