"""Whether two samples have primaries of the same energies and directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calozoo_core.errors import InputError
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerFile
from calozoo_core.typing import FloatArray

__all__ = ["Primaries", "check_agreement", "kolmogorov_distance", "read_primaries"]

MOST = 100_000
"""Primaries that are looked at, evenly spread over the file: memory does not grow with it."""

AT_ONCE = 10_000

LARGEST_DISTANCE = 0.1
"""Of a tenth of the primaries that are elsewhere, figures would show little else."""


@dataclass(frozen=True, eq=False)
class Primaries:
    """The primaries of a file, or many of them.

    Arguments:
        name: What to call the file.
        particle: PDG name.
        incident: Energies, directions and perhaps positions.
    """

    name: str
    particle: str
    incident: Incident

    @property
    def columns(self) -> dict[str, FloatArray]:
        """What must be distributed alike, in words and numbers, each of shape (n,)."""
        direction = self.incident.direction.astype(np.float64)
        return {
            "energies": self.incident.energy.astype(np.float64),
            "directions along x'": direction[:, 0],
            "directions along y'": direction[:, 1],
        }

    def positions_differ(self, other: Primaries) -> bool:
        """Whether they enter the detector in places that are spread otherwise."""
        here, there = self.incident.position, other.incident.position
        if here is None or there is None:
            return here is not there
        return not all(kolmogorov_distance(here[:, k], there[:, k])[1] for k in range(3))


def read_primaries(file: ShowerFile) -> Primaries:
    """The primaries of a shower file, evenly thinned out if they are very many.

    Raises:
        ShowerFileError: If the file is damaged.
    """
    step = max(1, -(-len(file) // MOST))
    parts = []
    for start in range(0, len(file), AT_ONCE):
        part = file.incident(slice(start, start + AT_ONCE))
        parts.append(part[np.arange(-start % step, len(part), step)])
    return Primaries(file.path.name, file.particle, Incident.concatenate(parts))


def check_agreement(generated: Primaries, reference: Primaries) -> list[str]:
    """Notes on how far the primaries of two samples differ.

    Arguments:
        generated: Of a model's sample.
        reference: Of Geant4's.

    Raises:
        InputError: If they differ so far that no figure would mean anything.
    """
    if generated.particle != reference.particle:
        msg = (
            f"{generated.name} holds showers of {generated.particle} and {reference.name} of "
            f"{reference.particle}; compare showers of the same particle."
        )
        raise InputError(msg)
    notes = []
    for what, mine in generated.columns.items():
        theirs = reference.columns[what]
        distance, is_chance = kolmogorov_distance(mine, theirs)
        if is_chance:
            continue
        if distance > LARGEST_DISTANCE:
            msg = (
                f"The {what} of the primaries differ: {_range(mine, what)} in {generated.name}, "
                f"{_range(theirs, what)} in {reference.name}; generate for the same primaries, "
                f"with --energy @{reference.name} --dir @{reference.name}."
            )
            raise InputError(msg)
        notes.append(
            f"The {what} of the primaries of {generated.name} are not quite those of "
            f"{reference.name} (Kolmogorov distance {distance:.2g}); figures include that."
        )
    return notes


def kolmogorov_distance(one: FloatArray, other: FloatArray) -> tuple[float, bool]:
    """Largest difference of the cumulative distributions, and whether chance explains it.

    Chance does not where it would give as much once in a thousand times.

    Example:
        >>> kolmogorov_distance(np.arange(1000.0), np.arange(1000.0) + 5)
        (0.005, True)
        >>> kolmogorov_distance(np.full(1000, 50.0), np.linspace(10, 100, 1000))[1]
        False
    """
    places = np.concatenate([one, other])
    below = [np.searchsorted(np.sort(v), places, side="right") / len(v) for v in (one, other)]
    distance = float(np.abs(below[0] - below[1]).max())
    n, m = len(one), len(other)
    threshold = np.sqrt(-np.log(1e-3 / 2) / 2 * (n + m) / (n * m))
    return round(distance, 6), bool(distance <= threshold)


def _range(values: FloatArray, what: str) -> str:
    unit = " GeV" if what == "energies" else ""
    low, mean, high = (f"{v:.3g}" for v in (values.min(), values.mean(), values.max()))
    return f"{low}{unit}" if low == high else f"{low} to {high}{unit} (mean {mean})"
