"""CaloClouds3: generator of photon showers as point clouds."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from calozoo_caloclouds3.config import CaloCloudsConfig
from calozoo_caloclouds3.features import conditions, sample_layers
from calozoo_caloclouds3.flow import NumpyShowerFlow, ShowerFlow
from calozoo_caloclouds3.point_cloud import OneStepNet, point_cloud
from calozoo_caloclouds3.pointwise_net import PointWiseNet
from calozoo_core.detector import load_detector
from calozoo_core.incident import Incident
from calozoo_core.network_generator import NetworkGenerator
from calozoo_core.showers import Showers
from calozoo_core.weights.calibration import CalibrationRecord
from calozoo_core.weights.trained_model import TrainedModel

if TYPE_CHECKING:
    from calozoo_core.nn.exported import ExportedModel

__all__ = ["CaloClouds3", "TrainedCaloClouds3"]


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


class CaloClouds3(NetworkGenerator[TrainedCaloClouds3]):
    r"""Generator of photon showers in the ILD Si-W ECAL as point clouds.

    A normalizing flow samples the number of points and the energy of every layer; a one-step
    consistency model samples position, depth and energy of every point; sorting the points by depth
    assigns them to the layers, whose energies they are scaled to. The shower is made upright and
    sheared along its direction by p_x/p_z and p_y/p_z at the end.

    References:
        | CaloClouds3: ultra-fast geometry-independent highly-granular calorimeter simulation,
        | https://arxiv.org/abs/2511.01460

    Arguments:
        spec: Spec it was registered with.
        trained: Trained model.
        device: Torch device.
        precision: Precision of PointWiseNet; ShowerFlow is always computed in float32.
    """

    trained_model = TrainedCaloClouds3
    runs_on_gpu = True
    has_bfloat16 = True
    interfaces = ("ddml-points",)

    def prepare(self) -> None:
        self.config = self.trained.config
        self._flow = NumpyShowerFlow(self.trained.flow)
        net = self.trained.points.to(self._device)
        dtype = torch.bfloat16 if self._precision == "bfloat16" else torch.float32
        self._net = OneStepNet(net, dtype)

    def calibrated(
        self, factors: Mapping[str, float], record: CalibrationRecord | None = None
    ) -> CaloCloudsConfig:
        """Configuration with the factors on points and energy of each layer multiplied."""
        old = self.config.calibration
        new = old.model_copy(
            update={
                "n_points": old.n_points * factors.get("n_points", 1.0),
                "energy": old.energy * factors.get("energy", 1.0),
                "fitted_on": old.fitted_on if record is None else ", ".join(record.files),
                "record": record,
            }
        )
        return self.config.model_copy(update={"calibration": new})

    def exported(self, interface: str) -> ExportedModel:
        """Module of one shower in torch alone."""
        if interface not in self.interfaces:
            return super().exported(interface)
        from calozoo_caloclouds3.exported import ExportedCaloClouds3

        with tempfile.TemporaryDirectory() as folder:
            self.save(Path(folder))
            trained = TrainedCaloClouds3.read(Path(folder))
        depths = load_detector(self.spec.detector).layer_depth_mm.tolist()
        return ExportedCaloClouds3(trained.flow, trained.points, self.config, depths).eval()

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers of these primaries, of which the first is number `first` of the sample."""
        return self.sample_in_parts(self._sample, incident, seed, first)

    def _sample(self, incident: Incident, seed: int, first: int) -> Showers:
        condition = conditions(incident.energy, incident.direction, self.config.energy_scale_gev)
        layers = sample_layers(self._flow, condition, self.config, seed, first)
        cloud = point_cloud(self._net, condition, layers, self.config, seed, first)
        return self.showers_from_upright(incident, *cloud)
