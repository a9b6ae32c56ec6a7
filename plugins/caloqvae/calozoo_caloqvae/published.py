"""Networks as they were published: convolutions on the cylinder of data set 2, and energy bits.

References:
    | Conditioned Calo4pQVAE: https://arxiv.org/abs/2410.22870
    | Hierarchical Calo4pQVAE: https://arxiv.org/abs/2412.04677
    | Their code: https://github.com/QaloSim/CaloQVAE
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from calozoo_caloqvae.config import LATENT_PARTITIONS, RbmConfig
from calozoo_caloqvae.graphs import PARTITIONS
from calozoo_caloqvae.rbm import Rbm

__all__ = ["PUBLISHED", "PublishedQvae", "energy_bits", "published", "voxels_from", "voxels_to"]

PUBLISHED: Final = {
    "calo4pqvae-512": RbmConfig(graph="dense", size=512),
    "calo4pqvae-302": RbmConfig(graph="dense", size=302),
}
"""Boltzmann machines of the published models, which all couplings may have that hardware allows."""

GRID: Final = (45, 16, 9)
"""Layers, sectors and rings."""

BITS: Final = 20
"""Bits of the energy, of its square root and of its logarithm."""

LOGIT: Final = 1e-7
"""Regularisation of the logit."""

LOG_ENERGY: Final = (6.0, 14.0)
"""Logarithms of the energy in MeV that become 0 and 1."""

LEAK: Final = 0.02

ENCODER_STRIDES: Final = ((2, 1, 1), (2, 1, 1), (1, 2, 1))


def published(name: str) -> RbmConfig:
    """Boltzmann machine of a published model.

    Raises:
        ValueError: If there is no such model.

    Example:
        >>> published("calo4pqvae-512").couplings
        1572864
    """
    if name not in PUBLISHED:
        msg = f"no published model is called {name!r}; there are {', '.join(PUBLISHED)}"
        raise ValueError(msg)
    return PUBLISHED[name]


def voxels_to(voxels: Tensor, energy: Tensor) -> Tensor:
    """Numbers of voxels: 0 where there is no energy, positive where there is.

    Arguments:
        voxels: Energies, shape (n, voxels).
        energy: Incident energies, in the same unit, shape (n,).
    """
    x = LOGIT + (1 - 2 * LOGIT) * voxels / energy[:, None]
    return torch.log(x * (1 - LOGIT) / (LOGIT * (1 - x)))


def voxels_from(numbers: Tensor, energy: Tensor) -> Tensor:
    """Energies of voxels; the inverse of `voxels_to`.

    Arguments:
        numbers: Shape (n, voxels).
        energy: Incident energies, shape (n,).
    """
    odds = torch.exp(numbers) * LOGIT / (1 - LOGIT)
    return (odds / (1 + odds) - LOGIT) / (1 - 2 * LOGIT) * energy[:, None]


def energy_bits(energy_mev: Tensor, nodes: int) -> Tensor:
    """States of the first partition: an incident energy in bits, shape (n, nodes).

    Twenty bits each of the energy, its square root and its logarithm, the lowest first, as often as
    they fit.

    Arguments:
        energy_mev: Shape (n,).
        nodes: Nodes of the partition.
    """
    numbers = (
        energy_mev,
        math.sqrt(10) * energy_mev.sqrt(),
        math.exp(10) * energy_mev.log(),
    )
    powers = torch.arange(BITS, device=energy_mev.device)
    bits = [(number.long()[:, None] >> powers) & 1 for number in numbers]
    once = torch.cat(bits, dim=1).float()
    repeated = once.repeat(1, nodes // once.shape[1])
    return pad(repeated, (0, nodes - repeated.shape[1]))


class PublishedQvae(nn.Module):
    """Encoder, Boltzmann machine and decoder as they were published.

    Arguments:
        config: Of the Boltzmann machine.
    """

    def __init__(self, config: RbmConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = nn.ModuleList(_EncoderLevel(config.nodes) for _ in range(LATENT_PARTITIONS))
        self.prior = Rbm(config)
        self.decoder = _Decoder(PARTITIONS * config.nodes)

    def encode(self, numbers: Tensor, energy_mev: Tensor, logistic: Tensor, beta: float) -> Tensor:
        """Sample of the posterior, with the bits of the energy before it, shape (n, 4 x nodes).

        Arguments:
            numbers: `voxels_to`, shape (n, layers, sectors, rings).
            energy_mev: Incident energies, shape (n,).
            logistic: Noise, shape (n, 3 x nodes).
            beta: Factor in the sigmoid that stands for a step.
        """
        samples = [energy_bits(energy_mev, self.config.nodes)]
        noises = logistic.chunk(LATENT_PARTITIONS, dim=1)
        for level, noise in zip(self.encoder, noises, strict=True):
            logits = level(numbers, energy_mev, samples).clamp(-88, 88)
            samples.append(torch.sigmoid(beta * (logits + noise)))
        return torch.cat(samples, dim=1)

    def decode(self, latents: Tensor, energy_mev: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of hits, and activations of those, shape (n, layers, sectors, rings) each.

        Arguments:
            latents: States of all nodes, shape (n, 4 x nodes).
            energy_mev: Incident energies, shape (n,).
        """
        hits, activations = self.decoder(latents, energy_mev)
        return hits, activations


