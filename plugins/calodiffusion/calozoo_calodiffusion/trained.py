"""Trained CaloDiffusion in torch, as training writes it."""

from __future__ import annotations

from dataclasses import dataclass

from calozoo_calodiffusion.config import CaloDiffusionConfig
from calozoo_calodiffusion.core_sampler import core_layout
from calozoo_calodiffusion.unet import CylinderUnet
from calozoo_core.clumps.core_sampler import empty_tables
from calozoo_core.clumps.ring_calibration import RingCalibration
from calozoo_core.nn.standardisation import Standardisation
from calozoo_core.nn.transformer import VisionTransformer
from calozoo_core.weights.trained_model import TrainedModel

__all__ = ["TrainedCaloDiffusion"]


@dataclass(frozen=True, eq=False)
class TrainedCaloDiffusion(TrainedModel):
    """Networks, tables and configuration of a trained CaloDiffusion.

    Arguments:
        config: Sizes, rings and solver.
        energies: Network of the layer energies.
        shape: Network of the rings.
        energy_scale: Standardisation of the first one's numbers.
        shape_scale: Standardisation of the second one's.
        calibration: Of the ring energies.
    """

    schema = CaloDiffusionConfig

    config: CaloDiffusionConfig
    energies: VisionTransformer
    shape: CylinderUnet
    energy_scale: Standardisation
    shape_scale: Standardisation
    calibration: RingCalibration

    @classmethod
    def untrained(cls, config: CaloDiffusionConfig) -> TrainedCaloDiffusion:
        energy_scale, shape_scale, calibration = empty_tables(core_layout(config))
        return cls(
            config,
            VisionTransformer(config.energies),
            CylinderUnet(config.shape),
            energy_scale,
            shape_scale,
            calibration,
        )
