"""The primaries of a request, made batch by batch.

Primary i depends on what is asked for, on the seed and on i alone, and a source of a hundred
thousand primaries takes no more memory than one of a hundred.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import InputError
from calozoo_core.incident import Incident
from calozoo_core.random import stream

__all__ = [
    "Cone",
    "Draw",
    "IncidentSource",
    "LogUniformEnergy",
    "Rows",
    "UniformEnergy",
    "check_rows",
    "unit_vectors",
]

FloatArray = NDArray[np.float64]


class Draw(Protocol):
    """Energies in GeV, values of shape (), or directions or positions, values of shape (3,)."""

    def take(self, seed: int, first: int, stop: int) -> FloatArray:
        """The values of the primaries first, ..., stop - 1."""

    def extremes(self, n: int) -> FloatArray:
        """Values among which the outermost of the first n are, whatever is drawn."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Values that are written down: in a file, one a shower, or in a list that starts again.

    Arguments:
        values: Energies, shape (m,), or directions or positions, shape (m, 3).
        file: Where they come from; None for a list on the command line.
    """

    values: FloatArray
    file: str | None = None

    def take(self, seed: int, first: int, stop: int) -> FloatArray:
        return self.values[np.arange(first, stop) % len(self.values)]

    def extremes(self, n: int) -> FloatArray:
        return self.values[:n]


@dataclass(frozen=True)
class UniformEnergy:
    """Energies drawn uniformly between two, in GeV."""

    low: float
    high: float

    def take(self, seed: int, first: int, stop: int) -> FloatArray:
        return self.low + (self.high - self.low) * _drawn(seed, first, stop, "energy", 1)[:, 0]

    def extremes(self, n: int) -> FloatArray:
        return np.array([self.low, self.high])


@dataclass(frozen=True)
class LogUniformEnergy:
    """Energies whose logarithm is drawn uniformly between those of two, in GeV."""

    low: float
    high: float

    def take(self, seed: int, first: int, stop: int) -> FloatArray:
        u = _drawn(seed, first, stop, "energy", 1)[:, 0]
        energies: FloatArray = self.low * (self.high / self.low) ** u
        return energies.clip(self.low, self.high)

    def extremes(self, n: int) -> FloatArray:
        return np.array([self.low, self.high])


@dataclass(frozen=True)
class Cone:
    """Directions with theta uniform in 0 to `theta_deg` degrees and phi uniform all around.

    Uniform in the angles, as the training showers are, and so not uniform in solid angle.
    """

    theta_deg: float

    def take(self, seed: int, first: int, stop: int) -> FloatArray:
        theta, phi = _drawn(seed, first, stop, "direction", 2).T
        return unit_vectors(theta * self.theta_deg, phi * 360.0)

    def extremes(self, n: int) -> FloatArray:
        return unit_vectors(np.array([0.0, self.theta_deg]), np.zeros(2))


@dataclass(frozen=True)
class IncidentSource:
    """The primaries of a request, made when they are asked for.

    Arguments:
        energies: In GeV.
        directions: In the local frame.
        n: How many primaries.
        seed: The user's seed.
        particle: PDG name.
        positions: Where they cross the face, global, in mm; None where it does not matter.

    Raises:
        InputError: If n is not positive, the seed is out of range, or a file has too few rows.

    Example:
        >>> source = IncidentSource(Rows(np.array([10.0, 20.0])), Cone(60.0), n=5)
        >>> [(first, incident.energy.tolist()) for first, incident in source.batches(3)]
        [(0, [10.0, 20.0, 10.0]), (3, [20.0, 10.0])]
    """

    energies: Draw
    directions: Draw
    n: int
    seed: int = 0
    particle: str = "gamma"
    positions: Draw | None = None

    def __post_init__(self) -> None:
        if self.n < 1:
            msg = f"The number of showers must be at least 1, not {self.n}."
            raise InputError(msg)
        check_rows(self.n, self.energies, self.directions, self.positions)
        stream(self.seed, 0, "energy")

    def __len__(self) -> int:
        return self.n

    def batches(self, size: int) -> Iterator[tuple[int, Incident]]:
        """The primaries in order, at most `size` at a time, each with the index of its first."""
        for first in range(0, self.n, size):
            stop = min(first + size, self.n)
            energy = self.energies.take(self.seed, first, stop)
            direction = self.directions.take(self.seed, first, stop)
            position = None
            if self.positions is not None:
                position = self.positions.take(self.seed, first, stop)
            yield first, Incident(energy, direction, self.particle, position)

    def extremes(self) -> Incident:
        """Primaries that lie inside a model's conditions if all of the source do."""
        energies, directions = self.energies.extremes(self.n), self.directions.extremes(self.n)
        size = max(len(energies), len(directions))
        return Incident(np.resize(energies, size), np.resize(directions, (size, 3)), self.particle)


def check_rows(n: int, *draws: Draw | None) -> None:
    """Refuse files that have too few rows for n showers.

    Raises:
        InputError: If one has; the message names it.
    """
    for rows in draws:
        if isinstance(rows, Rows) and rows.file is not None and len(rows.values) < n:
            msg = (
                f"{rows.file} has too few rows, {len(rows.values)}, for {n} showers; "
                "add rows, or leave -n out."
            )
            raise InputError(msg)


def unit_vectors(theta_deg: FloatArray, phi_deg: FloatArray) -> FloatArray:
    """Unit vectors at these angles, in degrees, shape (n, 3)."""
    theta, phi = np.radians(theta_deg), np.radians(phi_deg)
    transverse = np.sin(theta)
    return np.stack([transverse * np.cos(phi), transverse * np.sin(phi), np.cos(theta)], axis=1)


def _drawn(seed: int, first: int, stop: int, purpose: str, width: int) -> FloatArray:
    """Uniform numbers of the primaries first, ..., stop - 1, shape (stop - first, width)."""
    return np.array([stream(seed, i, purpose).random(width) for i in range(first, stop)])
