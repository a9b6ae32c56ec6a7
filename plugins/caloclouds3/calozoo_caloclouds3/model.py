"""CaloClouds3: generator of photon showers as point clouds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from calozoo_caloclouds3.config import N_LAYERS, CaloCloudsConfig
from calozoo_caloclouds3.features import conditions, sample_layers
from calozoo_caloclouds3.layer_flow import NumpyShowerFlow, flow_layout
from calozoo_caloclouds3.one_step_net import OneStepNet, points_layout
from calozoo_caloclouds3.point_cloud import PointCloud, PointNet, point_cloud
from calozoo_core.clumps.core_source import CoreSource
from calozoo_core.clumps.ring_sums import upright_core_energies
from calozoo_core.detector import load_detector
from calozoo_core.incident import Incident
from calozoo_core.network_generator import NetworkGenerator
from calozoo_core.showers import Showers
from calozoo_core.typing import Float32Array
from calozoo_core.weights.calibration import CalibrationRecord
from calozoo_core.weights.layout import Layout, prefixed

if TYPE_CHECKING:
    from calozoo_core.nn.exported import ExportedModel

__all__ = ["CaloClouds3"]


class CaloClouds3(NetworkGenerator[CaloCloudsConfig], CoreSource):
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
        runtime: Runtime of PointWiseNet; ShowerFlow is always computed by numpy.
    """

    schema = CaloCloudsConfig
    runtimes = ("numpy", "torch")
    runs_on_gpu = True
    has_bfloat16 = True
    interfaces = ("ddml-points",)
    shares_batches = True

    @classmethod
    def layout(cls, config: CaloCloudsConfig) -> Layout:
        return prefixed("flow", flow_layout(config.flow)) | prefixed(
            "points", points_layout(config.points)
        )

    def prepare(self) -> None:
        self.config = self.trained.config
        self._flow = NumpyShowerFlow(self.config.flow, self.trained.part("flow"))
        self._net: PointNet = (
            OneStepNet(self.config.points, self.trained.part("points"))
            if self.runtime == "numpy"
            else self._torch_net()
        )

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
        from calozoo_caloclouds3.trained import TrainedCaloClouds3

        trained = TrainedCaloClouds3.from_arrays(self.trained)
        depths = load_detector(self.spec.detector).layer_depth_mm.tolist()
        return ExportedCaloClouds3(trained.flow, trained.points, self.config, depths).eval()

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers of these primaries, of which the first is number `first` of the sample."""
        return self.sample_in_parts(self._sample, incident, seed, first)

    def _sample(self, incident: Incident, seed: int, first: int) -> Showers:
        return self.showers_from_upright(incident, *self._points(incident, seed, first))

    def sample_core(
        self, incident: Incident, seed: int, first: int, edges_mm: tuple[float, ...]
    ) -> Float32Array:
        """Energies of the innermost rings of the showers, in MeV, shape (n, n_layers, rings)."""

        def rings(part: Incident, seed: int, first: int) -> Float32Array:
            points = self._points(part, seed, first)
            return upright_core_energies(*points, part.direction, N_LAYERS, edges_mm)

        return np.concatenate(self.in_parts(rings, incident, seed, first))

    def _points(self, incident: Incident, seed: int, first: int) -> PointCloud:
        condition = conditions(incident.energy, incident.direction, self.config.energy_scale_gev)
        layers = sample_layers(self._flow, condition, self.config, seed, first)
        return point_cloud(self._net, condition, layers, self.config, seed, first)

    def _torch_net(self) -> PointNet:
        import torch

        from calozoo_caloclouds3.torch_one_step_net import TorchOneStepNet
        from calozoo_caloclouds3.trained import TrainedCaloClouds3

        net = TrainedCaloClouds3.from_arrays(self.trained).points.to(self._device)
        return TorchOneStepNet(net, getattr(torch, self._precision))
