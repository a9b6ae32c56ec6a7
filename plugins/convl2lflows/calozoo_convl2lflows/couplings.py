"""The steps of the published flow: ActNorm, couplings, and mixing of channels."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, softplus

from calozoo_convl2lflows.spline import n_parameters, spline
from calozoo_convl2lflows.unet import UNet

__all__ = ["ActNorm", "Coupling", "Mixing", "squeeze", "unsqueeze"]

TAILS = 15.0
LEAST = 1e-3
UNIT = math.log(math.expm1(1 - LEAST))
"""What softplus makes 1 - LEAST of."""


def squeeze(image: Tensor, factor: tuple[int, int]) -> Tensor:
    """Blocks of an image become channels: (n, c, h, w) to (n, c * a * b, h / a, w / b)."""
    n, c, h, w = image.shape
    a, b = factor
    blocks = image.view(n, c, h // a, a, w // b, b).permute(0, 1, 3, 5, 2, 4)
    return blocks.reshape(n, c * a * b, h // a, w // b)


def unsqueeze(channels: Tensor, factor: tuple[int, int]) -> Tensor:
    """The image that `squeeze` made these channels of."""
    n, c, h, w = channels.shape
    a, b = factor
    blocks = channels.view(n, c // (a * b), a, b, h, w).permute(0, 1, 4, 2, 5, 3)
    return blocks.reshape(n, c // (a * b), h * a, w * b)


class ActNorm(nn.Module):
    """Scales and shifts each channel; the first batch it sees sets both.

    References:
        | Glow, https://arxiv.org/abs/1807.03039

    Arguments:
        channels: Number of channels.
    """

    is_set: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.shift = nn.Parameter(torch.zeros(channels))
        self.register_buffer("is_set", torch.tensor(False))

    def to_noise(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """From data to noise, with the log-determinant of that, shapes as `x` and (n,)."""
        if self.training and not self.is_set:
            self._set(x)
        y = x * self.log_scale.exp()[:, None, None] + self.shift[:, None, None]
        pixels = x.shape[2] * x.shape[3]
        return y, (self.log_scale.sum() * pixels).expand(len(x))

    def to_value(self, y: Tensor, context: Tensor) -> Tensor:
        """From noise to data."""
        return (y - self.shift[:, None, None]) * (-self.log_scale).exp()[:, None, None]

    @torch.no_grad()
    def _set(self, x: Tensor) -> None:
        std, mean = torch.std_mean(x, dim=(0, 2, 3))
        scale = 1 / std.clamp(min=1e-6)
        self.log_scale.copy_(scale.log())
        self.shift.copy_(-mean * scale)
        self.is_set.fill_(value=True)


class Coupling(nn.Module):
    """Transforms the first half of the channels by what the second half and the context say.

    Arguments:
        kind: "spline" (rational-quadratic) or "affine".
        channels: Number of channels.
        context: Channels of the context.
        bins: Bins of the spline.
        net: From inputs and outputs to the network.
    """

    def __init__(self, kind: str, channels: int, bins: int, net: UNet, moved: int) -> None:
        super().__init__()
        self.kind, self.moved, self.bins, self.net = kind, moved, bins, net
        assert moved < channels

    @staticmethod
    def outputs(kind: str, moved: int, bins: int) -> int:
        """Channels its network has to give."""
        return moved * (n_parameters(bins) if kind == "spline" else 2)

    def to_noise(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """From data to noise, with the log-determinant of that, shapes as `x` and (n,)."""
        return self._transformed(x, context, inverse=False)

    def to_value(self, y: Tensor, context: Tensor) -> Tensor:
        """From noise to data."""
        return self._transformed(y, context, inverse=True)[0]

    def _transformed(self, x: Tensor, context: Tensor, *, inverse: bool) -> tuple[Tensor, Tensor]:
        moved, kept = x[:, : self.moved], x[:, self.moved :]
        raw = self.net(torch.cat([kept, context], dim=1)).unflatten(1, (self.moved, -1))
        raw = raw.movedim(2, 4)
        if self.kind == "spline":
            moved, log_slope = spline(moved, raw, TAILS, inverse=inverse)
        else:
            log_scale, shift = 2 * torch.tanh(raw[..., 0] / 2), raw[..., 1]
            if inverse:
                moved, log_slope = (moved - shift) * (-log_scale).exp(), -log_scale
            else:
                moved, log_slope = moved * log_scale.exp() + shift, log_scale
        return torch.cat([moved, kept], dim=1), log_slope.sum(dim=(1, 2, 3))


class Mixing(nn.Module):
    """An invertible matrix over the channels: a fixed permutation, then L times U.

    References:
        | Glow, https://arxiv.org/abs/1807.03039

    Arguments:
        channels: Number of channels.
    """

    order: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        off = channels * (channels - 1) // 2
        self.channels = channels
        self.lower = nn.Parameter(torch.zeros(off))
        self.upper = nn.Parameter(torch.zeros(off))
        self.diagonal = nn.Parameter(torch.full((channels,), UNIT))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("order", torch.randperm(channels))

    def to_noise(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """From data to noise, with the log-determinant of that, shapes as `x` and (n,)."""
        lower, upper, diagonal = self._factors()
        y = conv2d(x[:, self.order], (lower @ upper)[..., None, None], self.bias)
        pixels = x.shape[2] * x.shape[3]
        return y, (diagonal.log().sum() * pixels).expand(len(x))

    def to_value(self, y: Tensor, context: Tensor) -> Tensor:
        """From noise to data."""
        lower, upper, _ = self._factors()
        inverse = torch.linalg.inv((lower @ upper).double()).to(y.dtype)
        x = conv2d(y - self.bias[:, None, None], inverse[..., None, None])
        return x[:, self.order.argsort()]

    def _factors(self) -> tuple[Tensor, Tensor, Tensor]:
        n, device = self.channels, self.bias.device
        rows, columns = torch.tril_indices(n, n, -1, device=device)
        diagonal = softplus(self.diagonal) + LEAST
        empty = self.bias.new_zeros(n, n)
        lower = empty.index_put((rows, columns), self.lower) + torch.eye(n, device=device)
        upper = empty.index_put((columns, rows), self.upper) + diagonal.diag()
        return lower, upper, diagonal
