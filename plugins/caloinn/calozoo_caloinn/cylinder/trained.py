"""Trained CaloINN on cylinders in torch, as training and torch use it."""

from __future__ import annotations

from dataclasses import dataclass

from calozoo_caloinn.cylinder.config import CylinderConfig
from calozoo_caloinn.cylinder.sectors import SectorTables
from calozoo_caloinn.inn import Inn
from calozoo_core.weights.trained_model import TrainedModel

__all__ = ["TrainedCylinder"]


@dataclass(frozen=True, eq=False)
class TrainedCylinder(TrainedModel):
    """Networks, tables and configuration of a trained CaloINN on cylinders.

    Arguments:
        config: Sizes.
        visible: Network of the visible over the incident energy, given ln E.
        layers: Network of the ratio of a layer, given `autoregressive.layer_condition`.
        rings: Network of the ratios of its rings, given `autoregressive.ring_condition`.
        tables: Fitted tables of the sectors.
    """

    schema = CylinderConfig

    config: CylinderConfig
    visible: Inn
    layers: Inn
    rings: Inn
    tables: SectorTables

    @classmethod
    def untrained(cls, config: CylinderConfig) -> TrainedCylinder:
        visible, layers, rings = Inn(config.visible), Inn(config.layers), Inn(config.rings)
        return cls(config, visible, layers, rings, SectorTables.zeros(config))
