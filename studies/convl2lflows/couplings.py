"""Steps of the published flow on images: ActNorm, couplings with a U-Net, mixing of channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu, pad, softplus

from calozoo_core.nn.numpy_spline import raw_unit_slope
from calozoo_core.nn.spline import n_parameters, rational_quadratic

__all__ = [
    "LEAKY_SLOPE",
    "ActNorm",
    "Coupling",
    "Mixing",
    "PaddedConv",
    "UNet",
    "squeeze",
    "unsqueeze",
]

TAILS = 15.0
LEAST = 1e-3
LEAKY_SLOPE = 0.01


def squeeze(image: Tensor, factor: tuple[int, int]) -> Tensor:
    """Image whose blocks of a x b became channels, shape (n, c * a * b, h / a, w / b)."""
    n, c, h, w = image.shape
    a, b = factor
    blocks = image.view(n, c, h // a, a, w // b, b).permute(0, 1, 3, 5, 2, 4)
    return blocks.reshape(n, c * a * b, h // a, w // b)


def unsqueeze(channels: Tensor, factor: tuple[int, int]) -> Tensor:
    """Inverse of `squeeze`."""
    n, c, h, w = channels.shape
    a, b = factor
    blocks = channels.view(n, c // (a * b), a, b, h, w).permute(0, 1, 4, 2, 5, 3)
    return blocks.reshape(n, c // (a * b), h * a, w * b)


class ActNorm(nn.Module):
    """Scale and shift of each channel, set on the first batch in training.

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
        """Noise, in the shape of `x`, and log-determinants, shape (n,), of data."""
        if self.training and not self.is_set:
            self._set(x)
        y = x * self.log_scale.exp()[:, None, None] + self.shift[:, None, None]
        pixels = x.shape[2] * x.shape[3]
        return y, (self.log_scale.sum() * pixels).expand(len(x))

    def to_value(self, y: Tensor, context: Tensor) -> Tensor:
        """Data of noise, in the shape of `y`."""
        return (y - self.shift[:, None, None]) * (-self.log_scale).exp()[:, None, None]

    @torch.no_grad()
    def _set(self, x: Tensor) -> None:
        std, mean = torch.std_mean(x, dim=(0, 2, 3))
        scale = 1 / std.clamp(min=1e-6)
        self.log_scale.copy_(scale.log())
        self.shift.copy_(-mean * scale)
        self.is_set.fill_(value=True)


class Coupling(nn.Module):
    """Coupling: transforms the first channels, given the others and the context.

    Arguments:
        kind: "spline" (rational-quadratic) or "affine".
        channels: Number of channels.
        bins: Bins of the spline.
        net: Network from the other channels and the context to the parameters.
        moved: Number of channels that are transformed.
    """

    def __init__(self, kind: str, channels: int, bins: int, net: UNet, moved: int) -> None:
        super().__init__()
        self.kind, self.moved, self.bins, self.net = kind, moved, bins, net
        assert moved < channels

    @staticmethod
    def outputs(kind: str, moved: int, bins: int) -> int:
        """Number of output channels of its network."""
        return moved * (n_parameters(bins) if kind == "spline" else 2)

    def to_noise(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Noise, in the shape of `x`, and log-determinants, shape (n,), of data."""
        return self._transformed(x, context, inverse=False)

    def to_value(self, y: Tensor, context: Tensor) -> Tensor:
        """Data of noise, in the shape of `y`."""
        return self._transformed(y, context, inverse=True)[0]

    def _transformed(self, x: Tensor, context: Tensor, *, inverse: bool) -> tuple[Tensor, Tensor]:
        moved, fixed = x[:, : self.moved], x[:, self.moved :]
        raw = self.net(torch.cat([fixed, context], dim=1)).unflatten(1, (self.moved, -1))
        raw = raw.movedim(2, 4)
        if self.kind == "spline":
            moved, log_slope = rational_quadratic(moved, raw, TAILS, inverse=inverse)
        else:
            log_scale, shift = 2 * torch.tanh(raw[..., 0] / 2), raw[..., 1]
            if inverse:
                moved, log_slope = (moved - shift) * (-log_scale).exp(), -log_scale
            else:
                moved, log_slope = moved * log_scale.exp() + shift, log_scale
        return torch.cat([moved, fixed], dim=1), log_slope.sum(dim=(1, 2, 3))


class Mixing(nn.Module):
    """Invertible 1 x 1 convolution: a fixed permutation, then L times U.

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
        self.diagonal = nn.Parameter(torch.full((channels,), raw_unit_slope(LEAST)))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("order", torch.randperm(channels))

    def to_noise(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Noise, in the shape of `x`, and log-determinants, shape (n,), of data."""
        lower, upper, diagonal = self._factors()
        y = conv2d(x[:, self.order], (lower @ upper)[..., None, None], self.bias)
        pixels = x.shape[2] * x.shape[3]
        return y, (diagonal.log().sum() * pixels).expand(len(x))

    def to_value(self, y: Tensor, context: Tensor) -> Tensor:
        """Data of noise, in the shape of `y`."""
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


class UNet(nn.Module):
    """U-Net: convolutions at ever coarser resolution and back, with skip connections.

    A level is two convolutions of 3 x 3; a strided convolution whose kernel is its stride leads to
    the next, with twice the channels, and a transposed one leads back. The last convolution begins
    at zero, so that a coupling begins its training as the identity.

    Arguments:
        inputs: Channels that come in.
        outputs: Channels that go out.
        width: Channels of the first level.
        kernels: Kernels of the strided convolutions, one a level; their product must divide the
            image.
        circular: `True` where the last axis is an angle, whose ends meet.
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
        x = leaky_relu(x, LEAKY_SLOPE)
        for level in reversed(range(len(skips))):
            x = self.up[level](torch.cat([self.grow[level](x), skips[level]], dim=1))
        return x


class PaddedConv(nn.Module):
    """Convolution of 3 x 3 that keeps the size of the image, periodic along an angle."""

    def __init__(self, inputs: int, outputs: int, *, circular: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=(1, 0 if circular else 1))
        self.circular = circular

    def forward(self, x: Tensor) -> Tensor:
        if self.circular:
            x = pad(x, (1, 1, 0, 0), mode="circular")
        out: Tensor = self.conv(x)
        return out


def _block(inputs: int, width: int, outputs: int, *, circular: bool, last: bool) -> nn.Sequential:
    layers: list[nn.Module] = [
        PaddedConv(inputs, width, circular=circular),
        nn.BatchNorm2d(width),
        nn.LeakyReLU(LEAKY_SLOPE),
        PaddedConv(width, outputs, circular=circular),
    ]
    if not last:
        layers += [nn.BatchNorm2d(outputs), nn.LeakyReLU(LEAKY_SLOPE)]
    return nn.Sequential(*layers)
