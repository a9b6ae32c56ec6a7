"""The networks of the 3DGAN paper, for images of 51 x 51 x 25 cells, and their four-term loss.

They have no trained weights; the networks that calozoo trains are in `calozoo_gan3d.networks`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from calozoo_gan3d.adversarial_step import deposit_sum, percentage_error, real_loss
from calozoo_gan3d.config import LossConfig

__all__ = [
    "LATENT",
    "SHAPE",
    "DiscriminatorOutput",
    "PublishedDiscriminator",
    "PublishedGenerator",
    "cell_angle",
    "published_loss",
]

SHAPE = (51, 51, 25)
LATENT = 256
EMPTY = 1e-12
"""Smallest deposit sum that is divided by."""
EMPTY_ANGLE = 100.0


class PublishedGenerator(nn.Module):
    """Image to the power 0.85 from the energy over 100 GeV, the angle in radians and 254 noises.

    References:
        | Khattak et al., Fast simulation of a high granularity calorimeter by generative
        | adversarial networks, section 4, https://arxiv.org/abs/2109.07388

    Example:
        >>> sum(p.numel() for p in PublishedGenerator().parameters())
        1364983
    """

    #: Channels in and out, kernel, and zeros put around the image before.
    CONVOLUTIONS = (
        (8, 8, (6, 6, 8), (0, 0, 0)),
        (8, 6, (4, 4, 6), (2, 2, 1)),
        (6, 6, (4, 4, 6), (2, 2, 1)),
        (6, 6, (4, 4, 6), (2, 2, 1)),
        (6, 6, (3, 3, 5), (1, 1, 0)),
        (6, 6, (3, 3, 3), (1, 1, 0)),
        (6, 1, (2, 2, 2), (0, 0, 0)),
    )
    NORMALISED = 5

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(LATENT, 8 * 9 * 9 * 8)
        layers: list[nn.Module] = []
        for i, (inputs, outputs, kernel, zeros) in enumerate(self.CONVOLUTIONS):
            convolution = nn.Conv3d(inputs, outputs, kernel, padding=zeros)
            if i < len(self.CONVOLUTIONS) - 1:
                nn.init.kaiming_uniform_(convolution.weight, nonlinearity="relu")
            else:
                nn.init.xavier_normal_(convolution.weight)
            layers += [convolution, nn.ReLU()]
            if i < self.NORMALISED:
                layers.append(nn.BatchNorm3d(outputs, eps=1e-6))
        self.convolutions = nn.Sequential(*layers)

    def forward(self, latent: Tensor) -> Tensor:
        """Images, shape (n, 1, 51, 51, 25), from latent numbers, shape (n, 256)."""
        small = self.first(latent).view(-1, 8, 9, 9, 8)
        image: Tensor = self.convolutions(interpolate(small, scale_factor=6, mode="trilinear"))
        return image


class DiscriminatorOutput(NamedTuple):
    """Output of the discriminator, or its target; each of shape (n,).

    Arguments:
        real: Logit of being real; in the target, the label.
        energy: Incident energy over 100 GeV.
        angle: In radians.
        deposit: Sum of the deposits.
    """

    real: Tensor
    energy: Tensor
    angle: Tensor
    deposit: Tensor


class PublishedDiscriminator(nn.Module):
    """Real or drawn, and of which energy; angle and deposit sum are computed, not learned.

    References:
        | As for the generator.

    Arguments:
        power: Images are deposits to this power.

    Example:
        >>> sum(p.numel() for p in PublishedDiscriminator().parameters())
        87354
    """

    KERNEL = (5, 6, 6)

    def __init__(self, power: float = 0.85) -> None:
        super().__init__()
        self.power = power
        layers: list[nn.Module] = []
        paddings = ((2, 3, 3), (0, 0, 1), (0, 0, 1), (0, 0, 0))
        for (inputs, outputs), zeros in zip(
            ((1, 16), (16, 8), (8, 8), (8, 8)), paddings, strict=True
        ):
            layers += [nn.Conv3d(inputs, outputs, self.KERNEL, padding=zeros), nn.LeakyReLU()]
            if inputs > 1:
                layers.append(nn.BatchNorm3d(outputs, eps=1e-6))
            layers.append(nn.Dropout(0.2))
        self.convolutions = nn.Sequential(*layers, nn.AvgPool3d(2), nn.Flatten())
        self.real = nn.Linear(8 * 19 * 18 * 7, 1)
        self.energy = nn.Linear(8 * 19 * 18 * 7, 1)

    def forward(self, image: Tensor) -> DiscriminatorOutput:
        """The output for images, shape (n, 1, 51, 51, 25)."""
        features = self.convolutions(image)
        deposits = image.squeeze(1) ** (1 / self.power)
        return DiscriminatorOutput(
            self.real(features).squeeze(1),
            self.energy(features).squeeze(1),
            cell_angle(deposits),
            deposit_sum(deposits),
        )


def cell_angle(image: Tensor) -> Tensor:
    """The angle of each image to its second axis, in radians; 100 for an empty one, shape (n,).

    In each layer along the third axis, the line from the barycentre of the whole to that of the
    layer has an angle; their mean is taken with the number of the layer as weight.

    Arguments:
        image: Deposits, shape (n, x, y, z).
    """
    n, *sizes = image.shape
    x, y, z = (torch.arange(size, dtype=image.dtype, device=image.device) + 0.5 for size in sizes)
    layer = image.sum(dim=(1, 2))
    mean_x, mean_y = image.sum(dim=2), image.sum(dim=1)
    moment_x, moment_y = (mean_x * x[:, None]).sum(dim=1), (mean_y * y[:, None]).sum(dim=1)
    total = layer.sum(dim=1, keepdim=True)
    filled = layer > 0
    safe, safe_total = layer.clamp_min(EMPTY), total.clamp_min(EMPTY)
    middle = [m.sum(dim=1, keepdim=True) / safe_total for m in (moment_x, moment_y)]
    depth = z - (layer @ z)[:, None] / safe_total
    along = torch.hypot(moment_x / safe - middle[0], depth).clamp_min(EMPTY)
    slope = (moment_y / safe - middle[1]) / along * torch.where(depth < 0, -1.0, 1.0)
    weight = torch.where(filled, z, torch.zeros_like(z))
    angle = ((math.pi / 2 - torch.atan(slope)) * weight).sum(dim=1)
    angle = angle / weight.sum(dim=1).clamp_min(EMPTY)
    return torch.where(total.view(n) > 0, angle, torch.full_like(angle, EMPTY_ANGLE))


def published_loss(
    output: DiscriminatorOutput, target: DiscriminatorOutput, weights: LossConfig
) -> Tensor:
    """The weighted sum of the four published loss terms.

    Arguments:
        output: Output for a batch of images.
        target: The true values.
        weights: Weights of the terms; 3, 0.1, 25 and 0.1 as published.

    Raises:
        ValueError: If the shapes differ.
    """
    if output.angle.shape != target.angle.shape:
        msg = f"a loss needs two equal shapes, not {output.angle.shape} and {target.angle.shape}"
        raise ValueError(msg)
    return (
        weights.real * real_loss(output.real, target.real)
        + weights.energy * percentage_error(output.energy, target.energy)
        + weights.angle * (output.angle - target.angle).abs().mean()
        + weights.deposit * percentage_error(output.deposit, target.deposit)
    )
