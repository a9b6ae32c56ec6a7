"""U-Net of residual blocks along one or three dimensions, in torch for training.

References:
    | CaloScore v2, section 3: https://arxiv.org/abs/2308.03847
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import group_norm, layer_norm, pad, silu

from calozoo_caloscore.config import UnetConfig
from calozoo_caloscore.embedding import Embedding
from calozoo_caloscore.numpy_unet import NORM_EPSILON

__all__ = ["Unet"]

GROUPS: Final = 4
"""Groups of channels that are normalised together before attention in three dimensions."""

_CONVOLUTIONS: Final = {1: nn.Conv1d, 3: nn.Conv3d}
_POOLS: Final = {1: nn.AvgPool1d, 3: nn.AvgPool3d}


class Unet(nn.Module):
    """Velocity of all places of a grid, given noisy values, the time and the conditions.

    Arguments:
        config: Sizes.
    """

    def __init__(self, config: UnetConfig) -> None:
        super().__init__()
        self.config = config
        dims = len(config.grid)
        convolution = _CONVOLUTIONS[dims]
        self.embedding = Embedding(config.embedding)
        self.stem = convolution(config.channels + config.place_conditions, config.stem, 1)
        width = config.stem
        skips: list[int] = []
        down, up = [], []
        *levels, last = zip(config.widths, config.attention, strict=True)
        for own, attention in levels:
            for _ in range(config.depth):
                down.append(_Block(config, width, own, attention))
                width = own
                skips.append(own)
        middle = []
        for _ in range(config.depth):
            middle.append(_Block(config, width, *last))
            width = last[0]
        for own, attention in reversed(levels):
            for _ in range(config.depth):
                up.append(_Block(config, width + skips.pop(), own, attention))
                width = own
        self.down, self.middle, self.up = (nn.ModuleList(own) for own in (down, middle, up))
        self.pool = _POOLS[dims](2)
        self.grow = nn.Upsample(scale_factor=2, mode="nearest")
        self.last = convolution(width, config.channels, 1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, time: Tensor, *given: Tensor) -> Tensor:
        """Velocity, shape (n, places..., channels).

        Arguments:
            x: Noisy values, shape (n, places..., channels).
            time: 0 for data, 1 for noise, shape (n,).
            given: Conditions of each shower, shape (n, numbers) each, and if the network has any
                those of each place, shape (n, places..., place_conditions).
        """
        config = self.config
        conditions = given
        if config.place_conditions:
            x, conditions = torch.cat([x, given[-1]], dim=-1), given[:-1]
        embedded = self.embedding(time, conditions)
        edges = [edge for pair in reversed(config.padding) for edge in pair]
        hidden = self.stem(pad(x.movedim(-1, 1), edges))
        skips = []
        for number, block in enumerate(self.down, 1):
            hidden = block(hidden, embedded)
            skips.append(hidden)
            if number % config.depth == 0:
                hidden = self.pool(hidden)
        for block in self.middle:
            hidden = block(hidden, embedded)
        for number, block in enumerate(self.up):
            if number % config.depth == 0:
                hidden = self.grow(hidden)
            hidden = block(torch.cat([hidden, skips.pop()], dim=1), embedded)
        velocity: Tensor = self.last(hidden)
        for axis, (size, (before, _)) in enumerate(zip(config.grid, config.padding, strict=True)):
            velocity = velocity.narrow(axis + 2, before, size)
        return velocity.movedim(1, -1)


class _Block(nn.Module):
    """Two convolutions around what time and condition add, and attention if there is any."""

    def __init__(self, config: UnetConfig, inputs: int, width: int, attention: bool) -> None:
        super().__init__()
        convolution = _CONVOLUTIONS[len(config.grid)]
        self.residual = convolution(inputs, width, 1) if inputs != width else nn.Identity()
        self.given = nn.Linear(config.embedding.width, width)
        self.first = convolution(inputs, width, 3, padding=1)
        self.second = convolution(width, width, 3, padding=1)
        self.attention = _Attention(width) if attention else nn.Identity()

    def forward(self, x: Tensor, embedded: Tensor) -> Tensor:
        hidden = self.first(silu(x))
        hidden = hidden + self.given(embedded).view(*hidden.shape[:2], *(1,) * (x.dim() - 2))
        hidden = self.second(silu(hidden)) + self.residual(x)
        result: Tensor = self.attention(hidden)
        return result


class _Attention(nn.Module):
    """Attention of one head among all places, added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        places = x.flatten(2).transpose(1, 2)
        if x.dim() == 3:
            normal = layer_norm(places, places.shape[-1:], eps=NORM_EPSILON)
        else:
            normal = group_norm(x, GROUPS).flatten(2).transpose(1, 2)
        query, key, value = self.qkv(normal).chunk(3, dim=2)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        result: Tensor = (places + self.project(mixed)).transpose(1, 2).reshape(x.shape)
        return result
