"""Request of a benchmark: which models, against what, for which incident photons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from calozoo import api
from calozoo.models import names
from calozoo_core.errors import InputError
from calozoo_core.generator import Precision
from calozoo_core.incident import Incident
from calozoo_core.placement import Placement
from calozoo_core.random import stream

__all__ = [
    "ENERGIES_GEV",
    "PHI_DEG",
    "THETA_DEG",
    "BenchmarkRequest",
    "find_simulation",
    "single_photons",
]


@dataclass(frozen=True)
class BenchmarkRequest:
    """Request of a benchmark.

    Arguments:
        models: Names of models.
        reference: Name of a simulation of the real detector, or a shower file.
        showers_per_energy: Showers of each of ten energies; a file brings its own.
        rounds: Rounds of the timing; 0 to measure neither times nor memory.
        work: Folder for simulated showers, and for the checkpoints of a run that was stopped.
        seed: Seed of the incident particles and of all showers.
        workers: Processes of a simulation.
        precision: The only precision to measure; None for all that a model offers.
        points: Compare points with a simulation of the gapless detector, too.
        geant4: Name of the simulation of the gapless detector, which is timed with the models; None
            to time without.
        weights: Folder of the model's weights, if there is one model.
        extrapolate: Go beyond the conditions a model was trained on.
        pictures: Folder in which each model gets a folder with its pictures; None for none.
    """

    models: tuple[str, ...]
    reference: str | Path
    showers_per_energy: int
    rounds: int
    work: Path
    seed: int = 0
    workers: int | None = None
    precision: Precision | None = None
    points: bool = False
    geant4: str | None = "geant4"
    weights: Path | None = None
    extrapolate: bool = False
    pictures: Path | None = None


def find_simulation(model: str, detector: str) -> str:
    """Name of the model of an architecture that simulates a detector.

    Arguments:
        model: `architecture[.tag]`.
        detector: Name of the detector.

    Raises:
        ModelNameError: If no model is called so.
        InputError: If none of them does.
    """
    spec = api.find_model(model)
    specs = [spec] if "." in model else names.list_models(f"{spec.architecture}.*")
    for one in specs:
        if one.detector == detector:
            return one.name
    msg = f"{model} makes no showers in {detector}; name a model that does, or a shower file."
    raise InputError(msg)


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
