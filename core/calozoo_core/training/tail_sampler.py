"""Sampling of training showers in which those of the tails come more often."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError
from calozoo_core.observables.tails import TailSample, TailScore
from calozoo_core.showers import Showers
from calozoo_core.typing import BoolArray, FloatArray, IntArray

__all__ = ["LARGEST_NORMALISATION", "TailEnhancedSampler"]

LARGEST_NORMALISATION: Final = 1.5
"""Largest Z. Beyond it, undoing the enhancement rejects more than a third of the showers."""


class TailEnhancedSampler:
    r"""Random draws of showers with weight K in the outermost part f, and with weight 1 elsewhere.

    A model trained on such a sample makes too many showers in the tails, which a later correction
    can thin out; it could not add what is missing. To undo the enhancement exactly, showers are
    kept with probability 1/g, g being their weight; that keeps a part 1/Z of them,

    .. math:: Z = 1 + (K - 1) f.

    Arguments:
        score: `TailScore` of each shower, shape (n,).
        fraction: The outermost part f.
        boost: The weight K.

    Raises:
        InputError: If f is not within 0 and 1, K is below 1, or Z is above 1.5.

    Example:
        >>> sampler = TailEnhancedSampler(np.arange(100), fraction=0.02, boost=10)
        >>> round(sampler.normalisation, 6), round(sampler.acceptance, 2), round(sampler.ess, 2)
        (1.18, 0.85, 0.86)
        >>> sampler.weights[[0, 97, 98, 99]].tolist()
        [1.0, 1.0, 10.0, 10.0]
    """

    def __init__(self, score: ArrayLike, fraction: float = 0.02, boost: float = 10.0) -> None:
        scores = np.asarray(score, np.float64)
        if not 0 < fraction < 1 or not boost >= 1:
            msg = (
                f"The outermost {fraction:g} of the showers cannot be drawn {boost:g} times as "
                "often; give a fraction between 0 and 1 and a boost of 1 or more."
            )
            raise InputError(msg)
        normalisation = 1 + (boost - 1) * fraction
        if normalisation > LARGEST_NORMALISATION:
            largest = 1 + (LARGEST_NORMALISATION - 1) / fraction
            msg = (
                f"A boost of {boost:g} for the outermost {fraction:g} makes a sample "
                f"{normalisation:.3g} times as heavy, and {LARGEST_NORMALISATION:g} is the most; "
                f"give a boost of {largest:.3g} or less."
            )
            raise InputError(msg)
        # By order and not by a threshold, so that equal scores do not make the part larger.
        outer = np.argsort(scores, kind="stable")[len(scores) - round(fraction * len(scores)) :]
        self.boost = boost
        self.weights: FloatArray = np.ones(len(scores))
        self.weights[outer] = boost
        self._running = np.cumsum(self.weights)

    @classmethod
    def from_showers(
        cls, showers: Showers, fraction: float = 0.02, boost: float = 10.0
    ) -> TailEnhancedSampler:
        """Sampler of training showers, which are their own reference.

        Raises:
            DetectorError: If no detector has their detector's name.
            InputError: If f is not within 0 and 1, K is below 1, or Z is above 1.5.
        """
        sample = TailSample.from_showers(_batches(showers), load_detector(showers.detector))
        return cls(TailScore(sample)(sample), fraction, boost)

    @property
    def normalisation(self) -> float:
        """Mean weight of the showers, Z."""
        return float(self.weights.mean())

    @property
    def acceptance(self) -> float:
        """Part of the drawn showers that is kept when the enhancement is undone, 1 / Z."""
        return 1 / self.normalisation

    @property
    def ess(self) -> float:
        r"""Effective sample size per drawn shower if they are weighted instead of rejected.

        .. math:: 1 / (Z \, [(1 - f) + f / K])
        """
        return 1 / (self.normalisation * float((1 / self.weights).mean()))

    def draw(self, random: np.random.Generator, n: int) -> IntArray:
        """Indices of n showers, drawn with replacement, shape (n,)."""
        place = random.random(n) * self._running[-1]
        rows = np.searchsorted(self._running, place, side="right")
        drawn: IntArray = np.minimum(rows, len(self.weights) - 1)
        return drawn

    def inverse_weights(self, rows: IntArray) -> FloatArray:
        """Weights that undo the enhancement of drawn showers, 1 on average, shape (n,)."""
        inverse: FloatArray = self.normalisation / self.weights[rows]
        return inverse

    def is_kept(self, rows: IntArray, random: np.random.Generator) -> BoolArray:
        """Random mask of drawn showers to keep, so that the enhancement is undone, shape (n,)."""
        kept: BoolArray = random.random(len(rows)) < 1 / self.weights[rows]
        return kept


def _batches(showers: Showers) -> Iterator[Showers]:
    """Small batches, since the points are copied several times."""
    return (showers[start : start + 500] for start in range(0, len(showers), 500))
