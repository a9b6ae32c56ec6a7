"""Sources of incident particles: distributions of energies, directions and entry points.

Particle i depends on the request, on the seed and on i alone, so that batches of any size give the
same particles, and a source of a hundred thousand takes no more memory than one of a hundred.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from calozoo_core.errors import InputError
from calozoo_core.incident import Incident
from calozoo_core.random import stream
from calozoo_core.typing import FloatArray

__all__ = [
    "Cone",
    "Distribution",
    "IncidentSource",
    "ListedValues",
    "LogUniformEnergy",
    "UniformEnergy",
    "check_rows",
    "unit_vectors",
]


MAX_SHOWERS: Final = 1 << 63
"""Numbers of showers are 64 bits wide, with their sign."""


class Distribution(Protocol):
    """Distribution of one property of the incident particles.

    Values are energies in GeV, shape (), or directions or positions in mm, shape (3,).
    """

    def sample(self, seed: int, first: int, stop: int) -> FloatArray:
        """Values of particles first, ..., stop - 1, shape (stop - first, ...)."""

    def bounds(self, n: int) -> FloatArray:
        """Values that enclose those of the first n particles, whatever the seed."""


@dataclass(frozen=True, eq=False)
class ListedValues:
    """Values of a file, one a particle, or of a list that starts again at its end.

    Arguments:
        values: Energies, shape (m,), or directions or positions, shape (m, 3).
        file: The file they come from; None for a list on the command line.
    """

    values: FloatArray
    file: str | None = None

    def sample(self, seed: int, first: int, stop: int) -> FloatArray:
        return self.values[np.arange(first, stop) % len(self.values)]

    def bounds(self, n: int) -> FloatArray:
        return self.values[:n]


@dataclass(frozen=True)
class UniformEnergy:
    """Uniform distribution of the energy between two values, in GeV."""

    low: float
    high: float

    def sample(self, seed: int, first: int, stop: int) -> FloatArray:
        return self.low + (self.high - self.low) * _uniform(seed, first, stop, "energy", 1)[:, 0]

    def bounds(self, n: int) -> FloatArray:
        return np.array([self.low, self.high])


@dataclass(frozen=True)
class LogUniformEnergy:
    """Uniform distribution of the logarithm of the energy between two values, in GeV."""

    low: float
    high: float

    def sample(self, seed: int, first: int, stop: int) -> FloatArray:
        u = _uniform(seed, first, stop, "energy", 1)[:, 0]
        energies: FloatArray = self.low * (self.high / self.low) ** u
        return energies.clip(self.low, self.high)

    def bounds(self, n: int) -> FloatArray:
        return np.array([self.low, self.high])


@dataclass(frozen=True)
class Cone:
    """Directions with theta uniform in 0 to `theta_deg` degrees and phi uniform all around.

    Uniform in the angles, as the training showers are, and so not uniform in solid angle.
    """

    theta_deg: float

    def sample(self, seed: int, first: int, stop: int) -> FloatArray:
        theta, phi = _uniform(seed, first, stop, "direction", 2).T
        return unit_vectors(theta * self.theta_deg, phi * 360.0)

    def bounds(self, n: int) -> FloatArray:
        return unit_vectors(np.array([0.0, self.theta_deg]), np.zeros(2))


@dataclass(frozen=True)
class IncidentSource:
    """Incident particles of a request, made batch by batch.

    Arguments:
        energies: Distribution of energies, in GeV.
        directions: Distribution of directions in the local frame.
        n: Number of particles.
        seed: Seed of all distributions.
        particle: PDG name.
        positions: Distribution of entry points on the face, global, in mm; None for none.

    Raises:
        InputError: If n is not positive, the seed is out of range, or a file has too few rows.

    Example:
        >>> source = IncidentSource(ListedValues(np.array([10.0, 20.0])), Cone(60.0), n=5)
        >>> [(first, incident.energy.tolist()) for first, incident in source.batches(3)]
        [(0, [10.0, 20.0, 10.0]), (3, [20.0, 10.0])]
    """

    energies: Distribution
    directions: Distribution
    n: int
    seed: int = 0
    particle: str = "gamma"
    positions: Distribution | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.n < MAX_SHOWERS:
            bound = "at least 1" if self.n < 1 else "below 2^63"
            msg = f"The number of showers must be {bound}, not {self.n}."
            raise InputError(msg)
        check_rows(self.n, self.energies, self.directions, self.positions)
        stream(self.seed, 0, "energy")

    def __len__(self) -> int:
        return self.n

    def batches(
        self, size: int, start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, Incident]]:
        """Particles in order, at most `size` at a time, each batch with the index of its first.

        Arguments:
            size: Largest batch.
            start: Index of the first particle.
            stop: Index behind the last one; None for all that follow.
        """
        end = self.n if stop is None else min(stop, self.n)
        for first in range(start, end, size):
            stop = min(first + size, end)
            energy = self.energies.sample(self.seed, first, stop)
            direction = self.directions.sample(self.seed, first, stop)
            position = None
            if self.positions is not None:
                position = self.positions.sample(self.seed, first, stop)
            yield first, Incident(energy, direction, self.particle, position)

    def bounds(self) -> Incident:
        """Particles that lie inside a model's conditions if all of the source do."""
        energies, directions = self.energies.bounds(self.n), self.directions.bounds(self.n)
        size = max(len(energies), len(directions))
        return Incident(np.resize(energies, size), np.resize(directions, (size, 3)), self.particle)


def check_rows(n: int, *distributions: Distribution | None) -> None:
    """Refuse files that have too few rows for n showers.

    Raises:
        InputError: If a file has too few; the message names it.
    """
    for listed in distributions:
        if isinstance(listed, ListedValues) and listed.file is not None and len(listed.values) < n:
            msg = (
                f"{listed.file} has too few rows, {len(listed.values)}, for {n} showers; "
                "add rows, or leave n out."
            )
            raise InputError(msg, argument="n")


def unit_vectors(theta_deg: FloatArray, phi_deg: FloatArray) -> FloatArray:
    """Unit vectors at these angles, in degrees, shape (n, 3)."""
    theta, phi = np.radians(theta_deg), np.radians(phi_deg)
    transverse = np.sin(theta)
    return np.stack([transverse * np.cos(phi), transverse * np.sin(phi), np.cos(theta)], axis=1)


def _uniform(seed: int, first: int, stop: int, purpose: str, width: int) -> FloatArray:
    """Uniform random numbers of particles first, ..., stop - 1, shape (stop - first, width)."""
    return np.array([stream(seed, i, purpose).random(width) for i in range(first, stop)])
