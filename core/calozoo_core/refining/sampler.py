"""Training showers drawn more often where the tails are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError
from calozoo_core.refining.observables import sampled
from calozoo_core.refining.tails import TailScore
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray

__all__ = ["LARGEST_NORMALISATION", "TailEnhancedSampler"]

LARGEST_NORMALISATION: Final = 1.5
"""Beyond that, undoing the enhancement throws away more than a third of what is generated."""


class TailEnhancedSampler:
    r"""Draws showers with weight K if they are in the outermost part f, and 1 if not.

    A model trained on such a sample makes too many showers of the tails, which a later correction
    thins out; too few it could not make up for. To undo it exactly, showers are kept with
    probability 1/g, g being their weight; that keeps a part 1/Z of them,

    .. math:: Z = 1 + (K - 1) f.

    Arguments:
        score: How far out each shower is, as `TailScore` says, shape (n,).
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
    def of(
        cls, showers: Showers, fraction: float = 0.02, boost: float = 10.0
    ) -> TailEnhancedSampler:
        """For training showers, which are their own reference.

        Raises:
            DetectorError: If no detector has their detector's name.
            InputError: If f is not within 0 and 1, K is below 1, or Z is above 1.5.
        """
        sample = sampled(_parts(showers), load_detector(showers.detector))
        return cls(TailScore(sample)(sample), fraction, boost)

    @property
    def normalisation(self) -> float:
        """Z, the mean weight of the showers there are."""
        return float(self.weights.mean())

    @property
    def acceptance(self) -> float:
        """Part of the drawn showers that is left when the enhancement is undone: 1 / Z."""
        return 1 / self.normalisation

    @property
    def ess(self) -> float:
        r"""Effective part of the drawn showers if they are weighted instead.

        .. math:: 1 / (Z \, [(1 - f) + f / K])
        """
        return 1 / (self.normalisation * float((1 / self.weights).mean()))

    def draw(self, random: np.random.Generator, n: int) -> NDArray[np.int64]:
        """Rows of n showers, drawn with replacement, shape (n,)."""
        place = random.random(n) * self._running[-1]
        rows = np.searchsorted(self._running, place, side="right")
        drawn: NDArray[np.int64] = np.minimum(rows, len(self.weights) - 1)
        return drawn

    def undone(self, rows: NDArray[np.int64]) -> FloatArray:
        """The weight that undoes the enhancement of each drawn row, 1 on average, shape (n,)."""
        undone: FloatArray = self.normalisation / self.weights[rows]
        return undone

    def is_kept(self, rows: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.bool_]:
        """Which of the drawn rows to keep, so that each shower is there as often as any other."""
        kept: NDArray[np.bool_] = random.random(len(rows)) < 1 / self.weights[rows]
        return kept


def _parts(showers: Showers) -> Iterator[Showers]:
    """A few at a time, as their points are copied several times over."""
    return (showers[start : start + 500] for start in range(0, len(showers), 500))
