"""The energies of the layers, one after the other: each given the ones before it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from calozoo_convl2lflows.config import EnergyConfig
from calozoo_convl2lflows.hurdle import Density, hurdle_log_prob, hurdle_noise, log_deposit

__all__ = ["ENERGY_SCALE_GEV", "PRIMARY_FEATURES", "LayerEnergies", "primary_features"]

PRIMARY_FEATURES = 7
ENERGY_SCALE_GEV = 127.0
FLOOR_MEV = 0.1


def primary_features(energy: Tensor, direction: Tensor) -> Tensor:
    """What the networks see of a primary, shape (n, 7).

    Arguments:
        energy: In GeV, shape (n,).
        direction: Unit vectors, shape (n, 3).
    """
    slope = direction[:, :2] / direction[:, 2:]
    logs, linear = (energy.log() - 3.5) / 1.5, energy / ENERGY_SCALE_GEV
    return torch.cat([logs[:, None], linear[:, None], direction, slope / 1.7], dim=1)


class LayerEnergies(nn.Module):
    r"""Draws E_0..E_{L-1} for an incident energy and direction.

    An autoregressive flow: the energy of a layer is a monotone function of its noise, given the
    energies of the layers before it. One small network serves all layers; it sees them counted
    backwards from its own, so that what it learns in one layer helps in the next.

    Arguments:
        layers: Number of layers.
        config: Sizes.
    """

    def __init__(self, layers: int, config: EnergyConfig) -> None:
        super().__init__()
        self.layers = layers
        inputs = PRIMARY_FEATURES + 2 * layers + 3
        self.net = nn.Sequential(
            nn.Linear(inputs, config.hidden),
            nn.SiLU(),
            nn.Linear(config.hidden, config.hidden),
            nn.SiLU(),
            nn.Linear(config.hidden, config.hidden),
            nn.SiLU(),
        )
        self.logit = nn.Linear(config.hidden, 1)
        self.density = Density(config.hidden, config.bins, mean=4.0, std=2.0)

    def log_prob(self, energy: Tensor, primary: Tensor) -> Tensor:
        """Log-density of ln(1 + E_l / 0.1 MeV), and of which layers are empty, shape (n,).

        Arguments:
            energy: Energies of the layers, in MeV, shape (n, layers).
            primary: Features of the primaries, shape (n, 7).
        """
        known, logit, value, hit = self._known(energy, primary)
        density = torch.zeros_like(value)
        density[hit] = self.density.log_prob(value[hit], known[hit])
        return (hurdle_log_prob(logit, hit) + density).sum(dim=1)

    def to_noise(self, energy: Tensor, primary: Tensor, inside: Tensor) -> Tensor:
        """The noise behind energies of the layers, uniform in (0, 1), shape (n, layers).

        Arguments:
            energy: Energies of the layers, in MeV, shape (n, layers).
            primary: Features of the primaries, shape (n, 7).
            inside: Where below the hurdle the noise of empty layers lies, shape (n, layers).
        """
        known, logit, value, hit = self._known(energy, primary)
        normal, _ = self.density.to_noise(value[hit], known[hit])
        return hurdle_noise(logit, hit, normal, inside)

    def _known(self, energy: Tensor, primary: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        layers = range(self.layers)
        seen = torch.stack([self._seen(energy, primary, layer) for layer in layers], dim=1)
        known = self.net(seen)
        value = log_deposit(energy, FLOOR_MEV)
        return known, self.logit(known).squeeze(-1), value, value > 0

    def _seen(self, energy: Tensor, primary: Tensor, layer: int) -> Tensor:
        n = len(energy)
        before = log_deposit(energy[:, :layer], FLOOR_MEV) / 4
        nearest_first = before.flip(1)
        absent = before.new_zeros(n, self.layers - layer)
        which = before.new_zeros(n, self.layers)
        which[:, layer] = 1
        total = energy[:, :layer].sum(dim=1, keepdim=True)
        depth = torch.arange(layer, dtype=energy.dtype, device=energy.device)
        centre = (energy[:, :layer] * depth).sum(dim=1, keepdim=True) / total.clamp(min=1e-3)
        scale = (primary[:, :1] * 1.5 + 3.5).exp() * 24  # MeV that a shower of this energy leaves
        summary = [
            log_deposit(total, FLOOR_MEV) / 4,
            total / scale,
            (layer - centre) / self.layers * (total > 0),
        ]
        return torch.cat([primary, nearest_first, absent, which, *summary], dim=1)
