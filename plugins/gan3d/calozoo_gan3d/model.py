"""3DGAN: generator of photon showers as images, and points in their voxels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from calozoo_core.clumps.core_source import CoreSource
from calozoo_core.clumps.ring_sums import upright_core_energies
from calozoo_core.detector import load_detector
from calozoo_core.incident import Incident
from calozoo_core.network_generator import NetworkGenerator
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Layout, prefixed
from calozoo_gan3d.config import Gan3dConfig
from calozoo_gan3d.grid import Voxels
from calozoo_gan3d.numpy_networks import (
    THRESHOLD_MEV,
    NumpyGenerator,
    NumpyImages,
    NumpyLayerEnergies,
    energies_layout,
    generator_layout,
)
from calozoo_gan3d.points import PointTables, ScatteredPoints, scatter
from calozoo_gan3d.primaries import conditions

if TYPE_CHECKING:
    from calozoo_core.nn.exported import ExportedModel

__all__ = ["Gan3d"]


class Images(Protocol):
    """Generator network and its deposits, in numpy or in torch."""

    def __call__(self, *inputs: Float32Array, energies: Float32Array) -> Float32Array:
        """Deposits in MeV, shape (n, layers, cells, cells).

        Arguments:
            inputs: Condition, standardised roots of the layer energies, latent variables and noise.
            energies: Layer energies in MeV, shape (n, layers).
        """


class Gan3d(NetworkGenerator[Gan3dConfig], CoreSource):
    r"""Generator of photon showers in the ILD Si-W ECAL as images around the shower axis.

    A small network samples the energy of every layer. The generator of an adversarial pair samples
    all layers in one pass, as channels of two-dimensional convolutions; each layer is scaled to its
    energy. Every voxel becomes one or more points, and the shower is sheared along its direction by
    p_x/p_z and p_y/p_z.

    References:
        | Fast simulation of a high granularity calorimeter by generative adversarial networks,
        | https://arxiv.org/abs/2109.07388

    Arguments:
        spec: Spec it was registered with.
        trained: Trained networks and tables.
        device: Torch device.
        precision: Precision of the generator network; layer energies are always float32.
        runtime: Runtime of the generator network; layer energies are always computed by numpy.
    """

    schema = Gan3dConfig
    runtimes = ("numpy", "torch")
    runs_on_gpu = True
    has_bfloat16 = True
    interfaces = ("ddml-points",)
    shares_batches = True

    @classmethod
    def layout(cls, config: Gan3dConfig) -> Layout:
        return (
            prefixed("energies", energies_layout(config.grid.layers, config.energies))
            | prefixed("generator", generator_layout(config))
            | prefixed("points", PointTables.layout(config.grid))
        )

    def prepare(self) -> None:
        self._energies = NumpyLayerEnergies(self.trained.part("energies"))
        self._points: PointTables = self.trained.table(PointTables, "points")
        self._deposits = self._numpy_images() if self.runtime == "numpy" else self._torch_images()

    def _numpy_images(self) -> Images:
        return NumpyImages(NumpyGenerator(self.trained.config, self.trained.part("generator")))

    def _torch_images(self) -> Images:
        from calozoo_gan3d.torch_images import TorchImages
        from calozoo_gan3d.trained import TrainedGan3d

        network = TrainedGan3d.from_arrays(self.trained).generator
        return TorchImages(network, self._device, self._precision)

    def exported(self, interface: str) -> ExportedModel:
        """Module of one shower in torch alone."""
        if interface not in self.interfaces:
            return super().exported(interface)
        from calozoo_gan3d.exported import ExportedGan3d
        from calozoo_gan3d.trained import TrainedGan3d

        depths = load_detector(self.spec.detector).layer_depth_mm.tolist()
        return ExportedGan3d(TrainedGan3d.from_arrays(self.trained), depths).eval()

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers of these primaries, of which the first is number `first` of the sample."""
        return self.sample_in_parts(self._sample, incident, seed, first)

    def _sample(self, incident: Incident, seed: int, first: int) -> Showers:
        return self.showers_from_upright(incident, *self._scattered(incident, seed, first))

    def sample_core(
        self, incident: Incident, seed: int, first: int, edges_mm: tuple[float, ...]
    ) -> Float32Array:
        """Energies of the innermost rings of the showers, in MeV, shape (n, n_layers, rings)."""
        layers = self.trained.config.grid.layers

        def rings(part: Incident, seed: int, first: int) -> Float32Array:
            points = self._scattered(part, seed, first)
            return upright_core_energies(*points, part.direction, layers, edges_mm)

        return np.concatenate(self.in_parts(rings, incident, seed, first))

    def _scattered(self, incident: Incident, seed: int, first: int) -> ScatteredPoints:
        image = self._images(incident, seed, first)
        grid = self.trained.config.grid
        flat = image.reshape(len(incident), -1)
        shower, index = np.nonzero(flat > THRESHOLD_MEV)
        offsets = np.searchsorted(shower, np.arange(len(incident) + 1))
        voxels = Voxels(offsets, index.astype(np.int32), flat[shower, index])
        return scatter(voxels, self._points, grid, seed, first)

    def _images(self, incident: Incident, seed: int, first: int) -> Float32Array:
        """Deposits in MeV, shape (n, layers, cells, cells)."""
        config = self.trained.config
        grid, n = config.grid, len(incident)
        energy_noise = np.empty((n, config.energies.latent), np.float32)
        latent = np.empty((n, config.generator.latent), np.float32)
        noise = np.empty((n, grid.layers, grid.cells, grid.cells), np.float32)
        for i in range(n):
            random = stream(seed, first + i, "image")
            for numbers in (energy_noise[i], latent[i], noise[i]):
                random.standard_normal(out=numbers, dtype=np.float32)
        condition = conditions(incident)
        energies = self._energies(condition, energy_noise, incident.energy)
        roots = self._energies.standardised(energies, incident.energy)
        return self._deposits(condition, roots, latent, noise, energies=energies)
