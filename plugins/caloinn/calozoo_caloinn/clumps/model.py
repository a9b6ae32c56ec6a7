"""CaloINN on clumps: generator of photon showers from flows of the core and a library of halos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import nn

from calozoo_caloinn.clumps.config import ClumpsConfig
from calozoo_caloinn.clumps.library import HaloLibrary, LibraryTables, core_features
from calozoo_caloinn.ring_energies import RingEnergySampler, VectorSampler, build_networks
from calozoo_core.clumps import fill, load_table
from calozoo_core.incident import Incident
from calozoo_core.network_generator import NetworkGenerator
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import IntArray
from calozoo_core.weights.trained_model import TrainedModel

__all__ = ["CaloInnClumps", "TrainedCaloInnClumps"]


@dataclass(frozen=True, eq=False)
class TrainedCaloInnClumps(TrainedModel):
    """Networks, library and configuration of a trained CaloINN on clumps.

    Arguments:
        config: Sizes, voxels and encoding.
        networks: Trained flows "layers" and "inn".
        library: Library and calibration.
    """

    schema = ClumpsConfig

    config: ClumpsConfig
    networks: nn.ModuleDict
    library: LibraryTables

    @classmethod
    def untrained(cls, config: ClumpsConfig) -> TrainedCaloInnClumps:
        return cls(config, build_networks(config.flows), LibraryTables.zeros(config))


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
        trained = self.trained
        self.config = trained.config
        library, flows = trained.library, trained.config.flows
        self._energies = RingEnergySampler(
            VectorSampler(flows, trained.networks),
            library.threshold.numpy(),
            library.calibration.numpy(),
        )
        self._library = HaloLibrary(trained.config, library)
        self._table = load_table(self.spec.detector)
        self._table.check(trained.config.mesh, self.spec.detector)

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers of these primaries, of which the first is number `first` of the sample."""
        return self.sample_numbers(incident, seed, np.arange(first, first + len(incident)))

    def sample_numbers(self, incident: Incident, seed: int, numbers: IntArray) -> Showers:
        """Showers of these primaries, with these numbers."""
        streams = [stream(seed, int(number), "caloinn clumps") for number in numbers]
        core = self._energies.sample(incident, streams)
        core = core.reshape(len(incident), -1, self.config.core_rings)
        coin = np.array([random.random(dtype=np.float32) for random in streams])
        features = core_features(core, incident.energy, incident.direction)
        energies = self._library.around(core, features, coin)
        return fill(energies, incident, self._table, streams)
