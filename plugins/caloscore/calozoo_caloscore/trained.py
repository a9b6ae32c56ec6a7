"""Trained CaloScore in torch, as training writes it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from calozoo_caloscore.config import CaloScoreConfig
from calozoo_caloscore.unet import Unet
from calozoo_core.weights.trained_core import TrainedCore

__all__ = ["TrainedCaloScore"]


@dataclass(frozen=True, eq=False)
class TrainedCaloScore(TrainedCore):
    """Networks, tables and configuration of a trained CaloScore.

    Arguments:
        config: Sizes, rings and steps.
        teacher: Network of the rings, for any number of steps.
        students: Networks distilled from it, by their number of steps.
        others: As in `TrainedCore`.
    """

    schema = CaloScoreConfig

    config: CaloScoreConfig
    teacher: Unet
    students: nn.ModuleDict

    @classmethod
    def ring_networks(cls, config: CaloScoreConfig) -> dict[str, nn.Module]:
        """Untrained networks of the rings, by field."""
        return {
            "teacher": Unet(config.shape),
            "students": nn.ModuleDict({str(n): Unet(config.shape) for n in config.distilled}),
        }

    @classmethod
    def calibrations(cls, config: CaloScoreConfig) -> tuple[int, ...]:
        """Number of calibrations: the teacher's, then the students'."""
        return (1 + len(config.distilled),)
