"""Variational autoencoder whose prior is a Boltzmann machine, in torch for training."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from calozoo_caloqvae.config import CaloQvaeConfig
from calozoo_caloqvae.networks import Decoded, Decoder, Encoder, Posterior
from calozoo_caloqvae.rbm import Rbm

__all__ = ["Qvae", "QvaeBatch", "prior_loss"]


class QvaeBatch(NamedTuple):
    """Batch of showers, and the random numbers that the loss takes.

    Arguments:
        data: Standardised shares, shape (n, voxels).
        hits: 1 where there is energy, shape (n, voxels).
        condition: Conditions of encoder and decoder, shape (n, conditions).
        bits: States of the first partition, shape (n, nodes).
        logistic: Noise of the posterior's sample, shape (n, 3 x nodes).
        start: States that the chains begin with, shape (n, 3 x nodes).
        uniform: Random numbers of the chains, shape (n, sweeps, 3 x nodes).
        sharpness: Of the posterior's sample, a scalar.
        weight: Of the divergence of posterior and prior, a scalar.
    """

    data: Tensor
    hits: Tensor
    condition: Tensor
    bits: Tensor
    logistic: Tensor
    start: Tensor
    uniform: Tensor
    sharpness: Tensor
    weight: Tensor


class Qvae(nn.Module):
    """Encoder, prior and decoder.

    Arguments:
        config: Sizes.
    """

    def __init__(self, config: CaloQvaeConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.prior = Rbm(config.prior)
        self.decoder = Decoder(config)

    def forward(self, batch: QvaeBatch) -> Tensor:
        """Loss in nats a voxel, whose gradient is that of the negative evidence lower bound.

        The logarithm of the prior's normalisation is not known, but its gradient is: that of the
        mean negative energy of samples of the prior.

        Arguments:
            batch: Showers.
        """
        posterior = self.posterior(batch)
        divergence = prior_loss(self.prior, batch, posterior.sample) - posterior.entropy()
        reconstruction = self._reconstruction(batch, posterior)
        return (reconstruction + batch.weight * divergence).mean() / self.config.voxels

    def posterior(self, batch: QvaeBatch) -> Posterior:
        """Posterior of the latent nodes, and a sample.

        Arguments:
            batch: Showers.
        """
        found: Posterior = self.encoder(
            batch.data, batch.hits, batch.condition, batch.logistic, batch.sharpness
        )
        return found

    def negative_bound(self, batch: QvaeBatch, prior: Rbm) -> Tensor:
        """Negative evidence lower bound in nats a voxel, up to a constant.

        Arguments:
            batch: Showers.
            prior: Boltzmann machine, this one's or another.
        """
        posterior = self.posterior(batch)
        energy = prior.energy(batch.bits, posterior.sample)
        log_z = prior.log_normalisation(batch.bits, batch.start, batch.uniform)
        divergence = energy + log_z - posterior.entropy()
        reconstruction = self._reconstruction(batch, posterior)
        return (reconstruction + divergence).mean() / self.config.voxels

    def _reconstruction(self, batch: QvaeBatch, posterior: Posterior) -> Tensor:
        decoded: Decoded = self.decoder(posterior.sample, batch.condition)
        return decoded.negative_log_likelihood(batch.data, batch.hits)


def prior_loss(prior: Rbm, batch: QvaeBatch, latents: Tensor) -> Tensor:
    """Energy of states minus that of samples of the prior, shape (n,).

    Arguments:
        prior: Boltzmann machine.
        batch: Showers.
        latents: States of the posterior, shape (n, 3 x nodes).
    """
    chains = prior.gibbs(batch.bits, batch.start, batch.uniform)
    return prior.energy(batch.bits, latents) - prior.energy(batch.bits, chains)
