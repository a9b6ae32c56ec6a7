"""Trained CaloQVAE in torch, as training writes it."""

from __future__ import annotations

from dataclasses import dataclass

from calozoo_caloqvae.config import CaloQvaeConfig
from calozoo_caloqvae.core_sampler import core_layout
from calozoo_caloqvae.networks import Decoder, Encoder
from calozoo_caloqvae.rbm import Rbm
from calozoo_core.clumps.core_sampler import empty_tables
from calozoo_core.clumps.ring_calibration import RingCalibration
from calozoo_core.nn.standardisation import Standardisation
from calozoo_core.nn.transformer import VisionTransformer
from calozoo_core.weights.trained_model import TrainedModel

__all__ = ["TrainedCaloQvae"]


@dataclass(frozen=True, eq=False)
class TrainedCaloQvae(TrainedModel):
    """Networks, tables and configuration of a trained CaloQVAE.

    Arguments:
        config: Sizes, rings and sweeps.
        energies: Network of the layer energies.
        encoder: Posterior of the latent nodes, which only training needs.
        prior: Boltzmann machine.
        decoder: Network of the rings.
        energy_scale: Standardisation of the layer energies' numbers.
        shape_scale: Standardisation of the rings' numbers.
        calibration: Of the ring energies.
    """

    schema = CaloQvaeConfig

    config: CaloQvaeConfig
    energies: VisionTransformer
    encoder: Encoder
    prior: Rbm
    decoder: Decoder
    energy_scale: Standardisation
    shape_scale: Standardisation
    calibration: RingCalibration

    @classmethod
    def untrained(cls, config: CaloQvaeConfig) -> TrainedCaloQvae:
        energy_scale, shape_scale, calibration = empty_tables(core_layout(config))
        return cls(
            config,
            VisionTransformer(config.energies),
            Encoder(config),
            Rbm(config.prior),
            Decoder(config),
            energy_scale,
            shape_scale,
            calibration,
        )
