"""Trained CaloINN in torch, as training and torch use it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from calozoo_caloinn.config import CaloInnConfig
from calozoo_caloinn.networks import build_networks
from calozoo_caloinn.point_template import Template
from calozoo_core.weights.trained_model import TrainedModel

__all__ = ["TrainedCaloInn"]


@dataclass(frozen=True, eq=False)
class TrainedCaloInn(TrainedModel):
    """Networks, template and configuration of a trained CaloINN.

    Arguments:
        config: Sizes, rings and encoding.
        networks: Trained networks by name, as `build_networks` has them.
        template: Fitted template.
    """

    schema = CaloInnConfig

    config: CaloInnConfig
    networks: nn.ModuleDict
    template: Template

    @classmethod
    def untrained(cls, config: CaloInnConfig) -> TrainedCaloInn:
        return cls(config, build_networks(config), Template.zeros(config.codec, config.rings))
