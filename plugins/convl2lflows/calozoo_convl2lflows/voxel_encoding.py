"""What the published flow sees: noise where nothing is, then logarithm and logit."""

from __future__ import annotations

import torch
from torch import Tensor

from calozoo_convl2lflows.config import GridConfig, VoxelsConfig
from calozoo_convl2lflows.layer_energies import ENERGY_SCALE_GEV

__all__ = ["EnergyChain", "VoxelChain", "layer_constant", "primary_constants"]

MEV_PER_GEV = 1e3
LOG_FLOOR = 1e-7
DECADES = 7.0
EDGE = 1e-2
"""The logit leaves out this much at either end."""
ENERGY_EDGE = 1e-6
EMPTY_MEV = 1e-5
"""Voxels with less get noise of their own, log-normal about 1 keV with 0.2 decades."""
EMPTY_NOISE_MEV, EMPTY_DECADES = 1e-3, 0.2


def primary_constants(primary: Tensor) -> Tensor:
    """What the published flows see of a primary: 2 log10(E / GeV) - 3, and the direction, (n, 4).

    Arguments:
        primary: Its features, shape (n, 7), as `energies.primary_features` makes them.
    """
    energy = primary[:, 1:2] * ENERGY_SCALE_GEV
    return torch.cat([2 * (energy + 1e-6).log10() - 3, primary[:, 2:5]], dim=1)


def layer_constant(energy_mev: Tensor) -> Tensor:
    """What they see of the energy of a layer."""
    return (energy_mev / MEV_PER_GEV + 1e-6).log10() + 1


class VoxelChain:
    """Voxels of a layer into numbers within about 4.6 of zero, and back.

    References:
        | Convolutional L2LFlows, https://arxiv.org/abs/2405.20407

    Arguments:
        grid: Whose threshold cuts the noise away again.
        config: Noise and maxima.
    """

    def __init__(self, grid: GridConfig, config: VoxelsConfig) -> None:
        self.threshold, self.noise = grid.threshold_mev, config.noise_mev
        maxima = torch.tensor(config.maxima_mev)
        self.maxima = maxima.expand(grid.layers) if len(maxima) == 1 else maxima

    def noised(self, energy: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
        """Deposits with noise below the threshold, and what was below it raised to noise.

        Arguments:
            energy: In MeV, any shape; nothing in it lies between 0 and the threshold.
            uniform: Numbers in [0, 1), shaped as `energy`.
            normal: Standard normal numbers, likewise.
        """
        blob = EMPTY_NOISE_MEV * 10 ** (EMPTY_DECADES * normal)
        noise = uniform * self.noise + torch.where(energy < EMPTY_MEV, blob, 0.0)
        return energy + noise.clamp(0, self.threshold)

    def forward(self, energy: Tensor, layer: Tensor) -> Tensor:
        """From MeV to what the flow sees; `layer` has a row for each image of `energy`."""
        share = (energy / self._maximum(layer)).clamp(0, 1)
        unit = (share + LOG_FLOOR).log10() / DECADES + 1
        return torch.logit(EDGE + (1 - 2 * EDGE) * unit)

    def inverse(self, value: Tensor, layer: Tensor) -> Tensor:
        """Back to MeV."""
        unit = (torch.sigmoid(value) - EDGE) / (1 - 2 * EDGE)
        share = (10 ** ((unit - 1) * DECADES) - LOG_FLOOR).clamp(0, 1)
        return share * self._maximum(layer)

    def _maximum(self, layer: Tensor) -> Tensor:
        return (self.maxima[layer] + 1e-3)[:, None, None]


class EnergyChain:
    """Energies of the layers into what the published flow of energies sees, and back.

    Arguments:
        scale_mev: Larger than any of them.
    """

    def __init__(self, scale_mev: float) -> None:
        self.scale = scale_mev

    def forward(self, energy: Tensor, normal: Tensor) -> Tensor:
        """From MeV, noise of 1 +- 0.2 keV added."""
        share = ((energy + 1e-3 + 2e-4 * normal) / self.scale).clamp(0, 1)
        return torch.logit(ENERGY_EDGE + (1 - 2 * ENERGY_EDGE) * share)

    def inverse(self, value: Tensor) -> Tensor:
        """Back to MeV."""
        share = (torch.sigmoid(value) - ENERGY_EDGE) / (1 - 2 * ENERGY_EDGE)
        return share.clamp(0, 1) * self.scale - 1e-3
