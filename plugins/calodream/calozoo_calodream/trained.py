"""Trained CaloDREAM in torch, as training writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from calozoo_calodream.config import CaloDreamConfig
from calozoo_calodream.core_sampler import array_shapes
from calozoo_calodream.transformer import VisionTransformer
from calozoo_core.weights.trained_model import TrainedModel

__all__ = ["CalibrationTables", "ScaleTables", "TrainedCaloDream"]


class ScaleTables(NamedTuple):
    """A `Standardisation` as tensors."""

    mean: Tensor
    log_spread: Tensor


class CalibrationTables(NamedTuple):
    """A `RingCalibration` as tensors."""

    threshold: Tensor
    factor: Tensor


@dataclass(frozen=True, eq=False)
class TrainedCaloDream(TrainedModel):
    """Networks, tables and configuration of a trained CaloDREAM.

    Arguments:
        config: Sizes, rings and solver.
        energies: Network of the layer energies.
        shape: Network of the rings.
        energy_scale: Standardisation of the first one's numbers.
        shape_scale: Standardisation of the second one's.
        calibration: Of the ring energies.
    """

    schema = CaloDreamConfig

    config: CaloDreamConfig
    energies: VisionTransformer
    shape: VisionTransformer
    energy_scale: ScaleTables
    shape_scale: ScaleTables
    calibration: CalibrationTables

    @classmethod
    def untrained(cls, config: CaloDreamConfig) -> TrainedCaloDream:
        shapes = array_shapes(config)

        def table(name: str) -> Tensor:
            return torch.zeros(shapes[name])

        def scale(name: str) -> ScaleTables:
            return ScaleTables(table(f"{name}.mean"), table(f"{name}.log_spread"))

        return cls(
            config,
            VisionTransformer(config.energies),
            VisionTransformer(config.shape),
            scale("energy_scale"),
            scale("shape_scale"),
            CalibrationTables(table("calibration.threshold"), table("calibration.factor")),
        )
