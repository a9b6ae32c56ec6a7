"""CaloINN: generator of photon showers from the energies of rings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calozoo_caloinn.config import CaloInnConfig
from calozoo_caloinn.numpy_inn import Sampler
from calozoo_caloinn.point_template import PointSampler, ShowerPoints, Template
from calozoo_caloinn.ring_energies import (
    RingEnergySampler,
    VectorSampler,
    networks_layout,
    numpy_samplers,
    runtimes_of,
)
from calozoo_core.detector import load_detector
from calozoo_core.incident import Incident
from calozoo_core.network_generator import NetworkGenerator
from calozoo_core.numbered_generator import NumberedGenerator
from calozoo_core.random import stream
from calozoo_core.runtime import Runtime
from calozoo_core.showers import Showers
from calozoo_core.typing import IntArray
from calozoo_core.weights.layout import Layout, prefixed

__all__ = ["CaloInn"]


class CaloInn(NumberedGenerator, NetworkGenerator[CaloInnConfig]):
    r"""Generator of photon showers in the ILD Si-W ECAL from the energies of rings.

    Spline flows sample the visible energy, its division among the layers and, for every layer, that
    among rings about the shower axis. A template fitted on Geant4 showers divides each ring into
    points.

    References:
        | CaloINN: https://arxiv.org/abs/2312.09290

    Arguments:
        spec: Spec it was registered with.
        trained: Trained model.
        device: Only "cpu".
        precision: Only "float32".
        runtime: Runtime of the networks.
    """

    schema = CaloInnConfig
    runtimes = ("numpy", "torch")

    @classmethod
    def layout(cls, config: CaloInnConfig) -> Layout:
        return prefixed("networks", networks_layout(config)) | prefixed(
            "template", Template.layout(config.codec, config.rings)
        )

    @classmethod
    def runtimes_of(cls, config: CaloInnConfig) -> Sequence[Runtime]:
        return runtimes_of(config)

    def prepare(self) -> None:
        self.config = self.trained.config
        template: Template = self.trained.table(Template, "template")
        self._energies = RingEnergySampler(
            VectorSampler(self.config, self._samplers()), template.threshold, template.calibration
        )
        self._points = PointSampler(template, load_detector(self.spec.detector).layer_depth_mm)

    def _samplers(self) -> dict[str, Sampler]:
        if self.runtime == "numpy":
            return numpy_samplers(self.config, self.trained.part("networks"))
        from calozoo_caloinn.networks import torch_samplers
        from calozoo_caloinn.trained import TrainedCaloInn

        return torch_samplers(TrainedCaloInn.from_arrays(self.trained).networks)

    def sample_numbers(self, incident: Incident, seed: int, numbers: IntArray) -> Showers:
        """Showers of these primaries, with these numbers."""
        n = len(incident)
        streams = [stream(seed, int(number), "caloinn") for number in numbers]
        energies = self._energies.sample(incident, streams)
        cells = energies.shape[1]
        deviates = np.empty((n, cells + 1), np.float32)
        coin = np.empty((n, cells), np.float32)
        for i, random in enumerate(streams):
            random.standard_normal(out=deviates[i], dtype=np.float32)
            random.random(out=coin[i], dtype=np.float32)
        direction = incident.direction
        counts, level = self._points.counts(energies, incident.energy, direction, deviates, coin)
        clouds = [
            self._points.points(energies[i], direction[i], counts[i], level[i], streams[i])
            for i in range(n)
        ]
        columns = ShowerPoints(*(np.concatenate(column) for column in zip(*clouds, strict=True)))
        return Showers(
            offsets=np.concatenate([[0], np.cumsum(counts.sum(axis=1))]),
            **columns._asdict(),
            incident=incident,
            representation=self.spec.representation,
            detector=self.spec.detector,
        )
