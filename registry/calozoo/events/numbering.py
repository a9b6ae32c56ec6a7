"""Numbers of primaries and showers in a sample, which their random numbers depend on."""

from __future__ import annotations

import numpy as np

from calozoo_core.errors import InputError
from calozoo_core.events import Events
from calozoo_core.random import stream
from calozoo_core.typing import IntArray

__all__ = ["MOST_EVENTS", "check_numbers", "primary_seeds", "shower_numbers"]

_ORDINALS, _SHOWERS = 1 << 16, 1 << 12

MOST_EVENTS = (1 << 63) // (_ORDINALS * _SHOWERS)
"""Most events of a sample, 34 thousand million."""


def shower_numbers(event: IntArray, ordinal: IntArray, number: IntArray) -> IntArray:
    """Numbers of showers that a model makes in events.

    Arguments:
        event: Number of the event in the sample, shape (n,).
        ordinal: Number of the primary in the event, shape (n,).
        number: Number of the particle among those taken from that primary, shape (n,).

    Returns:
        Shape (n,), different for each shower of a sample.

    Raises:
        InputError: If there are more than 65,536 primaries in an event, or too many events.
    """
    for values, most, what in (
        (event, MOST_EVENTS, "events"),
        (ordinal, _ORDINALS, "primaries in an event"),
        (number, _SHOWERS, "particles from one primary on the face"),
    ):
        if int(values.max(initial=0)) >= most:
            msg = f"There may be {most} {what} at most."
            raise InputError(msg)
    numbers: IntArray = (event * _ORDINALS + ordinal) * _SHOWERS + number
    return numbers


def primary_seeds(events: Events, first: int, seed: int) -> list[int]:
    """Seed of the full simulation of each primary.

    Arguments:
        events: Events.
        first: Number of the first of them in the sample.
        seed: The user's seed.
    """
    numbers = _primary_numbers(events, first).tolist()
    return [int(stream(seed, n, "geant4").integers(1, 2**63 - 1)) for n in numbers]


def check_numbers(events: Events, first: int) -> None:
    """Refuse events with more primaries than have numbers of their own, and too many events.

    Arguments:
        events: Events.
        first: Number of the first of them in the sample.

    Raises:
        InputError: If there are.
    """
    _primary_numbers(events, first)


def _primary_numbers(events: Events, first: int) -> IntArray:
    none = np.zeros(events.n_primaries, np.int64)
    return shower_numbers(events.event + first, events.ordinal, none)
