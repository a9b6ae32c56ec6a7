"""3DGAN: generator of photon showers as images, and points in their voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from calozoo_core.incident import Incident
from calozoo_core.network_generator import NetworkGenerator
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import Float32Array
from calozoo_core.weights.trained_model import TrainedModel
from calozoo_gan3d.config import Gan3dConfig
from calozoo_gan3d.grid import Voxels
from calozoo_gan3d.layer_energies import LayerEnergies, conditions
from calozoo_gan3d.networks import Generator, deposits
from calozoo_gan3d.points import PointTables, scatter

__all__ = ["Gan3d", "TrainedGan3d"]

#: Least energy of a voxel in MeV; those with less are empty.
THRESHOLD_MEV = 1e-3


@dataclass(frozen=True, eq=False)
class TrainedGan3d(TrainedModel):
    """Networks, point tables and configuration of a trained 3DGAN.

    Arguments:
        config: Sizes and weights of the losses.
        energies: Network of the layer energies.
        generator: Network of the images.
        points: Tables of the points in voxels.
    """

    schema = Gan3dConfig

    config: Gan3dConfig
    energies: LayerEnergies
    generator: Generator
    points: PointTables

    @classmethod
    def untrained(cls, config: Gan3dConfig) -> TrainedGan3d:
        return cls(
            config,
            LayerEnergies(config.grid.layers, config.energies),
            Generator(config.grid, config.generator),
            PointTables.empty(config.grid),
        )


class Gan3d(NetworkGenerator[TrainedGan3d]):
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
    """

    trained_model = TrainedGan3d
    runs_on_gpu = True
    has_bfloat16 = True

    def prepare(self) -> None:
        self._generator = self.trained.generator.to(self._device).to(
            memory_format=torch.channels_last
        )  # type: ignore[call-overload]

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers of these primaries, of which the first is number `first` of the sample."""
        return self.sample_in_parts(self._sample, incident, seed, first)

    def _sample(self, incident: Incident, seed: int, first: int) -> Showers:
        image = self._images(incident, seed, first)
        grid = self.trained.config.grid
        flat = image.reshape(len(incident), -1)
        shower, index = np.nonzero(flat > THRESHOLD_MEV)
        offsets = np.searchsorted(shower, np.arange(len(incident) + 1))
        voxels = Voxels(offsets, index.astype(np.int32), flat[shower, index])
        points = scatter(voxels, self.trained.points, grid, seed, first)
        return self.showers_from_upright(incident, *points)

    def _images(self, incident: Incident, seed: int, first: int) -> Float32Array:
        """Deposits in MeV, shape (n, layers, cells, cells)."""
        config, energies = self.trained.config, self.trained.energies
        grid, n = config.grid, len(incident)
        energy_noise = np.empty((n, config.energies.latent), np.float32)
        latent = np.empty((n, config.generator.latent), np.float32)
        noise = np.empty((n, grid.layers, grid.cells, grid.cells), np.float32)
        for i in range(n):
            random = stream(seed, first + i, "image")
            for numbers in (energy_noise[i], latent[i], noise[i]):
                random.standard_normal(out=numbers, dtype=np.float32)
        condition = torch.from_numpy(conditions(incident))
        incident_gev = torch.from_numpy(incident.energy.astype(np.float32))
        with torch.inference_mode():
            standardised = energies(condition, torch.from_numpy(energy_noise))
            energy = energies.energies(standardised, incident_gev)
            roots = energies.standardised(energy, incident_gev)
            inputs = (condition, roots, torch.from_numpy(latent), torch.from_numpy(noise))
            with torch.autocast(
                torch.device(self._device).type,
                torch.bfloat16,
                enabled=self._precision == "bfloat16",
            ):
                t = self._generator(*(array.to(self._device) for array in inputs))
            return deposits(t.float().cpu(), energy)[0].numpy()
