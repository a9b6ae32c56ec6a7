"""Masked autoregressive flow of the layer energies, as published."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, relu

from calozoo_core.nn.flow import standard_normal_log_prob
from calozoo_core.nn.spline import n_parameters, rational_quadratic
from studies.convl2lflows.published_config import MafConfig

__all__ = ["Maf"]

TAILS = 13.815511
"""Largest logit of the energies, -ln 1e-6."""

LEAST = 1e-6


class Maf(nn.Module):
    """Masked autoregressive flow: blocks of a permutation and a masked network with splines.

    References:
        | L2LFlows, https://arxiv.org/abs/2302.11594

    Arguments:
        layers: Number of layers.
        context: Width of the condition.
        config: Sizes.
    """

    def __init__(self, layers: int, context: int, config: MafConfig) -> None:
        super().__init__()
        self.layers, self.conditions = layers, context
        self.blocks = nn.ModuleList(
            _Made(layers, context, config.hidden, config.bins) for _ in range(config.blocks)
        )

    def to_noise(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Noise, shape (n, layers), and log-determinants, shape (n,), of data."""
        total = x.new_zeros(len(x))
        for block in self._masked_networks():
            x, log_slope = block.to_noise(x, context)
            total = total + log_slope
        return x, total

    def to_value(self, noise: Tensor, context: Tensor) -> Tensor:
        """Data of noise, shape (n, layers), in as many passes through each block as layers."""
        for block in reversed(self._masked_networks()):
            noise = block.to_value(noise, context)
        return noise

    def log_prob(self, x: Tensor, context: Tensor) -> Tensor:
        """Log-density, shape (n,)."""
        noise, log_det = self.to_noise(x, context)
        return log_det + standard_normal_log_prob(noise)

    def _masked_networks(self) -> list[_Made]:
        return [block for block in self.blocks if isinstance(block, _Made)]


class _Made(nn.Module):
    """Masked network (MADE): output i depends on the inputs before i."""

    order: Tensor
    first_mask: Tensor
    middle_mask: Tensor
    last_mask: Tensor

    def __init__(self, layers: int, context: int, hidden: int, bins: int) -> None:
        super().__init__()
        self.register_buffer("order", torch.randperm(layers))
        self.first = nn.Linear(layers, hidden)
        self.context = nn.Linear(context, hidden)
        self.middle = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, layers * n_parameters(bins))
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        inputs = torch.arange(layers)
        inner = torch.arange(hidden) % max(1, layers - 1)
        outputs = inputs.repeat_interleave(n_parameters(bins))
        masks = {
            "first_mask": inner[:, None] >= inputs,
            "middle_mask": inner[:, None] >= inner,
            "last_mask": outputs[:, None] > inner,
        }
        for name, mask in masks.items():
            self.register_buffer(name, mask.float(), persistent=False)

    def to_noise(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        x = x[:, self.order]
        y, log_slope = rational_quadratic(x, self._raw(x, context), TAILS, least=LEAST)
        return y, log_slope.sum(dim=1)

    def to_value(self, noise: Tensor, context: Tensor) -> Tensor:
        x = torch.zeros_like(noise)
        for i in range(noise.shape[1]):
            raw = self._raw(x, context)[:, i]
            value, _ = rational_quadratic(noise[:, i], raw, TAILS, inverse=True, least=LEAST)
            x = torch.cat([x[:, :i], value[:, None], x[:, i + 1 :]], dim=1)
        return x[:, self.order.argsort()]

    def _raw(self, x: Tensor, context: Tensor) -> Tensor:
        hidden = linear(x, self.first.weight * self.first_mask, self.first.bias)
        hidden = hidden + relu(self.context(context))
        middle = linear(relu(hidden), self.middle.weight * self.middle_mask, self.middle.bias)
        raw = linear(relu(middle), self.last.weight * self.last_mask, self.last.bias)
        return torch.unflatten(raw, 1, (x.shape[1], -1))
