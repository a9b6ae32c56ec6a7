"""PointWiseNet: network of single points, as a denoiser and as a one-step map."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from calozoo_caloclouds3.config import PointsConfig
from calozoo_caloclouds3.noise_levels import (
    CONDITIONS,
    FEATURES,
    LEAK,
    SIGMA_DATA,
    SIGMA_MAX,
    SIGMA_MIN,
)
from calozoo_caloclouds3.one_step_net import OneStepNet
from calozoo_core.nn.mlp import mlp
from calozoo_core.weights.trained_model import network_arrays

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

RHO = 7.0

FOURIER_SPREAD = 16.0


class ConcatSquashLinear(nn.Module):
    """Linear layer whose output a context gates and shifts: (W x + b) sigmoid(G c + g) + B c.

    Arguments:
        inputs: Width of the input.
        outputs: Width of the output.
        context: Width of the context.
    """

    def __init__(self, inputs: int, outputs: int, context: int) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)
        self.gate = nn.Linear(context, outputs)
        self.bias = nn.Linear(context, outputs, bias=False)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Output, shape (showers, points, outputs).

        Arguments:
            x: Input, shape (showers, points, inputs).
            context: Context, shape (showers, context).
        """
        gate = torch.sigmoid(self.gate(context)).unsqueeze(1)
        output: Tensor = self.layer(x) * gate + self.bias(context).unsqueeze(1)
        return output

    def fold(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Plain linear layers of a known context.

        Returns:
            Weights, shape (showers, outputs, inputs), and biases, shape (showers, outputs).
        """
        gate = torch.sigmoid(self.gate(context))
        weight = gate.unsqueeze(-1) * self.layer.weight
        return weight, self.layer.bias * gate + self.bias(context)


class PointWiseNet(nn.Module):
    """Network that predicts a point from a noisy one, each point on its own.

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
        self.config = config
        width = config.time_features
        frequencies = torch.randn(width // 2, 1, generator=generator) * FOURIER_SPREAD
        self.register_buffer("frequencies", frequencies)
        self.embed = nn.Linear(width, width)
        context = width + CONDITIONS
        self.mix = (
            nn.Identity()
            if config.context is None
            else mlp(context, (config.context,), activation=nn.SiLU)
        )
        context = config.context or context
        sizes = (FEATURES, *config.widths, FEATURES)
        self.layers = nn.ModuleList(ConcatSquashLinear(a, b, context) for a, b in pairwise(sizes))

    def context(self, log_sigma: Tensor, condition: Tensor) -> Tensor:
        """Context of the layers, shape (showers, context).

        Arguments:
            log_sigma: Logarithm of the noise level, shape (showers,).
            condition: (E / 127 GeV, p_x, p_y, p_z), shape (showers, 4).
        """
        phase = (2 * math.pi / 4) * log_sigma.unsqueeze(-1) * self.frequencies.squeeze(-1)
        embedding = self.embed(torch.cat([phase.cos(), phase.sin()], dim=-1))
        context: Tensor = self.mix(torch.cat([leaky_relu(embedding, LEAK), condition], dim=-1))
        return context

    def forward(self, x: Tensor, log_sigma: Tensor, condition: Tensor) -> Tensor:
        """Raw output for points, shape (showers, points, 4).

        Arguments:
            x: Scaled noisy features, shape (showers, points, 4).
            log_sigma: Logarithm of the noise level, shape (showers,).
            condition: (E / 127 GeV, p_x, p_y, p_z), shape (showers, 4).
        """
        context = self.context(log_sigma, condition)
        last = len(self.layers) - 1
        for i, layer in enumerate(self._each()):
            x = layer(x, context)
            if i < last:
                x = leaky_relu(x, LEAK)
        return x

    def fold(self, context: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Weights and biases of plain linear layers for a known context, as of each layer."""
        return [layer.fold(context) for layer in self._each()]

    def to_numpy(self) -> OneStepNet:
        """The network in numpy at the largest noise level, with copies of the weights."""
        return OneStepNet(self.config, network_arrays(self))

    def _each(self) -> list[ConcatSquashLinear]:
        return [layer for layer in self.layers if isinstance(layer, ConcatSquashLinear)]


def denoise(net: PointWiseNet, x: Tensor, sigma: Tensor, condition: Tensor) -> Tensor:
    """Denoised points, as the teacher predicts them.

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
    """End of the path through a noisy point, as the student predicts it.

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
    skip: Tensor = SIGMA_DATA**2 / (d.square() + SIGMA_DATA**2)
    output: Tensor = net(x / spread, sigma.log(), condition)
    return skip * x + d * SIGMA_DATA / spread * output


def karras_sigmas(levels: int, lowest: float = SIGMA_MIN, rho: float = RHO) -> Tensor:
    """Noise levels from the smallest to the largest, shape (levels,).

    Arguments:
        levels: Number of levels.
        lowest: Smallest level.
        rho: The larger, the more of them lie at small noise; Karras et al. take 7.
    """
    ramp = torch.linspace(0, 1, levels, dtype=torch.float64)
    low, high = lowest ** (1 / rho), SIGMA_MAX ** (1 / rho)
    sigmas: Tensor = (low + ramp * (high - low)) ** rho
    return sigmas.float()


def heun_step(
    net: PointWiseNet, x: Tensor, sigma: Tensor, lower: Tensor, condition: Tensor
) -> Tensor:
    """Second-order step of the teacher from one noise level to a lower one.

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
