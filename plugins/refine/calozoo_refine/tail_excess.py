"""Tail excess: how many generated showers lie beyond the quantiles of Geant4's tails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from calozoo_core.observables.tails import TAIL_OBSERVABLES, IncidentBins, TailSample
from calozoo_core.random import stream
from calozoo_core.typing import FloatArray, IntArray

__all__ = ["TAILS", "Tail", "TailExcesses", "min_showers", "tail_excess", "tail_excesses"]

RESAMPLES: Final = 200


@dataclass(frozen=True)
class Tail:
    """One side of the distribution of an observable.

    Arguments:
        observable: Name of the observable.
        side: Side of its distribution.
    """

    observable: str
    side: Literal["low", "high"]


TAILS: Final = tuple(
    Tail(o.name, side)
    for o in TAIL_OBSERVABLES
    for side in (("low", "high") if o.has_lower_tail else ("high",))
)
_COLUMNS: Final = [[o.name for o in TAIL_OBSERVABLES].index(tail.observable) for tail in TAILS]
_SIGNS: Final = np.array([1 if tail.side == "high" else -1 for tail in TAILS])


def min_showers(level: float) -> int:
    """Smallest number of reference showers in a bin of primaries for which a quantile is known."""
    return max(300, round(1.2 / level))


@dataclass(frozen=True, eq=False)
class TailExcesses:
    r"""Excess of a sample in each tail, with errors,

    .. math:: r_a = \frac{N(x > q_a)}{a N} - 1,

    q_a being the quantile of Geant4's showers of about the same energy and angle.

    Arguments:
        level: Part a of Geant4's showers that lies beyond the quantile.
        values: Excesses in the order of `TAILS`, shape (n_tails,).
        errors: Standard errors from a bootstrap of both samples by showers, shape (n_tails,).
        n_beyond: Number of generated showers in each tail, shape (n_tails,).
        rms_error: Standard error of `rms`.
    """

    level: float
    values: FloatArray
    errors: FloatArray
    n_beyond: IntArray
    rms_error: float

    @property
    def rms(self) -> float:
        """Root mean square of all excesses."""
        return float(np.sqrt((self.values**2).mean()))

    @property
    def expected_rms(self) -> float:
        """Root mean square expected for two samples of one distribution: that of the errors."""
        return float(np.sqrt((self.errors**2).mean()))


def tail_excess(
    reference: TailSample,
    generated: TailSample,
    level: float,
    weights: FloatArray | None = None,
) -> FloatArray:
    """Excess in each tail, in the order of `TAILS`, shape (n_tails,).

    Arguments:
        reference: Geant4's showers.
        generated: A model's showers, for equally distributed primaries.
        level: Part of Geant4's showers that lies beyond a quantile.
        weights: Weights of the generated showers, shape (n,); by default all 1.
    """
    bins = IncidentBins.with_population(reference.incident, min_showers(level))
    index = bins.index(reference.incident), bins.index(generated.incident)
    weights = np.ones(len(generated)) if weights is None else weights
    sides = _signed(reference.values), _signed(generated.values)
    return _excess(sides, index, weights, bins.n, level)


def tail_excesses(
    reference: TailSample, generated: TailSample, level: float, seed: int = 0
) -> TailExcesses:
    """Excess in each tail with its error.

    Arguments:
        reference: Geant4's showers.
        generated: A model's showers, for equally distributed primaries.
        level: Part of Geant4's showers that lies beyond a quantile.
        seed: Seed of the bootstrap.
    """
    bins = IncidentBins.with_population(reference.incident, min_showers(level))
    index = bins.index(reference.incident), bins.index(generated.incident)
    sides = _signed(reference.values), _signed(generated.values)
    weights = np.ones(len(generated))
    values = _excess(sides, index, weights, bins.n, level)
    drawn = np.array(
        [
            _excess(
                (sides[0][rows], sides[1][others]),
                (index[0][rows], index[1][others]),
                weights,
                bins.n,
                level,
            )
            for rows, others in _resamples(len(reference), len(generated), seed)
        ]
    )
    return TailExcesses(
        level=level,
        values=values,
        errors=drawn.std(axis=0),
        n_beyond=np.round((values + 1) * level * len(generated)).astype(np.int64),
        rms_error=float(np.sqrt((drawn**2).mean(axis=1)).std()),
    )


def _resamples(n: int, m: int, seed: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Bootstrap indices of n reference and m generated showers."""
    for k in range(RESAMPLES):
        random = stream(seed, k, "bootstrap")
        yield random.integers(n, size=n), random.integers(m, size=m)


def _signed(values: FloatArray) -> FloatArray:
    """Observable of each tail, negated where the tail is the lower one, shape (n, n_tails)."""
    signed: FloatArray = values[:, _COLUMNS] * _SIGNS
    return signed


def _excess(
    sides: tuple[FloatArray, FloatArray],
    index: tuple[IntArray, IntArray],
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
        # The definition of a quantile beyond which a new shower lies with this probability.
        cut = np.quantile(known, 1 - level, axis=0, method="weibull")
        beyond += weights[rows] @ (generated[rows] > cut)
        total += weights[rows].sum()
    values: FloatArray = beyond / (level * total) - 1
    return values
