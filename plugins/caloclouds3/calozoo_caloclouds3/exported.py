"""CaloClouds3 for files that other programs run: one shower in torch alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from calozoo_caloclouds3.config import N_LAYERS, CaloCloudsConfig
from calozoo_caloclouds3.flow import ShowerFlow
from calozoo_caloclouds3.pointwise_net import (
    FEATURES,
    LEAK,
    SIGMA_DATA,
    SIGMA_MAX,
    SIGMA_MIN,
    PointWiseNet,
)
from calozoo_core.nn.exported import (
    CANDIDATES,
    MOST_POINTS,
    Noise,
    PointModel,
    first_good,
    limited_length,
)
from calozoo_core.random import stream

__all__ = ["ExportedCaloClouds3"]

DEPTH = 2
"""Index of the layer among the features."""


class ExportedCaloClouds3(PointModel):
    """CaloClouds3 as a module of tensors, the steps of the generator one by one.

    The flow draws several candidates at once and the first good one is taken; the
    point network is computed for as many points as the flow asked for, at most as many as DDML has
    room for.

    Arguments:
        flow: Trained flow.
        points: Trained one-step network.
        config: Configuration of the model.
        layer_depth_mm: Depths of the layers.
    """

    candidates = CANDIDATES

    def __init__(
        self,
        flow: ShowerFlow,
        points: PointWiseNet,
        config: CaloCloudsConfig,
        layer_depth_mm: Sequence[float],
    ) -> None:
        super().__init__(
            [
                Noise("layer_noise", (CANDIDATES, 2 * N_LAYERS)),
                Noise("point_noise", (FEATURES, MOST_POINTS)),
            ],
            layer_depth_mm,
        )
        self.flow, self.net, self.depth = flow, OneStep(points), DEPTH
        features, calibration = config.features, config.calibration
        self.energy_scale_gev = float(config.energy_scale_gev)
        self.exponent = 1.0 / float(config.flow.power)
        self.max_points = int(min(config.max_points, MOST_POINTS))
        self.max_negative_layers = int(config.max_negative_layers)
        self.points_factor, self.energy_factor = calibration.n_points, calibration.energy
        self.position_factor = float(calibration.position)
        self.x_mean, self.x_spread = features.x_mm[0], 2 * features.x_mm[1]
        self.y_mean, self.y_spread = features.y_mm[0], 2 * features.y_mm[1]
        self.log_mean, self.log_spread = features.log_energy[0], 2 * features.log_energy[1]
        self.warp_mm = float(features.warp_mm or 0.0)

    def traced_parts(self) -> dict[str, tuple[Tensor, ...]]:
        condition = torch.tensor([[0.4, 0.0, 0.0, 1.0]])
        return {
            "flow": (torch.zeros(CANDIDATES, 2 * N_LAYERS), condition.repeat(CANDIDATES, 1)),
            "net": (torch.zeros(FEATURES, 16), condition),
        }

    def stream_noise(
        self, energy: Tensor, direction: Tensor, seed: int, number: int
    ) -> list[Tensor]:
        shape, most = self.noise[0].shape, self.noise[1].shape
        layer_noise = stream(seed, number, "layers").standard_normal(shape, np.float32)
        layers = torch.from_numpy(layer_noise)
        n = int(self.layers(self.condition(energy, direction), layers)[0].sum())
        point_noise = np.zeros(most, np.float32)
        drawn = stream(seed, number, "points").standard_normal((FEATURES, n), np.float32)
        point_noise[:, :n] = drawn
        return [layers, torch.from_numpy(point_noise)]

    def upright(
        self, energy: Tensor, direction: Tensor, noise: list[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        condition = self.condition(energy, direction)
        counts, energies = self.layers(condition, noise[0])
        ends = counts.cumsum(dim=0)
        n = limited_length(ends[-1], self.most_points)
        raw = self.net(noise[1][:, :n], condition)
        raw = raw[:, raw[self.depth].argsort()]
        number = torch.arange(n, device=ends.device)
        layer = (number.unsqueeze(1) >= ends).sum(dim=1)
        deposit = (raw[3] * self.log_spread + self.log_mean).exp()
        sums = torch.zeros_like(energies).index_add(0, layer, deposit)
        factors = torch.where(counts > 0, energies / sums, energies)
        x, y = self.positions(raw[0], raw[1])
        return x, y, layer, deposit * factors[layer]

    def condition(self, energy: Tensor, direction: Tensor) -> Tensor:
        """Condition of both networks: (E / 127 GeV, p_x, p_y, p_z), shape (1, 4)."""
        return torch.cat([(energy / self.energy_scale_gev).unsqueeze(1), direction], dim=1)

    def layers(self, condition: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Points and energy of each layer, in MeV, both of shape (30,).

        Arguments:
            condition: (E / 127 GeV, p_x, p_y, p_z), shape (1, 4).
            noise: Standard normal, of each candidate, shape (4, 60).
        """
        values = self.flow(noise, condition.expand(noise.shape[0], -1))
        positive = values.clamp(min=0).pow(self.exponent)
        raw, energies = positive.chunk(2, dim=1)
        raw, energies = raw * self.points_factor, energies * self.energy_factor
        total = raw.sum(dim=1, keepdim=True)
        raw = raw * (self.max_points / total.clamp(min=1)).clamp(max=1)
        counts = torch.where(energies > 0, raw, torch.zeros_like(raw)).to(torch.int64)
        energies = torch.where(counts > 0, energies, torch.zeros_like(energies))
        n_negative = (values.chunk(2, dim=1)[1] < 0).sum(dim=1)
        is_bad = (n_negative > self.max_negative_layers) | (counts.sum(dim=1) == 0)
        chosen = first_good(is_bad)
        return counts[chosen], energies[chosen]

    def positions(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Positions about the shower axis, in mm, from network features; both shape (N,)."""
        x, y = x * self.x_spread + self.x_mean, y * self.y_spread + self.y_mean
        if self.warp_mm > 0:
            r = (x.square() + y.square()).sqrt()
            stretch = self.warp_mm * r.clamp(max=6.5).sinh() / r.clamp(min=1e-6)
            x, y = x * stretch, y * stretch
        return x * self.position_factor, y * self.position_factor


class OneStep(nn.Module):
    """PointWiseNet at the largest noise level, from standard normal noise to features.

    Arguments:
        net: Trained one-step network.
    """

    log_sigma: Tensor

    def __init__(self, net: PointWiseNet) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("log_sigma", torch.tensor([SIGMA_MAX], dtype=torch.float32).log())
        total, distance = math.hypot(SIGMA_MAX, SIGMA_DATA), SIGMA_MAX - SIGMA_MIN
        self.before, self.behind = SIGMA_MAX / total, distance * SIGMA_DATA / total
        self.skip = SIGMA_MAX * SIGMA_DATA**2 / (distance**2 + SIGMA_DATA**2)

    def forward(self, noise: Tensor, condition: Tensor) -> Tensor:
        """Features, shape (4, points).

        Arguments:
            noise: Standard normal, shape (4, points).
            condition: (E / 127 GeV, p_x, p_y, p_z), shape (1, 4).
        """
        layers = self.net.fold(self.net.context(self.log_sigma, condition))
        x = noise * self.before
        for i, (weight, bias) in enumerate(layers):
            x = weight[0] @ x + bias[0].unsqueeze(1)
            if i < len(layers) - 1:
                x = leaky_relu(x, LEAK)
        return x * self.behind + self.skip * noise
