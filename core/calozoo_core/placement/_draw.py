"""Random lines from the interaction point that a detector's trigger accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from calozoo_core.errors import DetectorError
from calozoo_core.placement.trigger import Trigger
from calozoo_core.random import stream
from calozoo_core.typing import FloatArray

if TYPE_CHECKING:
    from calozoo_core.placement.base import Placement

__all__ = ["draw_lines"]

LINES_AT_ONCE, MOST_ROUNDS = 16, 1000


def draw_lines(
    placement: Placement, n: int, seed: int, first: int
) -> tuple[FloatArray, FloatArray]:
    """Where n lines cross the face, and their unit vectors: see `Placement.draw`."""
    trigger = Trigger.of(placement.detector)
    streams = [stream(seed, first + i, "primary") for i in range(n)]
    position, momentum = np.zeros((n, 3)), np.zeros((n, 3))
    missing = np.arange(n)
    for _ in range(MOST_ROUNDS):
        if not len(missing):
            return position, momentum
        lines = _isotropic(np.stack([streams[i].random((LINES_AT_ONCE, 2)) for i in missing]))
        crossing, is_hit = placement.crossing(lines.reshape(-1, 3))
        is_taken = (is_hit & trigger.aims(lines.reshape(-1, 3))).reshape(lines.shape[:2])
        found = np.flatnonzero(is_taken.any(axis=1))
        taken = is_taken[found].argmax(axis=1)
        position[missing[found]] = crossing.reshape(lines.shape)[found, taken]
        momentum[missing[found]] = lines[found, taken]
        missing = np.delete(missing, found)
    msg = f"The trigger takes next to no line that hits {placement.detector.name}."
    raise DetectorError(msg)


def _isotropic(numbers: FloatArray) -> FloatArray:
    """Unit vectors of random direction from pairs of numbers uniform in [0, 1)."""
    cos = 2 * numbers[..., 0] - 1
    sin, azimuth = np.sqrt(1 - cos**2), 2 * np.pi * numbers[..., 1]
    return np.stack([sin * np.cos(azimuth), sin * np.sin(azimuth), cos], axis=-1)
