"""Layer energies in torch: their autoregressive flow, and the context of a layer made of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from calozoo_convl2lflows.config import EnergyConfig
from calozoo_convl2lflows.contexts import LAYER_FLOOR_MEV, NEIGHBOURS, PRIMARY_FEATURES
from calozoo_convl2lflows.densities import LAYER_SCALE
from calozoo_convl2lflows.hurdle import Density, hurdle_log_prob, hurdle_noise, log_deposit

__all__ = ["LayerContext", "LayerEnergies"]


class LayerEnergies(nn.Module):
    r"""Autoregressive flow of the layer energies E_0..E_{L-1}, given energy and direction.

    The energy of a layer is a monotone function of its noise, given the energies of the layers
    before it. One small network serves all layers; its inputs are counted backwards from the layer,
    so that what it learns in one layer helps in the next.

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
        self.density = Density(config.hidden, config.bins, *LAYER_SCALE)

    def log_prob(self, energy: Tensor, primary: Tensor) -> Tensor:
        """Log-density of ln(1 + E_l / 0.1 MeV) and of the empty layers, shape (n,).

        Arguments:
            energy: Energies of the layers, in MeV, shape (n, layers).
            primary: Features of the primaries, shape (n, 7).
        """
        features, logit, value, is_hit = self._features(energy, primary)
        density = torch.zeros_like(value)
        density[is_hit] = self.density.log_prob(value[is_hit], features[is_hit])
        return (hurdle_log_prob(logit, is_hit) + density).sum(dim=1)

    def to_noise(self, energy: Tensor, primary: Tensor, fraction: Tensor) -> Tensor:
        """Noise of layer energies, uniform in (0, 1), shape (n, layers).

        Arguments:
            energy: Energies of the layers, in MeV, shape (n, layers).
            primary: Features of the primaries, shape (n, 7).
            fraction: Position of empty layers below the hurdle, in (0, 1), shape (n, layers).
        """
        features, logit, value, is_hit = self._features(energy, primary)
        normal, _ = self.density.to_noise(value[is_hit], features[is_hit])
        return hurdle_noise(logit, is_hit, normal, fraction)

    def _features(self, energy: Tensor, primary: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Hidden features, logits of a hit, logarithmic energies, and which layers are hit."""
        layers = range(self.layers)
        inputs = torch.stack([self._inputs(energy, primary, layer) for layer in layers], dim=1)
        features = self.net(inputs)
        value = log_deposit(energy, LAYER_FLOOR_MEV)
        return features, self.logit(features).squeeze(-1), value, value > 0

    def _inputs(self, energy: Tensor, primary: Tensor, layer: int) -> Tensor:
        """Inputs of the network for one layer."""
        n = len(energy)
        before = log_deposit(energy[:, :layer], LAYER_FLOOR_MEV) / 4
        nearest_first = before.flip(1)
        absent = before.new_zeros(n, self.layers - layer)
        which = before.new_zeros(n, self.layers)
        which[:, layer] = 1
        total = energy[:, :layer].sum(dim=1, keepdim=True)
        depth = torch.arange(layer, dtype=energy.dtype, device=energy.device)
        centre = (energy[:, :layer] * depth).sum(dim=1, keepdim=True) / total.clamp(min=1e-3)
        scale = (primary[:, :1] * 1.5 + 3.5).exp() * 24  # MeV that a shower of this energy leaves
        summary = [
            log_deposit(total, LAYER_FLOOR_MEV) / 4,
            total / scale,
            (layer - centre) / self.layers * (total > 0),
        ]
        return torch.cat([primary, nearest_first, absent, which, *summary], dim=1)


class LayerContext(nn.Module):
    """Context vector of one layer of one shower: features of the primary and the layer energies.

    Arguments:
        layers: Number of layers.
        width: Width of the vector.
    """

    def __init__(self, layers: int, width: int) -> None:
        super().__init__()
        self.layers = layers
        inputs = PRIMARY_FEATURES + layers + (2 * NEIGHBOURS + 1) + 4
        self.net = nn.Sequential(
            nn.Linear(inputs, 2 * width), nn.SiLU(), nn.Linear(2 * width, width), nn.SiLU()
        )

    def forward(self, primary: Tensor, energies: Tensor, layer: Tensor) -> Tensor:
        """The vectors, shape (n, width).

        Arguments:
            primary: Features of the primaries, shape (n, 7).
            energies: Energies of all layers, in MeV, shape (n, layers).
            layer: Index of the layer, shape (n,).
        """
        layers = self.layers
        logs = log_deposit(energies, LAYER_FLOOR_MEV) / 4
        padded = nn.functional.pad(logs, (NEIGHBOURS, NEIGHBOURS))
        window = layer[:, None] + torch.arange(2 * NEIGHBOURS + 1, device=layer.device)
        one_hot = nn.functional.one_hot(layer, layers).to(logs.dtype)
        total = energies.sum(dim=1, keepdim=True)
        depth = torch.arange(layers, dtype=logs.dtype, device=logs.device)
        centre = (energies @ depth)[:, None] / total.clamp(min=1e-3)
        own = energies.gather(1, layer[:, None])
        summary = [
            log_deposit(total, LAYER_FLOOR_MEV) / 4,
            centre / layers,
            (layer[:, None] - centre) / layers,
            own / total.clamp(min=1e-3) * 10,
        ]
        inputs = torch.cat([primary, one_hot, padded.gather(1, window), *summary], dim=1)
        out: Tensor = self.net(inputs)
        return out
