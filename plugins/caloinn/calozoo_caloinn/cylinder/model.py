"""CaloINN on cylinders: generator of showers in the voxels of the CaloChallenge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calozoo_caloinn.cylinder.autoregressive import CylinderRingSampler
from calozoo_caloinn.cylinder.config import CylinderConfig
from calozoo_caloinn.cylinder.sectors import RingSplitter, SectorTables, voxel_centres
from calozoo_caloinn.inn import Inn
from calozoo_caloinn.voxel_encoding import Codec
from calozoo_core.incident import Incident
from calozoo_core.network_generator import NetworkGenerator
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import Float32Array
from calozoo_core.weights.trained_model import TrainedModel

__all__ = ["CaloInnCylinder", "TrainedCylinder"]


@dataclass(frozen=True, eq=False)
class TrainedCylinder(TrainedModel):
    """Networks, tables and configuration of a trained CaloINN on cylinders.

    Arguments:
        config: Sizes.
        visible: Network of the visible over the incident energy, given ln E.
        layers: Network of the ratio of a layer, given `autoregressive.layer_condition`.
        rings: Network of the ratios of its rings, given `autoregressive.ring_condition`.
        tables: Fitted tables of the sectors.
    """

    schema = CylinderConfig

    config: CylinderConfig
    visible: Inn
    layers: Inn
    rings: Inn
    tables: SectorTables

    @classmethod
    def untrained(cls, config: CylinderConfig) -> TrainedCylinder:
        visible, layers, rings = Inn(config.visible), Inn(config.layers), Inn(config.rings)
        return cls(config, visible, layers, rings, SectorTables.zeros(config))


class CaloInnCylinder(NetworkGenerator[TrainedCylinder]):
    r"""Generator of showers in the voxels of the CaloChallenge, with a point for each voxel.

    Spline flows sample the visible energy, its division among the layers and, layer by layer, that
    among the rings. Tables fitted on Geant4 showers divide each ring among its sectors.

    References:
        | CaloINN: https://arxiv.org/abs/2312.09290
        | CaloChallenge, section 2.3: https://arxiv.org/abs/2410.21611

    Arguments:
        spec: Spec it was registered with.
        trained: Trained model.
        device: Only "cpu".
        precision: Only "float32".
    """

    trained_model = TrainedCylinder

    def prepare(self) -> None:
        self.config = self.trained.config
        self._sample_rings = CylinderRingSampler(
            Codec(self.config.codec), self.trained.named_networks()
        )
        self._threshold = self.trained.tables.threshold.numpy()
        self._calibration = self.trained.tables.calibration.numpy()
        self._split = RingSplitter(self.trained.tables, voxel_centres(self.config.voxels))

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers of these primaries, of which the first is number `first` of the sample."""
        voxels = self.voxels(incident.energy, seed, first).reshape(len(incident), -1)
        return self.config.voxels.spread(voxels, incident, self.spec.detector, seed, first)

    def voxels(self, energy_gev: Float32Array, seed: int, first: int = 0) -> Float32Array:
        """Energies of voxels, in MeV, shape (n, layers, sectors, rings).

        Arguments:
            energy_gev: Incident energies, shape (n,).
            seed: The user's seed.
            first: Number of the first of these showers in the whole sample.
        """
        n = len(energy_gev)
        noise = np.empty((n, self._sample_rings.noise), np.float32)
        uniform = np.empty((n, *self._split.uniforms), np.float32)
        for i in range(n):
            random = stream(seed, first + i, "caloinn")
            random.standard_normal(out=noise[i], dtype=np.float32)
            random.random(out=uniform[i], dtype=np.float32)
        return self._split(self._rings(energy_gev, noise), uniform)

    def _rings(self, energy_gev: Float32Array, noise: Float32Array) -> Float32Array:
        """Ring energies, in MeV, empty ones 0, but never all of a shower."""
        sampled = self._sample_rings(energy_gev, noise)
        least = np.minimum(self._threshold, sampled.max(axis=(1, 2), keepdims=True))
        kept = np.where(sampled < least, np.float32(0), sampled) * self._calibration
        # Neither thresholds nor factors change the visible energy.
        before, after = (some.sum(axis=(1, 2), keepdims=True) for some in (sampled, kept))
        rings: Float32Array = kept * (before / after)
        return rings
