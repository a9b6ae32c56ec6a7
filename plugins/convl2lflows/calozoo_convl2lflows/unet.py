"""The U-Net inside the published couplings."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

__all__ = ["UNet", "padded_conv"]

SLOPE = 0.01


class UNet(nn.Module):
    """Convolutions at ever coarser resolution and back, each level with a skip connection.

    A level is two convolutions of 3 x 3; a strided convolution whose kernel is its stride leads to
    the next, with twice the channels, and a transposed one leads back. The last convolution begins
    at zero, so that a coupling begins its training as the identity.

    Arguments:
        inputs: Channels that come in.
        outputs: Channels that go out.
        width: Channels of the first level.
        kernels: Kernels of the strided convolutions, one a level; their product must divide the
            image.
        circular: Whether the last axis is an angle, whose ends meet.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int,
        kernels: tuple[tuple[int, int], ...],
        *,
        circular: bool = False,
    ) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(len(kernels) + 1)]
        self.down = nn.ModuleList()
        self.shrink = nn.ModuleList()
        self.grow = nn.ModuleList()
        self.up = nn.ModuleList()
        for level, kernel in enumerate(kernels):
            own, coarse = widths[level], widths[level + 1]
            first = inputs if level == 0 else own
            self.down.append(_block(first, own, own, circular=circular, last=False))
            self.shrink.append(nn.Conv2d(own, coarse, kernel, stride=kernel))
            self.grow.append(nn.ConvTranspose2d(coarse, own, kernel, stride=kernel))
            target = outputs if level == 0 else own
            self.up.append(_block(2 * own, own, target, circular=circular, last=level == 0))
        for parameter in list(self.up[0].parameters())[-2:]:  # of the last convolution
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n, outputs, height, width) from (n, inputs, height, width)."""
        skips = []
        for down, shrink in zip(self.down, self.shrink, strict=True):
            skips.append(down(x))
            x = shrink(skips[-1])
        x = nn.functional.leaky_relu(x, SLOPE)
        for level in reversed(range(len(skips))):
            x = self.up[level](torch.cat([self.grow[level](x), skips[level]], dim=1))
        return x


class _PaddedConv(nn.Module):
    """A convolution that keeps the size of the image, around the corner where the axis is one."""

    def __init__(self, inputs: int, outputs: int, *, circular: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=(1, 0 if circular else 1))
        self.circular = circular

    def forward(self, x: Tensor) -> Tensor:
        if self.circular:
            x = pad(x, (1, 1, 0, 0), mode="circular")
        out: Tensor = self.conv(x)
        return out


def padded_conv(inputs: int, outputs: int, *, circular: bool) -> nn.Module:
    """A convolution of 3 x 3 that keeps the size of the image."""
    return _PaddedConv(inputs, outputs, circular=circular)


def _block(inputs: int, width: int, outputs: int, *, circular: bool, last: bool) -> nn.Sequential:
    layers: list[nn.Module] = [
        _PaddedConv(inputs, width, circular=circular),
        nn.BatchNorm2d(width),
        nn.LeakyReLU(SLOPE),
        _PaddedConv(width, outputs, circular=circular),
    ]
    if not last:
        layers += [nn.BatchNorm2d(outputs), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers)
