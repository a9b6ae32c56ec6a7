"""Single photons from the interaction point: the incident particles of the benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from calozoo_core.errors import InputError
from calozoo_core.incident import Incident
from calozoo_core.placement import Placement
from calozoo_core.random import stream

__all__ = ["ENERGIES_GEV", "PHI_DEG", "THETA_DEG", "single_photons"]

ENERGIES_GEV: Final = tuple(float(energy) for energy in range(10, 101, 10))
THETA_DEG: Final = (43.0, 137.0)
PHI_DEG: Final = (79.0, 109.0)


def single_photons(
    placement: Placement,
    showers_per_energy: int,
    seed: int = 0,
    energies_gev: Sequence[float] = ENERGIES_GEV,
) -> Incident:
    """Photons that fly straight from the interaction point into the top stave of the barrel.

    Directions are uniform in solid angle within the angles. Photon i has energy i modulo their
    number, and a direction that depends on the seed and on i alone: with more showers per energy,
    the first ones stay the same.

    References:
        | Full physics benchmark, section IV A: https://arxiv.org/abs/2511.17293

    Arguments:
        placement: Detector they enter.
        showers_per_energy: Number of photons of each energy.
        seed: Seed of the directions.
        energies_gev: Incident energies; by default 10, 20, ... 100 GeV.

    Returns:
        The photons, with their entry points on the face and directions in the local frame.

    Raises:
        InputError: If the number is not positive, or a line misses the detector.
    """
    if showers_per_energy < 1:
        msg = f"Each energy needs at least one shower, not {showers_per_energy}."
        raise InputError(msg)
    n = showers_per_energy * len(energies_gev)
    drawn = np.array([stream(seed, i, "single photons").random(2) for i in range(n)])
    cosines = np.cos(np.radians(THETA_DEG))
    cosine = cosines[0] + drawn[:, 0] * (cosines[1] - cosines[0])
    phi = np.radians(PHI_DEG[0] + drawn[:, 1] * (PHI_DEG[1] - PHI_DEG[0]))
    sine = np.sqrt(1 - cosine**2)
    momentum = np.stack([sine * np.cos(phi), sine * np.sin(phi), cosine], axis=1)
    position = placement.enter(momentum)
    return Incident(
        np.resize(energies_gev, n),
        placement.local_direction(position, momentum),
        position=position,
    )
