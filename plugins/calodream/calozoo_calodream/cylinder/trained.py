"""Trained CaloDREAM of the CaloChallenge in torch, as training writes it."""

from __future__ import annotations

from dataclasses import dataclass

from calozoo_calodream.cylinder.config import CylinderConfig
from calozoo_calodream.cylinder.marginals import VoxelMarginals
from calozoo_calodream.cylinder.sampler import cylinder_layout
from calozoo_core.nn.standardisation import Standardisation
from calozoo_core.nn.transformer import VisionTransformer
from calozoo_core.weights.layout import part, zeros
from calozoo_core.weights.trained_model import TrainedModel

__all__ = ["TrainedCylinder"]


@dataclass(frozen=True, eq=False)
class TrainedCylinder(TrainedModel):
    """Networks, tables and configuration of a trained CaloDREAM of the CaloChallenge.

    Arguments:
        config: Sizes, voxels and solver.
        energies: Network of the layer energies.
        shape: Network of the voxels.
        energy_scale: Standardisation of the layer ratios.
        marginals: Distribution of each voxel on its own.
    """

    schema = CylinderConfig

    config: CylinderConfig
    energies: VisionTransformer
    shape: VisionTransformer
    energy_scale: Standardisation
    marginals: VoxelMarginals

    @classmethod
    def untrained(cls, config: CylinderConfig) -> TrainedCylinder:
        tables = zeros(cylinder_layout(config))
        return cls(
            config,
            VisionTransformer(config.energies),
            VisionTransformer(config.shape),
            Standardisation(**part(tables, "energy_scale")),
            VoxelMarginals(**part(tables, "marginals")),
        )
