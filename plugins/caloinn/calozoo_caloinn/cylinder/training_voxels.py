"""Geant4 showers as voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calozoo_caloinn.cylinder.config import CylinderConfig
from calozoo_core.showers import Showers
from calozoo_core.typing import Float32Array

__all__ = ["Sample"]

CHUNK = 20
"""Showers voxelised together: one of 1 TeV has hundreds of thousands of steps."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Showers that went straight in, as voxels.

    Arguments:
        voxels: Energies, in MeV, shape (n, layers, sectors, rings).
        energy_gev: Incident energies, shape (n,).
    """

    voxels: Float32Array
    energy_gev: Float32Array

    @classmethod
    def of(cls, showers: Showers, config: CylinderConfig) -> Sample:
        """The showers, with what lies beside the voxels left out.

        Raises:
            DetectorError: If the layers of their detector do not fit the voxels.
        """
        shape = (-1, config.codec.layers, config.n_sectors, config.codec.voxels)
        parts = [
            config.voxels.fill(showers[start : start + CHUNK])[0].astype(np.float32)
            for start in range(0, len(showers), CHUNK)
        ]
        return cls(np.concatenate(parts).reshape(shape), showers.incident.energy)

    def __len__(self) -> int:
        return len(self.energy_gev)

    @property
    def rings(self) -> Float32Array:
        """Energies of rings, in MeV, shape (n, layers, rings)."""
        rings: Float32Array = self.voxels.sum(axis=2)
        return rings
