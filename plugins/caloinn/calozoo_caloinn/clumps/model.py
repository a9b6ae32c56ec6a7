"""CaloINN on clumps: generator of photon showers from flows of the core and a library of halos."""

from __future__ import annotations

from collections.abc import Sequence

from calozoo_caloinn.clumps.config import ClumpsConfig
from calozoo_caloinn.clumps.ring_tables import RingTables
from calozoo_caloinn.numpy_inn import Sampler
from calozoo_caloinn.ring_energies import (
    RingEnergySampler,
    VectorSampler,
    networks_layout,
    numpy_samplers,
    runtimes_of,
)
from calozoo_core.clumps import ShowersFromCore
from calozoo_core.incident import Incident
from calozoo_core.network_generator import NetworkGenerator
from calozoo_core.numbered_generator import NumberedGenerator
from calozoo_core.random import stream
from calozoo_core.runtime import Runtime
from calozoo_core.showers import Showers
from calozoo_core.typing import IntArray
from calozoo_core.weights.layout import Layout, prefixed

__all__ = ["CaloInnClumps"]


class CaloInnClumps(NumberedGenerator, NetworkGenerator[ClumpsConfig]):
    r"""Generator of photon showers in the ILD Si-W ECAL that keeps the clumps of Geant4.

    Spline flows sample the energies of five rings within 8 mm of the axis, in every layer. What
    lies beyond, and how rings divide among sectors, comes layer by layer from the showers of a
    library of Geant4's that match the core best. Each voxel is filled with the points of one of
    Geant4's voxels.

    References:
        | CaloINN: https://arxiv.org/abs/2312.09290

    Arguments:
        spec: Spec it was registered with.
        trained: Trained model.
        device: Only "cpu".
        precision: Only "float32".
        runtime: Runtime of the networks.
    """

    schema = ClumpsConfig
    runtimes = ("numpy", "torch")

    @classmethod
    def layout(cls, config: ClumpsConfig) -> Layout:
        return prefixed("networks", networks_layout(config.flows)) | prefixed(
            "rings", RingTables.layout(config.flows)
        )

    @classmethod
    def runtimes_of(cls, config: ClumpsConfig) -> Sequence[Runtime]:
        return runtimes_of(config.flows)

    def prepare(self) -> None:
        self.config = self.trained.config
        rings: RingTables = self.trained.table(RingTables, "rings")
        self._energies = RingEnergySampler(
            VectorSampler(self.config.flows, self._samplers()), rings.threshold, rings.calibration
        )
        self._showers = ShowersFromCore.of(self.spec.detector)
        self._showers.check(self.spec.name, self.config.core_edges_mm)

    def _samplers(self) -> dict[str, Sampler]:
        if self.runtime == "numpy":
            return numpy_samplers(self.config.flows, self.trained.part("networks"))
        from calozoo_caloinn.clumps.trained import TrainedCaloInnClumps
        from calozoo_caloinn.networks import torch_samplers

        return torch_samplers(TrainedCaloInnClumps.from_arrays(self.trained).networks)

    def sample_numbers(self, incident: Incident, seed: int, numbers: IntArray) -> Showers:
        """Showers of these primaries, with these numbers."""
        streams = [stream(seed, int(number), "caloinn clumps") for number in numbers]
        core = self._energies.sample(incident, streams)
        core = core.reshape(len(incident), -1, self.config.core_rings)
        return self._showers(core, incident, streams)
