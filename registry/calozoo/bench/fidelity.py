"""How far a model's showers are from Geant4's, for the same primaries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from calozoo_core.detector import load_detector
from calozoo_core.errors import DetectorError
from calozoo_core.generator import Generator
from calozoo_core.io import ShowerFile
from calozoo_core.observables import Profiles, divergences, profiles
from calozoo_core.showers import Showers

__all__ = ["Fidelity", "Window", "measure_fidelity"]

WINDOWS_GEV = ((1.0, 20.0), (40.0, 60.0), (90.0, 110.0))
"""Primaries around 10, 50 and 100 GeV."""

FEWEST = 10
"""A mean of fewer Geant4 showers than this says nothing."""


class Window(BaseModel):
    """Means of the primaries in one range of energies, generated over Geant4.

    Arguments:
        low_gev: Lower end.
        high_gev: Upper end.
        n_reference: Geant4 showers in it.
        visible_energy: Ratio of the mean visible energies.
        visible_energy_error: Its statistical error.
        n_points: Ratio of the mean numbers of points.
        n_points_error: Its statistical error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    low_gev: float
    high_gev: float
    n_reference: int
    visible_energy: float
    visible_energy_error: float
    n_points: float
    n_points_error: float


class Fidelity(BaseModel):
    """A model against a file of Geant4 showers.

    Arguments:
        reference: The file's name.
        n_reference: Geant4 showers in it.
        n_generated: Showers generated for the same primaries, several times over.
        divergence: Jensen-Shannon divergence in nats, by observable.
        noise_floor: The same between Geant4 and Geant4, two halves of the file; with half the
            showers it is about twice what the file as a whole would give.
        windows: Means by incident energy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: str
    n_reference: int
    n_generated: int
    divergence: dict[str, float]
    noise_floor: dict[str, float]
    windows: tuple[Window, ...]


def measure_fidelity(
    generator: Generator,
    reference: Path,
    *,
    repeats: int = 5,
    seed: int = 7,
    on_batch: Callable[[int], None] = lambda _: None,
) -> Fidelity:
    """Generate for the primaries of a Geant4 file, and compare.

    Arguments:
        generator: The model.
        reference: A native shower file made by Geant4, in the model's representation.
        repeats: Showers per primary, so that the generated side adds little to the error.
        seed: Of the generated showers.
        on_batch: Called with the number of showers of each batch.

    Raises:
        DetectorError: If the file is of another detector or representation.
    """
    with ShowerFile(reference) as file:
        spec = generator.spec
        if (file.detector, file.representation) != (spec.detector, spec.representation):
            msg = (
                f"{reference} holds {file.representation} showers in {file.detector}; {spec.name} "
                f"makes {spec.representation} in {spec.detector}."
            )
            raise DetectorError(msg)
        detector = load_detector(spec.detector)
        half = len(file) // 2
        first = profiles((file[i : min(i + 100, half)] for i in range(0, half, 100)), detector)
        second = profiles((file[i : i + 100] for i in range(half, len(file), 100)), detector)
        truth = first + second
        mine = profiles(_generated(generator, file, repeats, seed, on_batch), detector)
        energy = np.concatenate([batch.incident.energy for batch in file.batches()])
    return Fidelity(
        reference=reference.name,
        n_reference=len(energy),
        n_generated=len(mine.visible_energy),
        divergence=divergences(mine, truth),
        noise_floor=divergences(first, second),
        windows=tuple(
            _window(mine, truth, energy, low, high)
            for low, high in WINDOWS_GEV
            if np.count_nonzero((energy >= low) & (energy < high)) >= FEWEST
        ),
    )


def _generated(
    generator: Generator,
    file: ShowerFile,
    repeats: int,
    seed: int,
    on_batch: Callable[[int], None],
) -> Iterator[Showers]:
    for repeat in range(repeats):
        done = 0
        for batch in file.batches():
            for showers in generator.batches(
                batch.incident, seed=seed + repeat, first=done, extrapolate=True
            ):
                on_batch(len(showers))
                yield showers
            done += len(batch)


def _window(mine: Profiles, truth: Profiles, energy: np.ndarray, low: float, high: float) -> Window:
    inside = (energy >= low) & (energy < high)
    repeated = np.tile(inside, len(mine.visible_energy) // len(energy))
    scale = np.tile(energy, len(mine.visible_energy) // len(energy))
    figures: dict[str, float] = {}
    for name in ("visible_energy", "n_points"):
        # Per GeV, so that the spread of the energies inside the window is not counted as an error.
        generated = (getattr(mine, name) / scale)[repeated]
        reference = (getattr(truth, name) / energy)[inside]
        ratio = generated.mean() / reference.mean()
        errors = [
            values.std() / values.mean() / len(values) ** 0.5 for values in (generated, reference)
        ]
        figures[name] = float(ratio)
        figures[f"{name}_error"] = float(ratio * np.hypot(*errors))
    return Window(low_gev=low, high_gev=high, n_reference=int(inside.sum()), **figures)
