"""Trained CaloClouds3 in torch, as training and torch use it."""

from __future__ import annotations

from dataclasses import dataclass

from calozoo_caloclouds3.config import CaloCloudsConfig
from calozoo_caloclouds3.flow import ShowerFlow
from calozoo_caloclouds3.pointwise_net import PointWiseNet
from calozoo_core.weights.trained_model import TrainedModel

__all__ = ["TrainedCaloClouds3"]


@dataclass(frozen=True, eq=False)
class TrainedCaloClouds3(TrainedModel):
    """Networks and configuration of a trained CaloClouds3.

    Arguments:
        config: Sizes, features and calibration.
        flow: Trained ShowerFlow.
        points: Trained one-step PointWiseNet.
    """

    schema = CaloCloudsConfig

    config: CaloCloudsConfig
    flow: ShowerFlow
    points: PointWiseNet

    @classmethod
    def untrained(cls, config: CaloCloudsConfig) -> TrainedCaloClouds3:
        return cls(config, ShowerFlow(config.flow), PointWiseNet(config.points))
