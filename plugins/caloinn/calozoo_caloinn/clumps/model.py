"""CaloINN on clumps: generator of photon showers from flows of the core and a library of halos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from calozoo_caloinn.clumps.config import ClumpsConfig
from calozoo_caloinn.config import CaloInnConfig
from calozoo_caloinn.ring_energies import RingEnergySampler, VectorSampler, build_networks
from calozoo_core.clumps import ShowersFromCore
from calozoo_core.incident import Incident
from calozoo_core.network_generator import NetworkGenerator
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import IntArray
from calozoo_core.weights.trained_model import TrainedModel

__all__ = ["CaloInnClumps", "RingTables", "TrainedCaloInnClumps"]


class RingTables(NamedTuple):
    """Calibration of the flows.

    Arguments:
        threshold: Energy below which a ring of the core is empty, in MeV, shape (layers x rings,).
        calibration: Factor on the energy of each ring of the core, shape (layers x rings,).
    """

    threshold: Tensor
    calibration: Tensor

    @classmethod
    def zeros(cls, flows: CaloInnConfig) -> RingTables:
        """Empty tables of a configuration."""
        cells = flows.codec.layers * flows.rings.number
        return cls(torch.zeros(cells), torch.zeros(cells))


@dataclass(frozen=True, eq=False)
class TrainedCaloInnClumps(TrainedModel):
    """Networks, calibration and configuration of a trained CaloINN on clumps.

    Arguments:
        config: Sizes, rings and encoding.
        networks: Trained flows "layers" and "inn".
        rings: Calibration of the rings.
    """

    schema = ClumpsConfig

    config: ClumpsConfig
    networks: nn.ModuleDict
    rings: RingTables

    @classmethod
    def untrained(cls, config: ClumpsConfig) -> TrainedCaloInnClumps:
        return cls(config, build_networks(config.flows), RingTables.zeros(config.flows))


class CaloInnClumps(NetworkGenerator[TrainedCaloInnClumps]):
    r"""Generator of photon showers in the ILD Si-W ECAL that keeps the clumps of Geant4.

    Spline flows sample the energies of five rings within 8 mm of the axis, in every layer. One of
    the nearest showers of a library of Geant4's gives what lies beyond, and how rings divide among
    sectors. Each voxel is filled with the points of one of Geant4's voxels.

    References:
        | CaloINN: https://arxiv.org/abs/2312.09290

    Arguments:
        spec: Spec it was registered with.
        trained: Trained model.
        device: Only "cpu".
        precision: Only "float32".
    """

    trained_model = TrainedCaloInnClumps

    def prepare(self) -> None:
        self.config, rings = self.trained.config, self.trained.rings
        self._energies = RingEnergySampler(
            VectorSampler(self.config.flows, self.trained.networks),
            rings.threshold.numpy(),
            rings.calibration.numpy(),
        )
        self._showers = ShowersFromCore.of(self.spec.detector)
        self._showers.check(self.spec.name, self.config.core_edges_mm)

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers of these primaries, of which the first is number `first` of the sample."""
        return self.sample_numbers(incident, seed, np.arange(first, first + len(incident)))

    def sample_numbers(self, incident: Incident, seed: int, numbers: IntArray) -> Showers:
        """Showers of these primaries, with these numbers."""
        streams = [stream(seed, int(number), "caloinn clumps") for number in numbers]
        core = self._energies.sample(incident, streams)
        core = core.reshape(len(incident), -1, self.config.core_rings)
        return self._showers(core, incident, streams)
