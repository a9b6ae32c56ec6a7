"""CaloINN on cylinders: generator of showers in the voxels of the CaloChallenge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from calozoo_caloinn.cylinder.autoregressive import CylinderRingSampler
from calozoo_caloinn.cylinder.config import CylinderConfig
from calozoo_caloinn.cylinder.sectors import RingSplitter, SectorTables, voxel_centres
from calozoo_caloinn.numpy_inn import NumpyInn, Sampler, has_numpy, inn_layout
from calozoo_caloinn.voxel_encoding import Codec
from calozoo_core.errors import InputError
from calozoo_core.incident import Incident
from calozoo_core.network_generator import NetworkGenerator
from calozoo_core.random import stream
from calozoo_core.runtime import Runtime
from calozoo_core.showers import Showers
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Layout, prefixed

if TYPE_CHECKING:
    from calozoo_core.nn.exported import ExportedModel

__all__ = ["CaloInnCylinder"]

NETWORKS = ("visible", "layers", "rings")


class CaloInnCylinder(NetworkGenerator[CylinderConfig]):
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
        runtime: Runtime of the networks.
    """

    schema = CylinderConfig
    runtimes = ("numpy", "torch")
    interfaces = ("par04",)

    @classmethod
    def layout(cls, config: CylinderConfig) -> Layout:
        layout = prefixed("tables", SectorTables.layout(config))
        for name in NETWORKS:
            layout |= prefixed(name, inn_layout(getattr(config, name)))
        return layout

    @classmethod
    def runtimes_of(cls, config: CylinderConfig) -> Sequence[Runtime]:
        in_numpy = all(has_numpy(getattr(config, name)) for name in NETWORKS)
        return ("numpy", "torch") if in_numpy else ("torch",)

    def exported(self, interface: str) -> ExportedModel:
        """Module of one shower in torch alone."""
        if interface not in self.interfaces:
            return super().exported(interface)
        from calozoo_caloinn.cylinder.exported import ExportedCylinder, Networks
        from calozoo_caloinn.cylinder.trained import TrainedCylinder

        if self.config.dataset != "dataset2":
            msg = f"{self.spec.name} fills voxels of {self.config.dataset}, not of dataset2."
            raise InputError(msg)
        trained = TrainedCylinder.from_arrays(self.trained)
        networks = Networks(trained.visible, trained.layers, trained.rings)
        return ExportedCylinder(networks, trained.tables, self.config).eval()

    def prepare(self) -> None:
        self.config = self.trained.config
        tables: SectorTables = self.trained.table(SectorTables, "tables")
        self._sample_rings = CylinderRingSampler(Codec(self.config.codec), self._samplers())
        self._threshold, self._calibration = tables.threshold, tables.calibration
        self._split = RingSplitter(tables, voxel_centres(self.config.voxels))

    def _samplers(self) -> dict[str, Sampler]:
        if self.runtime == "numpy":
            return {
                name: NumpyInn(getattr(self.config, name), self.trained.part(name))
                for name in NETWORKS
            }
        from calozoo_caloinn.cylinder.trained import TrainedCylinder
        from calozoo_caloinn.networks import torch_samplers

        return torch_samplers(TrainedCylinder.from_arrays(self.trained).named_networks())

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
