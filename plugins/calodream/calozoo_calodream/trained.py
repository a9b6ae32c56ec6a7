"""Trained CaloDREAM in torch, as training writes it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from calozoo_calodream.config import CaloDreamConfig
from calozoo_core.nn.transformer import VisionTransformer
from calozoo_core.weights.trained_core import TrainedCore

__all__ = ["TrainedCaloDream"]


@dataclass(frozen=True, eq=False)
class TrainedCaloDream(TrainedCore):
    """Networks, tables and configuration of a trained CaloDREAM.

    Arguments:
        config: Sizes, rings and solver.
        shape: Network of the rings.
        others: As in `TrainedCore`.
    """

    schema = CaloDreamConfig

    config: CaloDreamConfig
    shape: VisionTransformer

    @classmethod
    def ring_networks(cls, config: CaloDreamConfig) -> dict[str, nn.Module]:
        """Untrained networks of the rings, by field."""
        return {"shape": VisionTransformer(config.shape)}
