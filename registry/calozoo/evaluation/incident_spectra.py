"""Spectra of incident particles: the comparison of two samples' energies and directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calozoo_core.errors import InputError
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerFile
from calozoo_core.typing import FloatArray

__all__ = [
    "IncidentSpectrum",
    "check_agreement",
    "kolmogorov_distance",
    "read_incident_spectrum",
]

MOST = 100_000
"""Particles that are compared, evenly spread over the file: memory does not grow with it."""

AT_ONCE = 10_000

LARGEST_DISTANCE = 0.1
"""Kolmogorov distance above which figures would show little but the difference of spectra."""


@dataclass(frozen=True, eq=False)
class IncidentSpectrum:
    """Energies, directions and entry points of the incident particles of a file.

    Arguments:
        name: Name of the file.
        particle: PDG name.
        incident: The particles, thinned out evenly if they are very many.
    """

    name: str
    particle: str
    incident: Incident

    @property
    def columns(self) -> dict[str, FloatArray]:
        """Quantities that must be distributed alike, by name, each of shape (n,)."""
        direction = self.incident.direction.astype(np.float64)
        return {
            "energies": self.incident.energy.astype(np.float64),
            "directions along x'": direction[:, 0],
            "directions along y'": direction[:, 1],
        }

    def positions_differ(self, other: IncidentSpectrum) -> bool:
        """True if the entry points are distributed differently."""
        here, there = self.incident.position, other.incident.position
        if here is None or there is None:
            return here is not there
        return not all(kolmogorov_distance(here[:, k], there[:, k])[1] for k in range(3))


def read_incident_spectrum(file: ShowerFile) -> IncidentSpectrum:
    """Incident particles of a shower file, thinned out evenly if they are very many.

    Raises:
        ShowerFileError: If the file is damaged.
    """
    step = max(1, -(-len(file) // MOST))
    parts = []
    for start in range(0, len(file), AT_ONCE):
        part = file.incident(slice(start, start + AT_ONCE))
        parts.append(part[np.arange(-start % step, len(part), step)])
    return IncidentSpectrum(file.path.name, file.particle, Incident.concatenate(parts))


def check_agreement(generated: IncidentSpectrum, reference: IncidentSpectrum) -> list[str]:
    """Notes on the differences between the incident particles of two samples.

    Arguments:
        generated: Incident particles of a model's sample.
        reference: Incident particles of Geant4's.

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
                f"The {what} of the incident particles differ: {_range(mine, what)} in "
                f"{generated.name}, {_range(theirs, what)} in {reference.name}; generate for the "
                "same particles, "
                f"with `calozoo generate --energy @{reference.name} --dir @{reference.name}`."
            )
            raise InputError(msg)
        notes.append(
            f"The {what} of the incident particles of {generated.name} are not quite those of "
            f"{reference.name} (Kolmogorov distance {distance:.2g}); figures include that."
        )
    return notes


def kolmogorov_distance(one: FloatArray, other: FloatArray) -> tuple[float, bool]:
    """Kolmogorov distance of two samples, and whether chance explains it.

    Chance does not explain a distance with a p-value below 0.001.

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
