"""Request of a benchmark: which models, against what, with how many showers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from calozoo import api
from calozoo.models import names
from calozoo_core.errors import InputError
from calozoo_core.generator import Precision

__all__ = ["BenchmarkRequest", "find_simulation"]


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
