"""Embedding of the time and the conditions of a shower, in torch for training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from calozoo_caloscore.config import EmbeddingConfig
from calozoo_caloscore.numpy_unet import TIME_SCALE, frequencies

__all__ = ["Embedding"]


class Embedding(nn.Module):
    """Embedding of the time, and of each condition by itself, mixed by a last layer.

    Arguments:
        config: Sizes.
    """

    def __init__(self, config: EmbeddingConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.time = nn.Sequential(
            nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
        )
        self.conditions = nn.ModuleList(nn.Linear(size, width) for size in config.conditions)
        self.mix = nn.Linear((1 + len(config.conditions)) * width, width)

    def forward(self, time: Tensor, conditions: Sequence[Tensor]) -> Tensor:
        """Embedding, shape (n, width).

        Arguments:
            time: 0 for data, 1 for noise, shape (n,).
            conditions: Conditions, shape (n, numbers) each.
        """
        of_time = torch.from_numpy(frequencies(self.config.width)).to(time)
        turns = TIME_SCALE * time[:, None] * of_time
        parts = [self.time(torch.cat([turns.sin(), turns.cos()], dim=1))]
        for layer, condition in zip(self.conditions, conditions, strict=True):
            parts.append(silu(layer(condition)))
        embedded: Tensor = self.mix(torch.cat(parts, dim=1))
        return embedded
