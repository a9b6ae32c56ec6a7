"""PointWiseNet, one point at a time, and two ways to use it: as a denoiser, as a one-step map."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from calozoo_caloclouds3.config import PointsConfig

__all__ = [
    "FEATURES",
    "LEAK",
    "SIGMA_DATA",
    "SIGMA_MAX",
    "SIGMA_MIN",
    "PointWiseNet",
    "consistency",
    "denoise",
    "heun_step",
    "karras_sigmas",
]

FEATURES = 4
"""x', y', layer and log-energy."""

CONDITIONS = 4

SIGMA_DATA = 0.5
SIGMA_MIN = 0.002
SIGMA_MAX = 80.0
RHO = 7.0

FOURIER_SPREAD = 16.0
LEAK = 0.01


class ConcatSquashLinear(nn.Module):
    """A linear layer whose output a context gates and shifts: (W x + b) sigmoid(G c + g) + B c.

    Arguments:
        wide_in: Width of the input.
        wide_out: Width of the output.
        context: Width of the context.
    """

    def __init__(self, wide_in: int, wide_out: int, context: int) -> None:
        super().__init__()
        self.layer = nn.Linear(wide_in, wide_out)
        self.gate = nn.Linear(context, wide_out)
        self.bias = nn.Linear(context, wide_out, bias=False)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Shapes (showers, points, wide_in) and (showers, context)."""
        gate = torch.sigmoid(self.gate(context)).unsqueeze(1)
        return self.layer(x) * gate + self.bias(context).unsqueeze(1)

    def folded(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """The plain linear layers this is once the context is known: one weight, one bias each.

        Returns:
            Weights, shape (showers, wide_out, wide_in), and biases, shape (showers, wide_out).
        """
        gate = torch.sigmoid(self.gate(context))
        weight = gate.unsqueeze(-1) * self.layer.weight
        return weight, self.layer.bias * gate + self.bias(context)


class PointWiseNet(nn.Module):
    """Predicts a point from a noisy one, without looking at any other point.

    References:
        | CaloClouds3, section 3.3: https://arxiv.org/abs/2511.01460

    Arguments:
        config: Sizes.
        generator: Draws the frequencies of the noise embedding, for a network to be trained.

    Example:
        >>> from calozoo_caloclouds3.config import preset
        >>> net = PointWiseNet(preset("published").points)
        >>> sum(p.numel() for p in net.parameters())
        69608
    """

    frequencies: Tensor

    def __init__(self, config: PointsConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        width = config.time_features
        frequencies = torch.randn(width // 2, 1, generator=generator) * FOURIER_SPREAD
        self.register_buffer("frequencies", frequencies)
        self.embed = nn.Linear(width, width)
        context = width + CONDITIONS
        self.mix = nn.Identity() if config.context is None else _mixer(context, config.context)
        context = config.context or context
        sizes = (FEATURES, *config.widths, FEATURES)
        self.layers = nn.ModuleList(ConcatSquashLinear(a, b, context) for a, b in pairwise(sizes))

    def context(self, log_sigma: Tensor, condition: Tensor) -> Tensor:
        """What gates the layers.

        Arguments:
            log_sigma: Logarithm of the noise level, shape (showers,).
            condition: (E / 127 GeV, p_x, p_y, p_z), shape (showers, 4).
        """
        phase = (2 * math.pi / 4) * log_sigma.unsqueeze(-1) * self.frequencies.squeeze(-1)
        embedding = self.embed(torch.cat([phase.cos(), phase.sin()], dim=-1))
        return self.mix(torch.cat([leaky_relu(embedding, LEAK), condition], dim=-1))

    def forward(self, x: Tensor, log_sigma: Tensor, condition: Tensor) -> Tensor:
        """The raw output for points, shape (showers, points, 4).

        Arguments:
            x: Scaled noisy features, shape (showers, points, 4).
            log_sigma: Logarithm of the noise level, shape (showers,).
            condition: (E / 127 GeV, p_x, p_y, p_z), shape (showers, 4).
        """
        context = self.context(log_sigma, condition)
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            x = layer(x, context)
            if i < last:
                x = leaky_relu(x, LEAK)
        return x


def _mixer(wide_in: int, wide_out: int) -> nn.Module:
    return nn.Sequential(nn.Linear(wide_in, wide_out), nn.SiLU())


def denoise(net: PointWiseNet, x: Tensor, sigma: Tensor, condition: Tensor) -> Tensor:
    """The denoised points, as the teacher sees them.

    References:
        | Karras et al., Elucidating the design space of diffusion-based generative models,
        | table 1: https://arxiv.org/abs/2206.00364

    Arguments:
        net: The network.
        x: Noisy features, shape (showers, points, 4).
        sigma: Noise level, shape (showers,).
        condition: (E / 127 GeV, p_x, p_y, p_z), shape (showers, 4).
    """
    return _preconditioned(net, x, sigma, condition, sigma)


def consistency(net: PointWiseNet, x: Tensor, sigma: Tensor, condition: Tensor) -> Tensor:
    """Where the path through a noisy point ends, as the student sees it.

    It is the identity at the smallest noise level, by construction.

    References:
        | Song et al., Consistency models, appendix C: https://arxiv.org/abs/2303.01469

    Arguments:
        net: The network.
        x: Noisy features, shape (showers, points, 4).
        sigma: Noise level, shape (showers,).
        condition: (E / 127 GeV, p_x, p_y, p_z), shape (showers, 4).
    """
    return _preconditioned(net, x, sigma, condition, sigma - SIGMA_MIN)


def _preconditioned(
    net: PointWiseNet, x: Tensor, sigma: Tensor, condition: Tensor, distance: Tensor
) -> Tensor:
    s, d = sigma.view(-1, 1, 1), distance.view(-1, 1, 1)
    spread = (s.square() + SIGMA_DATA**2).sqrt()
    skip = SIGMA_DATA**2 / (d.square() + SIGMA_DATA**2)
    return skip * x + d * SIGMA_DATA / spread * net(x / spread, sigma.log(), condition)


def karras_sigmas(levels: int, lowest: float = SIGMA_MIN, rho: float = RHO) -> Tensor:
    """Noise levels from the smallest to the largest, shape (levels,).

    Arguments:
        levels: How many.
        lowest: The smallest.
        rho: The larger, the more of them lie at small noise; Karras et al. take 7.
    """
    ramp = torch.linspace(0, 1, levels, dtype=torch.float64)
    low, high = lowest ** (1 / rho), SIGMA_MAX ** (1 / rho)
    return ((low + ramp * (high - low)) ** rho).float()


def heun_step(
    net: PointWiseNet, x: Tensor, sigma: Tensor, lower: Tensor, condition: Tensor
) -> Tensor:
    """One second-order step of the teacher from one noise level to a lower one.

    Arguments:
        net: The teacher.
        x: Features at noise level `sigma`, shape (showers, points, 4).
        sigma: Noise level now, shape (showers,).
        lower: Noise level afterwards, shape (showers,), positive.
        condition: (E / 127 GeV, p_x, p_y, p_z), shape (showers, 4).
    """
    s, t = sigma.view(-1, 1, 1), lower.view(-1, 1, 1)
    slope = (x - denoise(net, x, sigma, condition)) / s
    guess = x + (t - s) * slope
    slope_there = (guess - denoise(net, guess, lower, condition)) / t
    return x + (t - s) * (slope + slope_there) / 2
