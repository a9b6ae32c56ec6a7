"""The ring energies of showers, drawn from the networks."""

from __future__ import annotations

import numpy as np

from calozoo_caloinn.networks import Drawer, conditions
from calozoo_caloinn.voxel_encoding import Codec
from calozoo_core.typing import Float32Array

__all__ = ["RingEnergies"]


class RingEnergies:
    """Draws how much energy every ring of every layer gets.

    Arguments:
        drawer: The networks.
        threshold: Energy below which each ring is empty, in MeV, shape (layers x rings,).
        calibration: Factor on the energy of each ring, shape (layers x rings,).
    """

    def __init__(self, drawer: Drawer, threshold: Float32Array, calibration: Float32Array) -> None:
        self.drawer = drawer
        self._threshold, self._calibration = threshold, calibration
        self.codec = Codec(drawer.config.codec)

    def __call__(
        self, energy_gev: Float32Array, direction: Float32Array, noise: Float32Array
    ) -> Float32Array:
        """Ring energies, in MeV, shape (n, layers x rings).

        Arguments:
            energy_gev: Incident energies, shape (n,).
            direction: Unit vectors, shape (n, 3).
            noise: Standard normal, shape (n, `drawer.noise`).
        """
        drawn = self.drawer(noise, conditions(energy_gev, direction))
        energies = self.codec.decode(*drawn, energy_gev).reshape(len(noise), -1)
        kept = np.where(energies < self._threshold, np.float32(0), self.codec.emptied(energies))
        return kept * self._calibration
