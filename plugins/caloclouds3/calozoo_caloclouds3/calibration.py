"""The last correction: three factors, fitted on training showers."""

from __future__ import annotations

import numpy as np

from calozoo_caloclouds3.config import Calibration, CaloCloudsConfig
from calozoo_caloclouds3.flow import ShowerFlow
from calozoo_caloclouds3.layers import draw_layers
from calozoo_caloclouds3.numpy_flow import PlainFlow
from calozoo_caloclouds3.one_step import OneStep
from calozoo_caloclouds3.point_cloud import point_cloud
from calozoo_caloclouds3.points import PointWiseNet
from calozoo_caloclouds3.training_data import Sample

__all__ = ["calibrated"]

SEED = 30_000


def calibrated(
    flow: ShowerFlow, net: PointWiseNet, config: CaloCloudsConfig, sample: Sample, fitted_on: str
) -> CaloCloudsConfig:
    """The configuration with factors that make three means agree with Geant4's.

    The mean number of points, the mean visible energy, and the energy-weighted mean distance to the
    axis. The paper tunes the same three (section 3.4).

    Arguments:
        flow: The trained flow.
        net: The trained one-step network.
        config: Of the model; its own calibration is put aside first.
        sample: Geant4 showers.
        fitted_on: What to call them in the configuration.
    """
    plain = config.model_copy(update={"calibration": Calibration()})
    drawn = draw_layers(PlainFlow(flow), sample.condition, plain, SEED, 0)
    cloud = point_cloud(OneStep(net), sample.condition, drawn, plain, SEED, 0)
    mine = np.average(np.hypot(cloud.x, cloud.y), weights=cloud.energy)
    truth = np.average(np.hypot(sample.x, sample.y), weights=sample.showers.energy)
    return plain.model_copy(
        update={
            "calibration": Calibration(
                n_points=_ratio(sample.layers.counts.sum(), drawn.counts.sum()),
                energy=_ratio(sample.layers.energies.sum(), drawn.energies.sum()),
                position=_ratio(truth, mine),
                fitted_on=fitted_on,
            )
        }
    )


def _ratio(truth: np.floating | np.integer, mine: np.floating | np.integer) -> float:
    return round(float(truth) / float(mine), 5)
