"""What all figures have in common: a value, an error, and a floor, from blocks of showers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.metrics.resampling import halves, jackknife_error, scaled_floor
from calozoo_core.observables.accumulator import BLOCKS

__all__ = ["ALL", "HALVES", "Distance", "Rows", "Sizes", "measured"]

Rows = NDArray[np.bool_]
Distance = Callable[[Rows, Rows], float]
"""A figure of these blocks of the generated sample and those of the reference."""

ALL: Final[Rows] = np.ones(BLOCKS, dtype=bool)
HALVES: Final = tuple(halves(BLOCKS))


@dataclass(frozen=True)
class Sizes:
    """How many showers are on either side."""

    n_generated: int
    n_reference: int

    def too_few(self, fewest: int) -> str | None:
        """Why there is no figure, if either side has fewer showers than this."""
        for what, n in (("generated", self.n_generated), ("reference", self.n_reference)):
            if n < fewest:
                return f"{n} {what} showers are too few; this figure needs {fewest}."
        return None


def measured(
    distance: Distance,
    floor: Distance,
    sizes: Sizes,
    *,
    power: float,
    splits: Sequence[tuple[Rows, Rows]] = HALVES,
) -> dict[str, Any]:
    """Value, error and floors of a figure, by the names they have in `MetricResult`.

    Arguments:
        distance: Between blocks of the generated sample and blocks of the reference.
        floor: The same between blocks of the reference and others of it.
        sizes: Showers on either side.
        power: How the floor falls with the number of showers, as in `scaled_floor`.
        splits: Pairs of halves of the reference.
    """
    errors = (
        jackknife_error(lambda rows: distance(rows, ALL), BLOCKS),
        jackknife_error(lambda rows: distance(ALL, rows), BLOCKS),
    )
    found = {"value": distance(ALL, ALL), "error": float(np.hypot(*errors))}
    if splits:
        half = float(np.mean([floor(one, other) for one, other in splits]))
        found["half_floor"] = half
        found["noise_floor"] = scaled_floor(half, sizes.n_reference, sizes.n_generated, power=power)
    return found
