"""U-Net on a cylinder, with linear attention, for training.

References:
    | CaloDiffusion, section 3: https://arxiv.org/abs/2308.03876
    | Denoising diffusion probabilistic models: https://arxiv.org/abs/2006.11239
    | Efficient attention: https://arxiv.org/abs/1812.01243
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from calozoo_calodiffusion.config import UnetConfig
from calozoo_calodiffusion.numpy_unet import place_images
from calozoo_core.nn.cylinder import CylinderConvolution, Downsampling, Upsampling

__all__ = ["CylinderUnet"]

POINT = (1, 1, 1)
"""Window of a convolution that sees no neighbours."""


class CylinderUnet(nn.Module):
    """Network of noisy voxels, the noise level and the condition of a shower.

    Each level has two residual blocks and linear attention; what a level hands down is given back
    on the way up.

    Arguments:
        config: Sizes.
    """

    def __init__(self, config: UnetConfig) -> None:
        super().__init__()
        self.config = config
        half, width = config.embedding // 2, config.widths[0]
        self.time = _embedding(1, half)
        self.condition = _embedding(config.conditions, half)
        self.first = CylinderConvolution(config.channels, width, config.window)
        last = len(config.levels) - 1
        self.down = nn.ModuleList(
            _Level(config, inputs, outputs) for inputs, outputs in config.levels
        )
        self.downsampling = nn.ModuleList(
            Downsampling(config.levels[level][1], config.grids[level], config.strides)
            for level in range(last)
        )
        deepest = config.widths[-1]
        self.middle_in = _Block(config, deepest, deepest)
        self.middle_attention = _LinearAttention(config, deepest)
        self.middle_out = _Block(config, deepest, deepest)
        self.up = nn.ModuleList(
            _Level(config, 2 * outputs, inputs) for inputs, outputs in reversed(config.levels)
        )
        self.upsampling = nn.ModuleList(
            Upsampling(config.levels[level][0], config.grids[level - 1], config.strides)
            for level in range(last, 0, -1)
        )
        self.last = _Block(config, width, width, conditioned=False)
        self.output = CylinderConvolution(width, 1, POINT)

    def forward(
        self, x: Tensor, time: Tensor, condition: Tensor, images: Tensor | None = None
    ) -> Tensor:
        """Output, shape (n, layers, sectors, rings).

        Arguments:
            x: Noisy values, shape (n, layers, sectors, rings).
            time: What says how noisy they are, shape (n,).
            condition: Condition of each shower, shape (n, conditions).
            images: Further images, shape (n, images, layers, sectors, rings).
        """
        places = torch.from_numpy(place_images(self.config)).to(x)
        parts = [x[:, None], places.movedim(-1, 0).expand(len(x), -1, -1, -1, -1)]
        if images is not None:
            parts.append(images)
        given = torch.cat([self.time(time[:, None]), self.condition(condition)], dim=1)
        hidden: Tensor = self.first(torch.cat(parts, dim=1))
        kept = []
        for level, block in enumerate(self.down):
            if level:
                hidden = self.downsampling[level - 1](hidden)
            hidden = block(hidden, given)
            kept.append(hidden)
        hidden = self.middle_in(hidden, given)
        hidden = self.middle_out(self.middle_attention(hidden), given)
        for level, block in enumerate(self.up):
            if level:
                hidden = self.upsampling[level - 1](hidden)
            hidden = block(torch.cat([hidden, kept.pop()], dim=1), given)
        output: Tensor = self.output(self.last(hidden))
        return output[:, 0]


def _embedding(inputs: int, width: int) -> nn.Sequential:
    """Perceptron of three layers, from some numbers to a width."""
    return nn.Sequential(
        nn.Linear(inputs, width // 2),
        nn.GELU(approximate="tanh"),
        nn.Linear(width // 2, width),
        nn.GELU(approximate="tanh"),
        nn.Linear(width, width),
    )


class _Block(nn.Module):
    """Two convolutions, each normalised and activated, beside the identity.

    Arguments:
        config: Sizes.
        inputs: Channels of the input.
        outputs: Channels of the output.
        conditioned: Whether time and condition are added after the first convolution.
    """

    def __init__(
        self, config: UnetConfig, inputs: int, outputs: int, *, conditioned: bool = True
    ) -> None:
        super().__init__()
        self.given = nn.Linear(config.embedding, outputs) if conditioned else None
        self.first = CylinderConvolution(inputs, outputs, config.window)
        self.first_norm = nn.GroupNorm(config.groups, outputs)
        self.second = CylinderConvolution(outputs, outputs, config.window)
        self.second_norm = nn.GroupNorm(config.groups, outputs)
        self.beside = (
            CylinderConvolution(inputs, outputs, POINT) if inputs != outputs else nn.Identity()
        )

    def forward(self, image: Tensor, given: Tensor | None = None) -> Tensor:
        hidden = silu(self.first_norm(self.first(image)))
        if self.given is not None and given is not None:
            hidden = hidden + self.given(silu(given))[:, :, None, None, None]
        hidden = silu(self.second_norm(self.second(hidden)))
        result: Tensor = hidden + self.beside(image)
        return result


class _LinearAttention(nn.Module):
    """Attention of all voxels to all, at a cost that grows with their number only.

    Arguments:
        config: Sizes.
        channels: Channels of input and output.
    """

    def __init__(self, config: UnetConfig, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, channels)
        self.qkv = CylinderConvolution(channels, 3 * config.attention, POINT, bias=False)
        self.project = CylinderConvolution(config.attention, channels, POINT)
        self.project_norm = nn.GroupNorm(1, channels)

    def forward(self, image: Tensor) -> Tensor:
        query, key, value = self.qkv(self.norm(image)).flatten(2).chunk(3, dim=1)
        query = query.softmax(dim=1) * query.shape[1] ** -0.5
        context = key.softmax(dim=2) @ value.transpose(1, 2)
        mixed = (context.transpose(1, 2) @ query).unflatten(2, image.shape[2:])
        result: Tensor = image + self.project_norm(self.project(mixed))
        return result


class _Level(nn.Module):
    """Two blocks and attention.

    Arguments:
        config: Sizes.
        inputs: Channels of the input.
        outputs: Channels of the output.
    """

    def __init__(self, config: UnetConfig, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = _Block(config, inputs, outputs)
        self.second = _Block(config, outputs, outputs)
        self.attention = _LinearAttention(config, outputs)

    def forward(self, image: Tensor, given: Tensor) -> Tensor:
        result: Tensor = self.attention(self.second(self.first(image, given), given))
        return result
