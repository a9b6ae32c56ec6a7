"""Transformer over patches of a calorimeter, modulated by time and condition, for training.

References:
    | CaloDREAM, section 3.2: https://arxiv.org/abs/2405.09629
    | Scalable diffusion models with transformers: https://arxiv.org/abs/2212.09748
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm, scaled_dot_product_attention

from calozoo_core.nn.mlp import zero_init
from calozoo_core.nn.numpy_transformer import NORM_EPSILON, TIME_PERIOD, TIME_SCALE
from calozoo_core.nn.transformer_config import TransformerConfig

__all__ = ["VisionTransformer"]


class VisionTransformer(nn.Module):
    """Velocity of patches, given their noisy values, the time and the condition of a shower.

    Each block shifts, scales and gates its attention and its perceptron by what the time and the
    condition say, and begins as the identity.

    Arguments:
        config: Sizes.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.patches = nn.Linear(config.patch_size + config.token_conditions, width)
        self.time = _embedding(config.time_features, width)
        self.condition = _embedding(config.conditions, width)
        self.frequencies = nn.Parameter(torch.linspace(0, 4, width // 6).exp().repeat(3, 1))
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.blocks))
        self.final_modulation = zero_init(nn.Linear(width, 2 * width))
        self.final = zero_init(nn.Linear(width, config.patch_size))

    def forward(
        self, x: Tensor, time: Tensor, condition: Tensor, tokens: Tensor | None = None
    ) -> Tensor:
        """Velocity, shape (n, tokens, patch_size).

        Arguments:
            x: Values on their way from noise to data, shape (n, tokens, patch_size).
            time: 0 for noise, 1 for data, shape (n,).
            condition: Condition of each shower, shape (n, conditions).
            tokens: Condition of each token, shape (n, tokens, token_conditions).
        """
        if tokens is not None:
            x = torch.cat([x, tokens], dim=2)
        given = nn.functional.silu(
            self.time(time_features(time, self.config.time_features)) + self.condition(condition)
        )
        hidden: Tensor = self.patches(x) + self.positions()
        for block in self.blocks:
            hidden = block(hidden, given)
        shift, scale = self.final_modulation(given)[:, None].chunk(2, dim=2)
        velocity: Tensor = self.final(_modulated(hidden, shift, scale))
        return velocity

    def positions(self) -> Tensor:
        """Embedding of the places of the patches, shape (tokens, width)."""
        angles = places(self.config).to(self.frequencies)[:, :, None] * self.frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=2).flatten(1)


class _Block(nn.Module):
    """Attention among tokens, then a perceptron on each."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width, self.heads = config.width, config.heads
        self.modulation = zero_init(nn.Linear(width, 6 * width))
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.widen = nn.Linear(width, config.mlp_ratio * width)
        self.narrow = nn.Linear(config.mlp_ratio * width, width)

    def forward(self, x: Tensor, given: Tensor) -> Tensor:
        modulation = self.modulation(given)[:, None].chunk(6, dim=2)
        shift, scale, gate, mlp_shift, mlp_scale, mlp_gate = modulation
        x = x + gate * self._attention(_modulated(x, shift, scale))
        inner = gelu(self.widen(_modulated(x, mlp_shift, mlp_scale)), approximate="tanh")
        result: Tensor = x + mlp_gate * self.narrow(inner)
        return result

    def _attention(self, x: Tensor) -> Tensor:
        n, tokens, width = x.shape
        qkv = self.qkv(x).view(n, tokens, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(query, key, value)
        attended: Tensor = self.project(mixed.transpose(1, 2).reshape(n, tokens, width))
        return attended


def time_features(time: Tensor, features: int) -> Tensor:
    """Cosines and sines of a time, shape (n, features).

    Arguments:
        time: Shape (n,).
        features: How many.
    """
    powers = torch.arange(features // 2, device=time.device) / (features // 2)
    angles = TIME_SCALE * time[:, None] * TIME_PERIOD**-powers
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def places(config: TransformerConfig) -> Tensor:
    """Centres of the patches along layers, sectors and rings, from 0 to 1, shape (tokens, 3)."""
    return torch.cartesian_prod(*((torch.arange(n) + 0.5) / n for n in config.patches))


def _embedding(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width))


def _modulated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return layer_norm(x, x.shape[-1:], eps=NORM_EPSILON) * (1 + scale) + shift
