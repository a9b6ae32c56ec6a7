"""Flow of the energies of layers, which models that draw a shower's core share."""

from __future__ import annotations

from calozoo_core.clumps.core_encoding import energy_features, layers_from_ratios
from calozoo_core.nn.flow_sampler import FlowSampler
from calozoo_core.typing import Float32Array

__all__ = ["EnergySampler"]


class EnergySampler(FlowSampler):
    """Sampler of the energies of layers."""

    def __call__(
        self, noise: Float32Array, condition: Float32Array, energy_gev: Float32Array
    ) -> Float32Array:
        """Energies of layers, in MeV, shape (n, layers).

        Arguments:
            noise: Standard normal, shape (n, layers).
            condition: `primary_condition`, shape (n, 4).
            energy_gev: Incident energies, shape (n,).
        """
        drawn = self.standardised(noise, condition)
        return layers_from_ratios(self.scale.invert(drawn, energy_features(condition)), energy_gev)
