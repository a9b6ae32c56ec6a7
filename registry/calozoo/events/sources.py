"""Sources of events: a native file, a HepMC3 file, or a particle gun."""

from __future__ import annotations

import hashlib
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from calozoo.events.hepmc import read_hepmc
from calozoo.events.numbering import MOST_EVENTS
from calozoo_core.errors import InputError, ShowerFileError
from calozoo_core.events import Events
from calozoo_core.full_simulation import ON_FACE_MM
from calozoo_core.io.events import EventFile, is_event_file
from calozoo_core.particles import particle_number
from calozoo_core.placement import Placement
from calozoo_core.random import stream
from calozoo_core.typing import FloatArray

__all__ = [
    "EventSource",
    "FileSource",
    "GunSource",
    "HepMCSource",
    "check_vertices",
    "find_source",
    "parse_gun",
]

_HEPMC_SUFFIXES = (".hepmc", ".hepmc3", ".hepmc.gz", ".hepmc3.gz")


class EventSource(ABC):
    """Source of events, which gives the same ones every time."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the source in messages and in the provenance of a file."""

    @abstractmethod
    def digest(self) -> str:
        """Hash of the events, or of what they are made of."""

    @abstractmethod
    def chunks(self, size: int) -> Iterator[Events]:
        """All events in order, `size` at a time.

        Raises:
            CalozooError: If the events cannot be read, or one is impossible; it names the primary.
        """

    def survey(self, size: int) -> Iterator[tuple[int, Events]]:
        """Events to check before the work: all, or those that stand for all, and the last.

        Arguments:
            size: Events at a time.

        Returns:
            Runs of events, each with the number of its first event in the sample.

        Raises:
            CalozooError: As for `chunks`.
        """
        first = 0
        for events in self.chunks(size):
            yield first, events
            first += len(events)


@dataclass(frozen=True)
class _EventFileSource(EventSource):
    """Source that is a file.

    Arguments:
        path: The file.
        n: Number of events, from the first; None for all.
    """

    path: Path
    n: int | None = None

    @property
    def name(self) -> str:
        return self.path.name

    def digest(self) -> str:
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


class FileSource(_EventFileSource):
    """Events of a native file."""

    def chunks(self, size: int) -> Iterator[Events]:
        with EventFile(self.path) as file:
            stop = _checked_number(self.n, len(file), self.path)
            for first in range(0, stop, size):
                yield file.events(slice(first, min(first + size, stop)))


class HepMCSource(_EventFileSource):
    """Events of a HepMC3 file: its particles of status 1."""

    def chunks(self, size: int) -> Iterator[Events]:
        waiting: list[Events] = []
        n_read = 0
        for event in read_hepmc(self.path):
            if n_read == self.n:
                break
            waiting.append(event)
            n_read += 1
            if len(waiting) == size:
                yield Events.concatenate(waiting)
                waiting.clear()
        if n_read == 0:
            msg = f"{self.path} has no events."
            raise ShowerFileError(msg)
        _checked_number(self.n, n_read, self.path)
        if waiting:
            yield Events.concatenate(waiting)


@dataclass(frozen=True)
class GunSource(EventSource):
    """Events of one particle each, or of several, from a gun.

    Event i depends on the seed and on i alone.

    Arguments:
        particle: PDG name.
        energies: Kinetic energies in GeV: event i has entry i modulo their number, or one between
            the two of a range.
        is_range: `True` if the energies are the ends of a range.
        n: Number of events.
        seed: The user's seed.
        placement: Placement of the detector.
        per_event: Number of particles of an event.
        direction_deg: Polar angle from the beam and azimuth; by default all directions within the
            acceptance of the trigger.
        vertex: Global position at which they start, in mm.
    """

    particle: str
    energies: tuple[float, ...]
    n: int
    seed: int
    placement: Placement
    is_range: bool = False
    per_event: int = 1
    direction_deg: tuple[float, float] | None = None
    vertex: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def name(self) -> str:
        joined = (":" if self.is_range else ",").join(map(_shortest, self.energies))
        return f"gun {self.particle}:{joined}"

    def digest(self) -> str:
        text = repr(
            (
                self.name,
                self.n,
                self.seed,
                self.per_event,
                self.direction_deg,
                self.vertex,
                self.placement.detector.name,
            )
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def chunks(self, size: int) -> Iterator[Events]:
        for first in range(0, self.n, size):
            yield self._events(first, min(first + size, self.n))

    def survey(self, size: int) -> Iterator[tuple[int, Events]]:
        """One event with the largest energy, and the last: all others are like them."""
        del size
        if self.is_range:
            strongest, first = replace(self, energies=self.energies[1:], is_range=False), 0
        else:
            used = self.energies[: self.n * self.per_event]
            strongest, first = self, used.index(max(used)) // self.per_event
        yield first, strongest._events(first, first + 1)
        if first < self.n - 1:
            yield self.n - 1, self._events(self.n - 1, self.n)

    def _events(self, first: int, stop: int) -> Events:
        n, per = stop - first, self.per_event
        energy = np.array([self._energy(number) for number in range(first * per, stop * per)])
        number = particle_number(self.particle)
        return Events.of(
            per * np.arange(n + 1),
            np.full(n * per, number),
            energy,
            self._directions(first * per, n * per) * energy[:, None],
            self.vertex,
        )

    def _energy(self, number: int) -> float:
        if not self.is_range:
            return self.energies[number % len(self.energies)]
        low, high = self.energies
        return low + (high - low) * float(stream(self.seed, number, "gun energy").random())

    def _directions(self, first: int, n: int) -> FloatArray:
        if self.direction_deg is None:
            return self.placement.draw(n, self.seed, first)[1]
        theta, phi = np.radians(self.direction_deg)
        unit = [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)]
        return np.tile(unit, (n, 1))


