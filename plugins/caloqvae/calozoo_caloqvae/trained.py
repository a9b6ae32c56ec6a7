"""Trained CaloQVAE in torch, as training writes it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from calozoo_caloqvae.config import CaloQvaeConfig
from calozoo_caloqvae.networks import Decoder, Encoder
from calozoo_caloqvae.rbm import Rbm
from calozoo_core.weights.trained_core import TrainedCore

__all__ = ["TrainedCaloQvae"]


@dataclass(frozen=True, eq=False)
class TrainedCaloQvae(TrainedCore):
    """Networks, tables and configuration of a trained CaloQVAE.

    Arguments:
        config: Sizes, rings and sweeps.
        encoder: Posterior of the latent nodes, which only training needs.
        prior: Boltzmann machine.
        decoder: Network of the rings.
        others: As in `TrainedCore`.
    """

    schema = CaloQvaeConfig

    config: CaloQvaeConfig
    encoder: Encoder
    prior: Rbm
    decoder: Decoder

    @classmethod
    def ring_networks(cls, config: CaloQvaeConfig) -> dict[str, nn.Module]:
        """Untrained networks of the rings, by field."""
        return {
            "encoder": Encoder(config),
            "prior": Rbm(config.prior),
            "decoder": Decoder(config),
        }
