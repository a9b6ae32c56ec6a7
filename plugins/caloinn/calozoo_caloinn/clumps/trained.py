"""Trained CaloINN on clumps in torch, as training and torch use it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from calozoo_caloinn.clumps.config import ClumpsConfig
from calozoo_caloinn.clumps.ring_tables import RingTables
from calozoo_caloinn.networks import build_networks
from calozoo_core.weights.trained_model import TrainedModel

__all__ = ["TrainedCaloInnClumps"]


@dataclass(frozen=True, eq=False)
class TrainedCaloInnClumps(TrainedModel):
    """Networks, calibration and configuration of a trained CaloINN on clumps.

    Arguments:
        config: Sizes, rings and encoding.
        networks: Trained flows "layers" and "inn".
        rings: Calibration of the rings.
    """

    schema = ClumpsConfig

    config: ClumpsConfig
    networks: nn.ModuleDict
    rings: RingTables

    @classmethod
    def untrained(cls, config: ClumpsConfig) -> TrainedCaloInnClumps:
        return cls(config, build_networks(config.flows), RingTables.zeros(config.flows))