class _AxisConvolution(nn.Conv3d):
    """Convolution that goes round in the angle and, on the axis, through it to the other side."""

    def __init__(
        self, inputs: int, outputs: int, stride: tuple[int, int, int], *, padded: bool
    ) -> None:
        super().__init__(inputs, outputs, 3, stride)
        self._padded = padded

    def forward(self, image: Tensor) -> Tensor:
        if self._padded:
            beyond = image[..., :1].roll(image.shape[-2] // 2, dims=-2)
            image = torch.cat([beyond, image], dim=-1)
            image = pad(image, (0, 0, 1, 1, 0, 0), mode="circular")
        return super().forward(image)


class _EncoderLevel(nn.Module):
    """Logits of a partition, given the shower, its energy and the partitions before it."""

    def __init__(self, nodes: int) -> None:
        super().__init__()
        widths = (1, 32, 64, 128)
        layers: list[nn.Module] = []
        for inputs, outputs, stride in zip(widths, widths[1:], ENCODER_STRIDES, strict=False):
            convolution = _AxisConvolution(inputs, outputs, stride, padded=True)
            layers += [convolution, nn.BatchNorm3d(outputs), nn.PReLU(outputs, LEAK)]
        self.first = nn.Sequential(*layers)
        self.second = nn.Sequential(
            _AxisConvolution(129, 256, (2, 2, 1), padded=False),
            nn.BatchNorm3d(256),
            nn.PReLU(256, LEAK),
            _AxisConvolution(256, nodes, (1, 2, 2), padded=False),
            nn.PReLU(nodes, 1.0),
            nn.Flatten(),
        )

    def forward(self, numbers: Tensor, energy_mev: Tensor, samples: Sequence[Tensor]) -> Tensor:
        mark = _position_encoding(torch.cat(list(samples), dim=1))
        features = self.first((numbers + mark[:, None, None, None])[:, None])
        logits: Tensor = self.second(_with_energy(features, energy_mev))
        return logits


class _Decoder(nn.Module):
    """Hits and activations of states and energy."""

    def __init__(self, nodes: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Unflatten(1, (nodes, 1, 1, 1)),
            *_upwards(nodes, 512, (3, 2, 3), (2, 1, 1)),
            *_upwards(512, 128, (5, 3, 3), (2, 1, 1)),
        )
        self.hits, self.activations = (_head(slope) for slope in (1.0, LEAK))

    def forward(self, latents: Tensor, energy_mev: Tensor) -> tuple[Tensor, Tensor]:
        features = _with_energy(self.first(latents), energy_mev)
        # Rings come before sectors in here.
        hits, activations = (
            head(features)[:, 0].transpose(2, 3) for head in (self.hits, self.activations)
        )
        return hits, activations


def _head(slope: float) -> nn.Sequential:
    """Head of the decoder; the last two slopes are the same."""
    return nn.Sequential(
        *_upwards(129, 64, (3, 2, 3), (2, 1, 1)),
        *_upwards(64, 32, (5, 3, 3), (2, 1, 2), slope),
        nn.ConvTranspose3d(32, 1, (5, 3, 2)),
        nn.PReLU(1, slope),
    )


def _upwards(
    inputs: int,
    outputs: int,
    kernel: tuple[int, int, int],
    stride: tuple[int, int, int],
    slope: float = LEAK,
) -> tuple[nn.Module, ...]:
    """Transposed convolution, normalisation and activation."""
    return (
        nn.ConvTranspose3d(inputs, outputs, kernel, stride),
        nn.BatchNorm3d(outputs),
        nn.PReLU(outputs, slope),
    )


def _with_energy(features: Tensor, energy_mev: Tensor) -> Tensor:
    """Features with the logarithm of the energy as a further channel."""
    low, high = LOG_ENERGY
    share = (energy_mev.log() - low) / (high - low)
    channel = share[:, None, None, None, None].expand(-1, 1, *features.shape[2:])
    return torch.cat([features, channel], dim=1)


def _position_encoding(samples: Tensor) -> Tensor:
    """Number that stands for the states of the partitions before, shape (n,)."""
    nodes = samples.shape[1]
    angle = torch.arange(nodes, device=samples.device) * (math.pi / nodes)
    terms = angle.cos() * samples + angle.sin() * (1 - samples)
    factor = (nodes // PARTITIONS - 2) / ((nodes - 1) * math.sqrt(nodes))
    return factor * terms.sum(dim=1)