def _shortest(value: float) -> str:
    """Number as a text that is read as the very same number."""
    return repr(value).removesuffix(".0")


def find_source(events: Path, n: int | None = None) -> EventSource:
    """Source of the events of a file: native, or HepMC3 by its name.

    Arguments:
        events: The file.
        n: Number of events, from the first; None for all.

    Raises:
        ShowerFileError: If there is no such file, or it is neither.
    """
    if not events.is_file():
        msg = f"There is no file of events {events}."
        raise ShowerFileError(msg)
    if n is not None and n < 1:
        msg = f"The number of events must be at least 1, not {n}."
        raise InputError(msg, argument="n")
    if events.name.endswith(_HEPMC_SUFFIXES):
        return HepMCSource(events, n)
    if is_event_file(events):
        return FileSource(events, n)
    msg = (
        f"{events} holds no events: give a native file of events, .h5, or one of HepMC3, "
        f"{', '.join(_HEPMC_SUFFIXES)}."
    )
    raise ShowerFileError(msg)


def parse_gun(
    text: str,
    *,
    n: int | None,
    seed: int,
    placement: Placement,
    direction_deg: tuple[float, float] | None = None,
    vertex: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> GunSource:
    """Gun of a text.

    Arguments:
        text: `PARTICLE:ENERGY`, `PARTICLE:LOW:HIGH` or `PARTICLE:E1,E2,...`, in GeV; with `Nx`
            before it for N particles an event, such as `2xgamma:5:100`.
        n: Number of events; by default one for each energy listed.
        seed: The user's seed.
        placement: Placement of the detector.
        direction_deg: Polar angle from the beam and azimuth; None for the trigger's acceptance.
        vertex: Global position at which the particles start, in mm.

    Raises:
        InputError: If the text cannot be read, or a number is impossible.

    Example:
        >>> from calozoo_core.placement import load_placement
        >>> ild = load_placement("ild_siecal")
        >>> parse_gun("gamma:5:100", n=10, seed=0, placement=ild).name
        'gun gamma:5:100'
    """
    number = r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?"
    pattern = rf"(?:(\d{{1,5}})x)?([\w+-]+):({number}(?::{number}|(?:,{number})*))"
    match = re.fullmatch(pattern, text)
    if match is None:
        msg = f"Cannot read the gun {text!r}; write PARTICLE:ENERGY, such as gamma:50 or e-:5:100."
        raise InputError(msg)
    per_event = int(match[1] or 1)
    is_range = ":" in match[3]
    energies = tuple(float(part) for part in re.split("[:,]", match[3]))
    particle_number(match[2])
    if n is None:
        n = 1 if is_range else len(energies)
    if n < 1 or per_event < 1 or min(energies) <= 0 or (is_range and energies[0] >= energies[1]):
        msg = f"The gun {text!r} needs events, particles and energies above 0, from low to high."
        raise InputError(msg)
    if n > MOST_EVENTS:
        msg = f"A gun shoots {MOST_EVENTS} events at most, not {n}."
        raise InputError(msg)
    if direction_deg is not None:
        _check_direction(*direction_deg)
    return GunSource(
        match[2], energies, n, seed, placement, is_range, per_event, direction_deg, vertex
    )


def _check_direction(theta_deg: float, phi_deg: float) -> None:
    if not (0 <= theta_deg <= 180 and math.isfinite(phi_deg)):
        msg = (
            f"Cannot read the direction {theta_deg:g},{phi_deg:g}; write THETA,PHI in degrees, "
            "with a THETA of 0 to 180."
        )
        raise InputError(msg, argument="direction")


def check_vertices(events: Events, first: int, placement: Placement) -> None:
    """Refuse primaries that start behind the face of the calorimeter.

    Arguments:
        events: Events.
        first: Number of the first of them in the sample.
        placement: Placement of the detector.

    Raises:
        InputError: If one does; the message names it.
    """
    behind = np.flatnonzero(placement.depth(events.vertex) > ON_FACE_MM)
    if len(behind):
        msg = (
            f"{events.label(int(behind[0]), first)} starts behind the face of "
            f"{placement.detector.name}; a primary must start in front of it."
        )
        raise InputError(msg)


def _checked_number(n: int | None, there: int, path: Path) -> int:
    if n is not None and n > there:
        msg = f"{path} has {there} events, not {n}."
        raise InputError(msg, argument="n")
    return there if n is None else n
