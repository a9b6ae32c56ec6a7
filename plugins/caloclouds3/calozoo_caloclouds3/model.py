"""CaloClouds3: ShowerFlow says what each layer holds, PointWiseNet where the points are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from calozoo_caloclouds3.config import CaloCloudsConfig
from calozoo_caloclouds3.features import conditions
from calozoo_caloclouds3.flow import ShowerFlow
from calozoo_caloclouds3.layers import draw_layers
from calozoo_caloclouds3.numpy_flow import PlainFlow
from calozoo_caloclouds3.one_step import OneStep
from calozoo_caloclouds3.point_cloud import point_cloud
from calozoo_caloclouds3.points import PointWiseNet
from calozoo_caloclouds3.weights_files import Trained, read, write
from calozoo_core.detector import load_detector
from calozoo_core.frames import axis_positions
from calozoo_core.generator import Generator, ModelSpec, Precision
from calozoo_core.incident import Incident
from calozoo_core.showers import Showers
from calozoo_core.weights.calibration import CalibrationRecord
from calozoo_core.weights.networks import check_device, weights_folder

__all__ = ["CaloClouds3"]


class CaloClouds3(Generator):
    r"""Photon showers in the ILD Si-W ECAL as point clouds.

    A normalising flow draws the number of points and the energy of every layer; a one-step
    consistency model draws position, depth and energy of every point; sorting the points by depth
    hands them to the layers, whose energies they are scaled to. The shower is made upright and
    sheared along its direction by p_x/p_z and p_y/p_z at the end.

    References:
        | CaloClouds3: ultra-fast geometry-independent highly-granular calorimeter simulation,
        | https://arxiv.org/abs/2511.01460

    Arguments:
        spec: The spec it was registered with.
        config: Sizes, features and calibration.
        flow: The trained ShowerFlow.
        net: The trained one-step PointWiseNet.
        device: A torch device.
        precision: Of PointWiseNet's arithmetic; ShowerFlow's is always float32.
    """

    def __init__(
        self,
        spec: ModelSpec,
        config: CaloCloudsConfig,
        flow: ShowerFlow,
        net: PointWiseNet,
        *,
        device: str = "cpu",
        precision: Precision = "float32",
    ) -> None:
        super().__init__(spec, device=device, precision=precision)
        self.config = config
        self.flow = flow.eval().requires_grad_(False)
        self.net = net.to(device).eval().requires_grad_(False)
        self._plain_flow = PlainFlow(flow)
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        # The threads torch was given share the showers, each with a memory of its own.
        threads = torch.get_num_threads() if device == "cpu" else 1
        self._steps = [OneStep(self.net, dtype) for _ in range(threads)]
        self._pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
        detector = load_detector(spec.detector)
        self._layer_depth_mm: NDArray[np.float32] = detector.layer_depth_mm.astype(np.float32)

    @classmethod
    def load(
        cls,
        spec: ModelSpec,
        folder: Path | None,
        *,
        device: str = "cpu",
        precision: Precision | None = None,
    ) -> CaloClouds3:
        """Build it from a folder with `config.json` and `model.safetensors`.

        Raises:
            WeightsError: If the files are damaged or do not fit each other.
            InputError: If the device is not to be had.
        """
        trained = read(weights_folder(spec, folder))
        check_device(device)
        return cls(
            spec,
            trained.config,
            trained.flow,
            trained.points,
            device=device,
            precision=precision or "float32",
        )

    def save(self, folder: Path) -> None:
        """Write its `config.json` and `model.safetensors`."""
        write(folder, Trained(self.config, self.flow, self.net))

    def calibrated(
        self, factors: Mapping[str, float], record: CalibrationRecord | None = None
    ) -> CaloCloudsConfig:
        """Its configuration with the factors on points and energy of each layer multiplied."""
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

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers for these primaries, of which the first is number `first` of the sample."""
        size = -(-len(incident) // len(self._steps))
        parts = list(incident.batches(max(size, 1)))
        with _one_torch_thread():
            if len(parts) == 1:
                return self._sample(self._steps[0], incident, seed, first)
            work = [
                self._pool.submit(self._sample, step, part, seed, first + start)
                for step, (start, part) in zip(self._steps, parts, strict=False)
            ]
            return Showers.concatenate([part.result() for part in work])

    def _sample(self, step: OneStep, incident: Incident, seed: int, first: int) -> Showers:
        condition = conditions(incident.energy, incident.direction, self.config.energy_scale_gev)
        layers = draw_layers(self._plain_flow, condition, self.config, seed, first)
        cloud = point_cloud(step, condition, layers, self.config, seed, first)
        owner = np.repeat(np.arange(len(incident)), np.diff(cloud.offsets))
        depth = self._layer_depth_mm[cloud.layer]
        axis_x, axis_y = axis_positions(incident.direction, owner, depth)
        return Showers(
            offsets=cloud.offsets,
            x=cloud.x + axis_x,
            y=cloud.y + axis_y,
            layer=cloud.layer,
            energy=cloud.energy,
            incident=incident,
            representation=self.spec.representation,
            detector=self.spec.detector,
        )


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """Keep torch from sharing one shower's small products among threads: that takes it longer."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
