"""Trained CaloDiffusion in torch, as training writes it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from calozoo_calodiffusion.config import CaloDiffusionConfig
from calozoo_calodiffusion.unet import CylinderUnet
from calozoo_core.weights.trained_core import TrainedCore

__all__ = ["TrainedCaloDiffusion"]


@dataclass(frozen=True, eq=False)
class TrainedCaloDiffusion(TrainedCore):
    """Networks, tables and configuration of a trained CaloDiffusion.

    Arguments:
        config: Sizes, rings and solver.
        shape: Network of the rings.
        others: As in `TrainedCore`.
    """

    schema = CaloDiffusionConfig

    config: CaloDiffusionConfig
    shape: CylinderUnet

    @classmethod
    def ring_networks(cls, config: CaloDiffusionConfig) -> dict[str, nn.Module]:
        """Untrained networks of the rings, by field."""
        return {"shape": CylinderUnet(config.shape)}
