"""Trained 3DGAN in torch, as training and torch use it."""

from __future__ import annotations

from dataclasses import dataclass

from calozoo_core.weights.trained_model import TrainedModel
from calozoo_gan3d.config import Gan3dConfig
from calozoo_gan3d.layer_energies import LayerEnergies
from calozoo_gan3d.networks import Generator
from calozoo_gan3d.points import PointTables

__all__ = ["TrainedGan3d"]


@dataclass(frozen=True, eq=False)
class TrainedGan3d(TrainedModel):
    """Networks, point tables and configuration of a trained 3DGAN.

    Arguments:
        config: Sizes and weights of the losses.
        energies: Network of the layer energies.
        generator: Network of the images.
        points: Tables of the points in voxels.
    """

    schema = Gan3dConfig

    config: Gan3dConfig
    energies: LayerEnergies
    generator: Generator
    points: PointTables

    @classmethod
    def untrained(cls, config: Gan3dConfig) -> TrainedGan3d:
        return cls(
            config,
            LayerEnergies(config.grid.layers, config.energies),
            Generator(config.grid, config.generator),
            PointTables.empty(config.grid),
        )
