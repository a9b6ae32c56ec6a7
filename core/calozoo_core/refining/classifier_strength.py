"""How much of a classifier to believe, tried out on what it had not seen."""

from __future__ import annotations

from typing import Final

import numpy as np

from calozoo_core.refining.corrections import Mode, Quality, Strength, Weights
from calozoo_core.refining.excess import excess
from calozoo_core.refining.observables import Sample
from calozoo_core.typing import FloatArray

__all__ = ["POWERS", "find_strength"]

POWERS: Final = (0.25, 0.5, 0.75, 1.0)
CAPS: Final = (1.1, 1.2, 1.25, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0, 5.0, 10.0)

LEVELS: Final = (0.01, 0.03, 0.1)
WORTHWHILE: Final = 0.9
"""A correction must bring what it is judged by below this part of what there was without one."""


def find_strength(
    generated: Sample,
    reference: Sample,
    log_ratio: FloatArray,
    mode: Mode,
    lowest_acceptance: float,
) -> Strength | None:
    """The power and cap with the smallest excesses in the tails, or None if none are worthwhile.

    Arguments:
        generated: A model's showers.
        reference: Geant4's.
        log_ratio: Of the generated showers, from networks that had not seen them, shape (n,).
        mode: How they will be used.
        lowest_acceptance: Part of the showers that accept-reject must keep, or that must count.
    """
    without = _distance(generated, reference, None)
    found: list[tuple[float, Strength]] = []
    for power in POWERS:
        for cap in CAPS:
            strength = Strength(power, cap)
            weights = Weights.fitted(strength, log_ratio, generated.incident)
            each = weights(log_ratio, generated.incident)
            quality = Quality.of(each, cap)
            kept = quality.acceptance if mode == "accept-reject" else quality.ess
            if kept >= lowest_acceptance:
                found.append((_distance(generated, reference, each), strength))
    if not found:
        return None
    distance, best = min(found, key=lambda pair: pair[0])
    return best if distance < WORTHWHILE * without else None


def _distance(generated: Sample, reference: Sample, weights: FloatArray | None) -> float:
    """Root mean square excess in all tails, at several levels, each in units of its chance."""
    squares = [
        (excess(reference, generated, level, weights) ** 2).mean() * level for level in LEVELS
    ]
    return float(np.sqrt(np.mean(squares)))
