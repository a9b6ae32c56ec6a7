"""How many showers lie beyond the quantiles where Geant4's tails begin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from calozoo_core.random import stream
from calozoo_core.refining.observables import OBSERVABLES, Sample
from calozoo_core.refining.tails import PrimaryBins
from calozoo_core.typing import FloatArray

__all__ = ["LEVELS", "TAILS", "Excesses", "Tail", "excess", "excesses", "fewest"]

LEVELS: Final = (1e-2, 1e-3)

RESAMPLES: Final = 200


@dataclass(frozen=True)
class Tail:
    """One side of one observable.

    Arguments:
        observable: Its name.
        side: Which.
    """

    observable: str
    side: Literal["low", "high"]


TAILS: Final = tuple(
    Tail(o.name, side)
    for o in OBSERVABLES
    for side in (("low", "high") if o.has_lower_tail else ("high",))
)
_COLUMNS: Final = [[o.name for o in OBSERVABLES].index(tail.observable) for tail in TAILS]
_SIGNS: Final = np.array([1 if tail.side == "high" else -1 for tail in TAILS])


def fewest(level: float) -> int:
    """Reference showers that must be in a bin of primaries for its outer part to hold one."""
    return max(300, round(1.2 / level))


@dataclass(frozen=True, eq=False)
class Excesses:
    r"""The excess of a sample in each tail,

    .. math:: r_a = \frac{N(x > q_a)}{a N} - 1,

    q_a being the quantile of Geant4's showers of about the same energy and angle.

    Arguments:
        level: a, the part of Geant4's showers that lies beyond.
        values: In the order of `TAILS`, shape (n_tails,).
        errors: Their standard errors, of both samples, from a bootstrap by showers.
        beyond: Generated showers in each tail.
        of_rms: Standard error of the root mean square of the values.
    """

    level: float
    values: FloatArray
    errors: FloatArray
    beyond: NDArray[np.int64]
    of_rms: float

    @property
    def rms(self) -> float:
        """Of all tails."""
        return float(np.sqrt((self.values**2).mean()))

    @property
    def chance(self) -> float:
        """What the rms would be for two samples of one law: that of the errors."""
        return float(np.sqrt((self.errors**2).mean()))


def excess(
    reference: Sample, generated: Sample, level: float, weights: FloatArray | None = None
) -> FloatArray:
    """The excess in each tail, in the order of `TAILS`.

    Arguments:
        reference: Geant4's showers.
        generated: A model's, of primaries with the same distribution.
        level: Part of Geant4's showers that lies beyond a quantile.
        weights: Of the generated showers; by default all 1.
    """
    bins = PrimaryBins.of(reference.incident, fewest(level))
    theirs, mine = bins.index(reference.incident), bins.index(generated.incident)
    every = np.ones(len(generated)) if weights is None else weights
    sides = _signed(reference.values), _signed(generated.values)
    return _excess(sides, (theirs, mine), every, bins.n, level)


def excesses(reference: Sample, generated: Sample, level: float, seed: int = 0) -> Excesses:
    """The excess in each tail with its error.

    Arguments:
        reference: Geant4's showers.
        generated: A model's, of primaries with the same distribution.
        level: Part of Geant4's showers that lies beyond a quantile.
        seed: Of the bootstrap.
    """
    bins = PrimaryBins.of(reference.incident, fewest(level))
    index = bins.index(reference.incident), bins.index(generated.incident)
    sides = _signed(reference.values), _signed(generated.values)
    every = np.ones(len(generated))
    values = _excess(sides, index, every, bins.n, level)
    drawn = np.array(
        [
            _excess(
                (sides[0][rows], sides[1][others]),
                (index[0][rows], index[1][others]),
                every,
                bins.n,
                level,
            )
            for rows, others in _resampled(len(reference), len(generated), seed)
        ]
    )
    return Excesses(
        level=level,
        values=values,
        errors=drawn.std(axis=0),
        beyond=np.round((values + 1) * level * len(generated)).astype(np.int64),
        of_rms=float(np.sqrt((drawn**2).mean(axis=1)).std()),
    )


def _resampled(n: int, m: int, seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    for k in range(RESAMPLES):
        random = stream(seed, k, "bootstrap")
        yield random.integers(n, size=n), random.integers(m, size=m)


def _signed(values: FloatArray) -> FloatArray:
    """The observable of each tail, turned round where the tail is the lower one."""
    signed: FloatArray = values[:, _COLUMNS] * _SIGNS
    return signed


def _excess(
    sides: tuple[FloatArray, FloatArray],
    index: tuple[NDArray[np.int64], NDArray[np.int64]],
    weights: FloatArray,
    n_bins: int,
    level: float,
) -> FloatArray:
    (reference, generated), (theirs, mine) = sides, index
    beyond, total = np.zeros(len(TAILS)), 0.0
    for k in range(n_bins):
        rows = mine == k
        known = reference[theirs == k]
        if len(known) == 0:
            continue
        # Of the quantiles there are, the one beyond which a new shower lies with this chance.
        cut = np.quantile(known, 1 - level, axis=0, method="weibull")
        beyond += weights[rows] @ (generated[rows] > cut)
        total += weights[rows].sum()
    values: FloatArray = beyond / (level * total) - 1
    return values
