"""Calibration: three factors after the training, fitted on training showers."""

from __future__ import annotations

import numpy as np

from calozoo_caloclouds3.config import Calibration, CaloCloudsConfig
from calozoo_caloclouds3.flow import NumpyShowerFlow, ShowerFlow
from calozoo_caloclouds3.layer_contents import sample_layers
from calozoo_caloclouds3.point_cloud import OneStepNet, point_cloud
from calozoo_caloclouds3.pointwise_net import PointWiseNet
from calozoo_caloclouds3.training_data import TrainingShowers

__all__ = ["calibrated"]

SEED = 30_000


def calibrated(
    flow: ShowerFlow,
    net: PointWiseNet,
    config: CaloCloudsConfig,
    sample: TrainingShowers,
    fitted_on: str,
) -> CaloCloudsConfig:
    """Configuration with factors that make three means agree with Geant4's.

    The mean number of points, the mean visible energy, and the energy-weighted mean distance to the
    axis. The paper tunes the same three (section 3.4).

    Arguments:
        flow: Trained flow.
        net: Trained one-step network.
        config: Configuration of the model; its own calibration is put aside first.
        sample: Geant4 showers.
        fitted_on: Name of the showers in the configuration.
    """
    plain = config.model_copy(update={"calibration": Calibration()})
    sampled = sample_layers(NumpyShowerFlow(flow), sample.condition, plain, SEED, 0)
    cloud = point_cloud(OneStepNet(net), sample.condition, sampled, plain, SEED, 0)
    mine = np.average(np.hypot(cloud.x, cloud.y), weights=cloud.energy)
    truth = np.average(np.hypot(sample.x, sample.y), weights=sample.showers.energy)
    return plain.model_copy(
        update={
            "calibration": Calibration(
                n_points=_ratio(sample.layers.counts.sum(), sampled.counts.sum()),
                energy=_ratio(sample.layers.energies.sum(), sampled.energies.sum()),
                position=_ratio(truth, mine),
                fitted_on=fitted_on,
            )
        }
    )


def _ratio(truth: np.floating | np.integer, mine: np.floating | np.integer) -> float:
    return round(float(truth) / float(mine), 5)
