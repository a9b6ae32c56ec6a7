"""CaloINN on cylinders: invertible networks say what each ring holds, tables how it divides."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calozoo_caloinn.cylinder.ring_energies import RingDrawer
from calozoo_caloinn.cylinder.ring_splitting import Divider
from calozoo_caloinn.cylinder.sectors import arms
from calozoo_caloinn.cylinder.weights_files import Trained, read, write
from calozoo_caloinn.voxel_encoding import Codec
from calozoo_core.generator import Generator, ModelSpec, Precision
from calozoo_core.incident import Incident
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import Float32Array
from calozoo_core.weights.networks import only_float32, only_on_cpu, weights_folder

__all__ = ["CaloInnCylinder"]


class CaloInnCylinder(Generator):
    r"""Showers in the voxels of the CaloChallenge, with a point for each voxel.

    Spline flows draw the visible energy, its division among the layers and, layer by layer, that
    among the rings. Tables fitted on Geant4 showers divide each ring among its sectors.

    References:
        | CaloINN: https://arxiv.org/abs/2312.09290
        | CaloChallenge, section 2.3: https://arxiv.org/abs/2410.21611

    Arguments:
        spec: The spec it was registered with.
        trained: Networks, tables and configuration.
    """

    def __init__(self, spec: ModelSpec, trained: Trained) -> None:
        super().__init__(spec)
        self._trained = trained
        self.config = trained.config
        self._draw = RingDrawer(Codec(trained.config.codec), trained.networks)
        self._threshold = trained.tables.threshold.numpy()
        self._calibration = trained.tables.calibration.numpy()
        self._divide = Divider(trained.tables, arms(trained.config.voxels))

    @classmethod
    def load(
        cls,
        spec: ModelSpec,
        folder: Path | None,
        *,
        device: str = "cpu",
        precision: Precision | None = None,
    ) -> CaloInnCylinder:
        """Build it from a folder with `config.json` and `model.safetensors`.

        Raises:
            WeightsError: If the files are damaged or do not fit each other.
            InputError: If a device or a precision is asked for that it does not run with.
        """
        only_on_cpu(spec, device)
        only_float32(spec, precision)
        return cls(spec, read(weights_folder(spec, folder)))

    def save(self, folder: Path) -> None:
        """Write its `config.json` and `model.safetensors`."""
        write(folder, self._trained)

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers for these primaries, of which the first is number `first` of the sample."""
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
        noise = np.empty((n, self._draw.noise), np.float32)
        uniform = np.empty((n, *self._divide.uniforms), np.float32)
        for i in range(n):
            random = stream(seed, first + i, "caloinn")
            random.standard_normal(out=noise[i], dtype=np.float32)
            random.random(out=uniform[i], dtype=np.float32)
        return self._divide(self._rings(energy_gev, noise), uniform)

    def _rings(self, energy_gev: Float32Array, noise: Float32Array) -> Float32Array:
        """Ring energies, in MeV, empty ones 0, but never all of a shower."""
        drawn = self._draw(energy_gev, noise)
        least = np.minimum(self._threshold, drawn.max(axis=(1, 2), keepdims=True))
        kept = np.where(drawn < least, np.float32(0), drawn) * self._calibration
        # Neither thresholds nor factors change the visible energy.
        before, after = (some.sum(axis=(1, 2), keepdims=True) for some in (drawn, kept))
        rings: Float32Array = kept * (before / after)
        return rings
