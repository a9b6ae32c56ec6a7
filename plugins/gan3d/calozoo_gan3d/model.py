"""3DGAN: a network draws layer energies, another the whole image, and voxels become points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from calozoo_core.detector import load_detector
from calozoo_core.frames import axis_positions
from calozoo_core.generator import Generator, ModelSpec, Precision
from calozoo_core.incident import Incident
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.weights.networks import check_device, weights_folder
from calozoo_gan3d.conditions import conditions
from calozoo_gan3d.grid import Voxels
from calozoo_gan3d.networks import deposits
from calozoo_gan3d.points import scatter
from calozoo_gan3d.weights_files import Trained, read, write

__all__ = ["Gan3d"]

#: Less than this in a voxel, in MeV, is nothing.
THRESHOLD_MEV = 1e-3


class Gan3d(Generator):
    r"""Photon showers in the ILD Si-W ECAL as images about the shower axis.

    A small network draws the energy of every layer. The generator of an adversarial pair draws all
    layers in one pass, as channels of two-dimensional convolutions; each layer is scaled to its
    energy. Every voxel becomes one or more points, and the shower is sheared along its direction by
    p_x/p_z and p_y/p_z.

    References:
        | Fast simulation of a high granularity calorimeter by generative adversarial networks,
        | https://arxiv.org/abs/2109.07388

    Arguments:
        spec: The spec it was registered with.
        trained: Networks and tables.
        device: A torch device.
        precision: Of the generator's arithmetic; the layer energies are always float32.
    """

    def __init__(
        self,
        spec: ModelSpec,
        trained: Trained,
        *,
        device: str = "cpu",
        precision: Precision = "float32",
    ) -> None:
        super().__init__(spec, device=device, precision=precision)
        self.trained = trained
        self._net = trained.energies.eval().requires_grad_(False)
        generator = trained.generator.to(device, memory_format=torch.channels_last)
        self._generator = generator.eval().requires_grad_(False)
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
    ) -> Gan3d:
        """Build it from a folder with `config.json` and `model.safetensors`.

        Raises:
            WeightsError: If the files are damaged or do not fit each other.
            InputError: If the device is not to be had.
        """
        trained = read(weights_folder(spec, folder))
        check_device(device)
        return cls(spec, trained, device=device, precision=precision or "float32")

    def save(self, folder: Path) -> None:
        """Write its `config.json` and `model.safetensors`."""
        write(folder, self.trained)

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers for these primaries, of which the first is number `first` of the sample."""
        image = self._images(incident, seed, first)
        grid = self.trained.config.grid
        flat = image.reshape(len(incident), -1)
        shower, index = np.nonzero(flat > THRESHOLD_MEV)
        offsets = np.searchsorted(shower, np.arange(len(incident) + 1))
        voxels = Voxels(offsets, index.astype(np.int32), flat[shower, index])
        cloud = scatter(voxels, self.trained.tables, grid, seed, first)
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

    def _images(self, incident: Incident, seed: int, first: int) -> NDArray[np.float32]:
        """Deposits in MeV, shape (n, layers, cells, cells)."""
        config = self.trained.config
        grid, n = config.grid, len(incident)
        for_energies = np.empty((n, config.energies.latent), np.float32)
        latent = np.empty((n, config.generator.latent), np.float32)
        noise = np.empty((n, grid.layers, grid.cells, grid.cells), np.float32)
        for i in range(n):
            random = stream(seed, first + i, "image")
            for numbers in (for_energies[i], latent[i], noise[i]):
                random.standard_normal(out=numbers, dtype=np.float32)
        condition = torch.from_numpy(conditions(incident))
        incident_gev = torch.from_numpy(incident.energy.astype(np.float32))
        with torch.inference_mode():
            drawn = self._net(condition, torch.from_numpy(for_energies))
            energy = self._net.energies(drawn, incident_gev)
            roots = self._net.standardised(energy, incident_gev)
            inputs = (condition, roots, torch.from_numpy(latent), torch.from_numpy(noise))
            with torch.autocast(
                torch.device(self._device).type,
                torch.bfloat16,
                enabled=self._precision == "bfloat16",
            ):
                t = self._generator(*(a.to(self._device) for a in inputs))
            return deposits(t.float().cpu(), energy)[0].numpy()
