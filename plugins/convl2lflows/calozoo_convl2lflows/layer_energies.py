"""Layer energies: their autoregressive flow, and the context of a layer made of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from calozoo_convl2lflows.config import EnergyConfig
from calozoo_convl2lflows.hurdle import (
    Density,
    NumpyDensity,
    hurdle_log_prob,
    hurdle_noise,
    log_deposit,
    normal_quantile,
    sigmoid,
)
from calozoo_core.nn.mlp import linear, silu
from calozoo_core.typing import Float32Array, FloatArray

__all__ = [
    "ENERGY_SCALE_GEV",
    "PRIMARY_FEATURES",
    "LayerContext",
    "LayerEnergies",
    "LayerEnergySampler",
    "primary_features",
]

PRIMARY_FEATURES = 7
ENERGY_SCALE_GEV = 127.0
FLOOR_MEV = 0.1
NEIGHBOURS = 3
"""Layers on either side of a layer whose energies are in its context."""


def primary_features(energy: Tensor, direction: Tensor) -> Tensor:
    """Input features of a primary: energy, direction and slopes, shape (n, 7).

    Arguments:
        energy: Incident energies in GeV, shape (n,).
        direction: Unit vectors, shape (n, 3).
    """
    slope = direction[:, :2] / direction[:, 2:]
    logs, linear = (energy.log() - 3.5) / 1.5, energy / ENERGY_SCALE_GEV
    return torch.cat([logs[:, None], linear[:, None], direction, slope / 1.7], dim=1)


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
        self.density = Density(config.hidden, config.bins, mean=4.0, std=2.0)

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
        value = log_deposit(energy, FLOOR_MEV)
        return features, self.logit(features).squeeze(-1), value, value > 0

    def _inputs(self, energy: Tensor, primary: Tensor, layer: int) -> Tensor:
        """Inputs of the network for one layer."""
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


class LayerEnergySampler:
    """Generation of layer energies on arrays.

    Arguments:
        flow: Trained flow; its weights are copied.
    """

    def __init__(self, flow: LayerEnergies) -> None:
        self.layers = flow.layers
        self._hidden = [linear(flow.net[i]) for i in (0, 2, 4)]
        self._logit = linear(flow.logit)
        self._density = NumpyDensity(flow.density)

    def __call__(self, streams: Sequence[np.random.Generator], primary: Tensor) -> Tensor:
        """Energies of the layers, in MeV, shape (n, layers).

        Arguments:
            streams: Random stream of each shower.
            primary: Features of the primaries, shape (n, 7).
        """
        noise = np.stack([random.random(self.layers) for random in streams])
        return torch.from_numpy(self.energies(noise, primary.cpu().numpy()))

    def energies(self, noise: FloatArray, primary: Float32Array) -> Float32Array:
        """Energies of the layers from noise, in MeV, shape (n, layers).

        Arguments:
            noise: Uniform in (0, 1), shape (n, layers).
            primary: Features of the primaries, shape (n, 7).
        """
        n, layers = len(primary), self.layers
        weight, bias = self._hidden[0]
        of_primary, of_before, of_which, of_summary = np.split(
            weight, [PRIMARY_FEATURES, PRIMARY_FEATURES + layers, PRIMARY_FEATURES + 2 * layers]
        )
        start = primary @ of_primary + bias
        scale = np.exp(primary[:, 0] * np.float32(1.5) + np.float32(3.5)) * np.float32(24)
        energy, logs = np.zeros((2, n, layers), np.float32)
        total, moment = np.zeros((2, n), np.float32)
        summary = np.zeros((n, 3), np.float32)
        for layer in range(layers):
            x = start + of_which[layer]
            if layer:
                x += logs[:, layer - 1 :: -1] @ of_before[:layer]
                summary[:, 0] = np.log1p(total / np.float32(FLOOR_MEV)) / 4
                summary[:, 1] = total / scale
                centre = moment / np.maximum(total, np.float32(1e-3))
                summary[:, 2] = (layer - centre) / layers * (total > 0)
                x += summary @ of_summary
            x = silu(x)
            for inner, inner_bias in self._hidden[1:]:
                x = x @ inner
                x += inner_bias
                x = silu(x)
            logit = (x @ self._logit[0] + self._logit[1])[:, 0].astype(np.float64)
            is_hit = noise[:, layer] > sigmoid(-logit)
            if not is_hit.any():
                continue
            probability = 1 - (1 - noise[is_hit, layer]) / sigmoid(logit[is_hit])
            value = self._density(normal_quantile(probability), x[is_hit])
            deposit = np.expm1(np.clip(value, 1e-3, 14.0)) * np.float32(FLOOR_MEV)
            energy[is_hit, layer] = deposit
            logs[is_hit, layer] = np.log1p(deposit / np.float32(FLOOR_MEV)) / 4
            total[is_hit] += deposit
            moment[is_hit] += deposit * layer
        return energy


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

    def all_layers(self, primary: Tensor, energies: Tensor) -> Tensor:
        """The vectors of all layers, shape (n, layers, width)."""
        n, layers = len(primary), self.layers
        layer = torch.arange(layers, device=primary.device).repeat(n)
        repeated = (values.repeat_interleave(layers, dim=0) for values in (primary, energies))
        vectors: Tensor = self(*repeated, layer)
        return vectors.view(n, layers, -1)

    def forward(self, primary: Tensor, energies: Tensor, layer: Tensor) -> Tensor:
        """The vectors, shape (n, width).

        Arguments:
            primary: Features of the primaries, shape (n, 7).
            energies: Energies of all layers, in MeV, shape (n, layers).
            layer: Index of the layer, shape (n,).
        """
        layers = self.layers
        logs = log_deposit(energies, FLOOR_MEV) / 4
        padded = nn.functional.pad(logs, (NEIGHBOURS, NEIGHBOURS))
        window = layer[:, None] + torch.arange(2 * NEIGHBOURS + 1, device=layer.device)
        one_hot = nn.functional.one_hot(layer, layers).to(logs.dtype)
        total = energies.sum(dim=1, keepdim=True)
        depth = torch.arange(layers, dtype=logs.dtype, device=logs.device)
        centre = (energies @ depth)[:, None] / total.clamp(min=1e-3)
        own = energies.gather(1, layer[:, None])
        summary = [
            log_deposit(total, FLOOR_MEV) / 4,
            centre / layers,
            (layer[:, None] - centre) / layers,
            own / total.clamp(min=1e-3) * 10,
        ]
        inputs = torch.cat([primary, one_hot, padded.gather(1, window), *summary], dim=1)
        out: Tensor = self.net(inputs)
        return out
