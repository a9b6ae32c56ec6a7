"""Layer energies for files that other programs run, and what all stages there have in common."""

# Without `from __future__ import annotations`: TorchScript wants types, not texts, of attributes.
import torch
from torch import Tensor, nn

from calozoo_convl2lflows.contexts import ENERGY_SCALE_GEV, LAYER_FLOOR_MEV
from calozoo_convl2lflows.densities import LEAST_PROBABILITY
from calozoo_convl2lflows.hurdle import Density
from calozoo_convl2lflows.layer_energies import LayerEnergies
from calozoo_core.nn.normal_quantile import normal_quantile

__all__ = ["LayerEnergiesPart", "PrimaryPart", "Value"]


class Value(nn.Module):
    """Numbers of a density from uniform noise.

    Arguments:
        density: Trained density.
    """

    def __init__(self, density: Density) -> None:
        super().__init__()
        self.density = density

    def forward(self, normal: Tensor, features: Tensor) -> Tensor:
        """Numbers, shape (n,), of standard normal noise, shape (n,), and features."""
        return self.density.to_value(normal, features)


class PrimaryPart(nn.Module):
    """Features of a primary, of which all networks are conditioned."""

    def forward(self, energy: Tensor, direction: Tensor) -> Tensor:
        """Features, shape (1, 7), as `contexts.primary_features` has them."""
        slope = direction[:, :2] / direction[:, 2:]
        logs, scaled = (energy.log() - 3.5) / 1.5, energy / ENERGY_SCALE_GEV
        return torch.cat([logs[:, None], scaled[:, None], direction, slope / 1.7], dim=1)


class LayerEnergiesPart(nn.Module):
    """Energies of the layers, one after the other.

    Arguments:
        flow: Trained flow.
    """

    def __init__(self, flow: LayerEnergies) -> None:
        super().__init__()
        self.net, self.logit, self.value = flow.net, flow.logit, Value(flow.density)
        self.layers, self.floor_mev = flow.layers, LAYER_FLOOR_MEV
        self.least_probability = LEAST_PROBABILITY

    def forward(self, noise: Tensor, primary: Tensor) -> Tensor:
        """Energies in MeV, shape (1, layers).

        Arguments:
            noise: Uniform in [0, 1), shape (layers,).
            primary: Features of the primary, shape (1, 7).
        """
        scale = (primary[:, :1] * 1.5 + 3.5).exp() * 24
        total, moment = torch.zeros_like(scale), torch.zeros_like(scale)
        before = torch.zeros(1, self.layers, dtype=primary.dtype)  # nearest first
        energies: list[Tensor] = []
        for layer in range(self.layers):
            which = torch.zeros(1, self.layers, dtype=primary.dtype)
            which[:, layer] = 1.0
            centre = moment / total.clamp(min=1e-3)
            log_total = (total / self.floor_mev).log1p() / 4
            distance = (layer - centre) / self.layers * (total > 0)
            inputs = [primary, before, which, log_total, total / scale, distance]
            features = self.net(torch.cat(inputs, dim=1))
            logit = self.logit(features).reshape(1).double()
            uniform = noise[layer].reshape(1).double()
            probability = 1 - (1 - uniform) / torch.sigmoid(logit)
            least = self.least_probability
            normal = normal_quantile(probability.clamp(least, 1 - least)).to(primary.dtype)
            value = self.value(normal, features).clamp(1e-3, 14.0)
            is_hit = uniform > torch.sigmoid(-logit)
            deposit = torch.where(is_hit, value.expm1() * self.floor_mev, torch.zeros_like(value))
            deposit = deposit.unsqueeze(1)
            energies.append(deposit)
            total = total + deposit
            moment = moment + deposit * layer
            latest = (deposit / self.floor_mev).log1p() / 4
            before = torch.cat([latest, before[:, : self.layers - 1]], dim=1)
        return torch.cat(energies, dim=1)
