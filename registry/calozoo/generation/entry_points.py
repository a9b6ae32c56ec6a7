"""Where primaries enter a detector, and from where they come, as draws of a request."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calozoo.generation.incident_sources import Draw, Rows
from calozoo_core.errors import ConditionsError, InputError
from calozoo_core.placement import Placement, Trigger

__all__ = ["Entries", "Flights", "LocalDirections", "check_flights", "check_positions"]

FloatArray = NDArray[np.float64]

NEUTRAL = ("gamma", "neutron", "anti_neutron", "kaon0L", "kaon0S", "pi0")
BLOCK = 4096


@dataclass(frozen=True)
class Flights:
    """Straight lines from the interaction point to the face of a detector.

    Arguments:
        placement: The detector.
        momenta: Global; None for random lines, isotropic within what the trigger takes.
    """

    placement: Placement
    momenta: Draw | None = None

    def take(self, seed: int, first: int, stop: int) -> tuple[FloatArray, FloatArray]:
        """Positions on the face, in mm, and momenta of primaries first, ..., stop - 1."""
        if self.momenta is None:
            return self.placement.draw(stop - first, seed, first)
        momenta = self.momenta.take(seed, first, stop)
        return self.placement.enter(momenta), momenta


@dataclass(frozen=True)
class Entries:
    """Where flights end: global positions on the face, in mm."""

    flights: Flights

    def take(self, seed: int, first: int, stop: int) -> FloatArray:
        return self.flights.take(seed, first, stop)[0]

    def extremes(self, n: int) -> FloatArray:
        return np.zeros((0, 3))


@dataclass(frozen=True)
class LocalDirections:
    """Directions of flights in the local frames of where they end.

    Arguments:
        flights: From the interaction point.
        seed: The user's seed.
    """

    flights: Flights
    seed: int

    def take(self, seed: int, first: int, stop: int) -> FloatArray:
        position, momentum = self.flights.take(seed, first, stop)
        return self.flights.placement.local_direction(position, momentum)

    def extremes(self, n: int) -> FloatArray:
        """The steepest and the flattest of all n: where they enter decides, so all are made."""
        outermost = np.zeros((0, 3))
        for first in range(0, n, BLOCK):
            block = self.take(self.seed, first, min(first + BLOCK, n))
            outermost = np.concatenate([outermost, block])
            outermost = outermost[[outermost[:, 2].argmin(), outermost[:, 2].argmax()]]
        return outermost


def check_positions(positions: Draw, n: int, placement: Placement) -> None:
    """Refuse positions that were given and are not on the face.

    Raises:
        InputError: If one is not; the message names it and the face.
    """
    if isinstance(positions, Rows):
        placement.check(positions.values[:n])


def check_flights(flights: Flights, n: int, particle: str, *, extrapolate: bool = False) -> None:
    """Refuse primaries that do not fly straight from the interaction point to the face.

    Raises:
        InputError: If the particle has a charge, or a line misses the face.
        ConditionsError: If a line leads where the trigger takes none, and `extrapolate` is not set.
    """
    if particle not in NEUTRAL:
        msg = (
            f"Only neutral particles fly straight from the interaction point, not {particle}; "
            "leave --from-ip out, and give --position and --dir."
        )
        raise InputError(msg)
    if not isinstance(flights.momenta, Rows):
        return
    detector, given = flights.placement.detector, flights.momenta.values[:n]
    flights.placement.enter(given)
    trigger = Trigger.of(detector)
    vetoed = given[~trigger.aims(given)]
    if len(vetoed) and not extrapolate:
        msg = (
            f"The direction {_angles(vetoed[0])} leads to the edge of a part of "
            f"{detector.name}; take {_windows(trigger)}, or add --extrapolate."
        )
        raise ConditionsError(msg)


def _angles(momentum: FloatArray) -> str:
    theta = np.degrees(np.arctan2(np.hypot(momentum[0], momentum[1]), momentum[2]))
    return f"{theta:.4g},{np.degrees(np.arctan2(momentum[1], momentum[0])):.4g}"


def _windows(trigger: Trigger) -> str:
    """The directions that a trigger takes, in words."""
    words = []
    if trigger.barrel_theta_deg is not None:
        low, high = trigger.barrel_theta_deg
        words.append(f"a theta of {low:g} to {high:g} degrees")
        if trigger.sides:
            side = 360 / trigger.sides
            first, last = trigger.overlap_deg - side / 2, side / 2 - trigger.margin_deg
            words[-1] += f" with a phi of {first:g} to {last:g} degrees around k * {side:g}"
    if trigger.endcap_theta_deg is not None:
        end = trigger.endcap_theta_deg
        words.append(f"a theta up to {end:g} or from {180 - end:g} degrees")
    return ", or ".join(words)
