"""Encoder and decoder of a CaloQVAE in torch, for training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from calozoo_caloqvae.config import SPREADS, CaloQvaeConfig
from calozoo_core.nn.mlp import mlp

__all__ = ["Decoded", "Decoder", "Encoder", "Posterior"]

LARGEST_LOGIT = 88.0
"""Logits of the posterior are kept this close to zero, as published."""


class Posterior(NamedTuple):
    """Posterior of the latent nodes, and a sample of it.

    Arguments:
        logits: Of each node given those of the levels before it, shape (n, 3 x nodes).
        sample: States, smoothed to be between 0 and 1, shape (n, 3 x nodes).
    """

    logits: Tensor
    sample: Tensor

    def entropy(self) -> Tensor:
        """Entropy of the nodes given those before them, in nats, shape (n,)."""
        share = torch.sigmoid(self.logits)
        return (nn.functional.softplus(self.logits) - self.logits * share).sum(dim=1)


class Decoded(NamedTuple):
    """Distribution of the rings of a shower.

    Arguments:
        hit: Logit of the probability that there is energy, shape (n, voxels).
        mean: Mean of the standardised share if there is, shape (n, voxels).
        log_spread: Logarithm of its standard deviation given the rings inside of it, shape
            (n, voxels).
        links: How much of what a ring (last axis) has beyond its mean the ones outside of it have
            as well, zero for all others, shape (layers, rings, rings).
    """

    hit: Tensor
    mean: Tensor
    log_spread: Tensor
    links: Tensor

    def negative_log_likelihood(self, data: Tensor, hits: Tensor) -> Tensor:
        """Of showers, in nats, up to a constant, shape (n,).

        Arguments:
            data: Standardised shares, shape (n, voxels).
            hits: 1 where there is energy, shape (n, voxels).
        """
        of_hits = nn.functional.binary_cross_entropy_with_logits(self.hit, hits, reduction="none")
        beyond = hits * (data - self.mean)
        by_layer = beyond.view(len(data), *self.links.shape[:2])
        inner = torch.einsum("lij,nlj->nli", self.links, by_layer).reshape(data.shape)
        pull = (beyond - inner) * torch.exp(-self.log_spread)
        of_shares = hits * (0.5 * pull.square() + self.log_spread)
        return (of_hits + of_shares).sum(dim=1)


class Encoder(nn.Module):
    """Hierarchical posterior: each level is given the samples of those before it.

    Arguments:
        config: Sizes.
    """

    def __init__(self, config: CaloQvaeConfig) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            mlp(level.inputs, level.hidden, level.outputs) for level in config.encoder_levels
        )

    def forward(
        self, data: Tensor, hits: Tensor, condition: Tensor, logistic: Tensor, sharpness: Tensor
    ) -> Posterior:
        """Posterior, and a sample by the logistic reparametrisation of a coin.

        Arguments:
            data: Standardised shares, shape (n, voxels).
            hits: 1 where there is energy, shape (n, voxels).
            condition: Conditions, shape (n, conditions).
            logistic: Noise of the sample, shape (n, 3 x nodes).
            sharpness: Factor in the sigmoid that stands for a step, a scalar; beta in the paper.
        """
        given = torch.cat([data * hits, hits, condition], dim=1)
        logits: list[Tensor] = []
        samples: list[Tensor] = []
        for level, noise in zip(self.levels, logistic.chunk(len(self.levels), dim=1), strict=True):
            own = level(torch.cat([given, *_centred(samples)], dim=1))
            logits.append(own.clamp(-LARGEST_LOGIT, LARGEST_LOGIT))
            samples.append(torch.sigmoid(sharpness * (logits[-1] + noise)))
        return Posterior(torch.cat(logits, dim=1), torch.cat(samples, dim=1))


class Decoder(nn.Module):
    """Distribution of the rings given the latent nodes and the condition.

    Arguments:
        config: Sizes.
    """

    def __init__(self, config: CaloQvaeConfig) -> None:
        super().__init__()
        sizes = config.decoder
        self.net = mlp(sizes.inputs, sizes.hidden, sizes.outputs)
        self._grid = config.layers, config.rings
        self.links = nn.Parameter(torch.zeros(config.layers, config.links))

    def forward(self, latents: Tensor, condition: Tensor) -> Decoded:
        """Distribution of the rings.

        Arguments:
            latents: States of the latent nodes, shape (n, 3 x nodes).
            condition: Conditions, shape (n, conditions).
        """
        hit, mean, log_spread = self.net(torch.cat([2 * latents - 1, condition], dim=1)).chunk(
            3, dim=1
        )
        return Decoded(hit, mean, log_spread.clamp(*SPREADS), self.matrices())

    def matrices(self) -> Tensor:
        """Links of the rings of each layer, shape (layers, rings, rings)."""
        layers, rings = self._grid
        outer, inner = torch.tril_indices(rings, rings, -1).to(self.links.device)
        matrices = self.links.new_zeros(layers, rings, rings)
        return matrices.index_put((torch.arange(layers)[:, None], outer, inner), self.links)


def _centred(samples: Sequence[Tensor]) -> list[Tensor]:
    """States as spins."""
    return [2 * sample - 1 for sample in samples]
