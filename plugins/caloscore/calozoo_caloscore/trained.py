"""Trained CaloScore in torch, as training writes it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from calozoo_caloscore.config import CaloScoreConfig
from calozoo_caloscore.core_sampler import core_layout
from calozoo_caloscore.unet import Unet
from calozoo_core.clumps.core_sampler import empty_tables
from calozoo_core.clumps.ring_calibration import RingCalibration
from calozoo_core.nn.standardisation import Standardisation
from calozoo_core.nn.transformer import VisionTransformer
from calozoo_core.weights.trained_model import TrainedModel

__all__ = ["TrainedCaloScore"]


@dataclass(frozen=True, eq=False)
class TrainedCaloScore(TrainedModel):
    """Networks, tables and configuration of a trained CaloScore.

    Arguments:
        config: Sizes, rings and steps.
        energies: Network of the layer energies.
        teacher: Network of the rings, for any number of steps.
        students: Networks distilled from it, by their number of steps.
        energy_scale: Standardisation of the layer energies' numbers.
        shape_scale: Standardisation of the rings' numbers.
        calibration: Of the ring energies: the teacher's, then the students'.
    """

    schema = CaloScoreConfig

    config: CaloScoreConfig
    energies: VisionTransformer
    teacher: Unet
    students: nn.ModuleDict
    energy_scale: Standardisation
    shape_scale: Standardisation
    calibration: RingCalibration

    @classmethod
    def untrained(cls, config: CaloScoreConfig) -> TrainedCaloScore:
        energy_scale, shape_scale, calibration = empty_tables(core_layout(config))
        return cls(
            config,
            VisionTransformer(config.energies),
            Unet(config.shape),
            nn.ModuleDict({str(steps): Unet(config.shape) for steps in config.distilled}),
            energy_scale,
            shape_scale,
            calibration,
        )
