"""Errors and noise floors of a figure, from blocks of showers that were summed apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.random import stream

__all__ = ["SPLITS", "halves", "jackknife_error", "scaled_floor"]

SPLITS: Final = 10
"""Ways of cutting the reference in two, over whose distances the floor is averaged."""

Rows = NDArray[np.bool_]


def jackknife_error(figure: Callable[[Rows], float], n_blocks: int) -> float:
    r"""Standard error of a figure of one sample, by leaving out one block at a time.

    .. math:: \sigma^2 = \frac{K - 1}{K} \sum_k (f_{(k)} - \bar f)^2

    The blocks must hold about as many showers each, and be a random choice of them. Of two
    independent samples, the errors of a figure due to one and to the other add in squares.

    Arguments:
        figure: The figure of the blocks that are set, shape (n_blocks,).
        n_blocks: How many there are.

    References:
        | Efron, The jackknife, the bootstrap and other resampling plans (SIAM, 1982), chapter 3

    Example:
        >>> blocks = np.arange(9.0)  # of a mean, it is the standard error of the mean
        >>> jackknife_error(lambda rows: blocks[rows].mean(), 9)
        0.9128709291752769
        >>> float(blocks.std(ddof=1)) / 3
        0.9128709291752769
    """
    without = np.array([figure(np.arange(n_blocks) != k) for k in range(n_blocks)])
    return float(np.sqrt((n_blocks - 1) * without.var()))


def halves(n_blocks: int) -> Iterator[tuple[Rows, Rows]]:
    """The blocks cut into two halves at random, ten times, the same way every time.

    Example:
        >>> one, other = next(halves(4))
        >>> one.sum(), bool((one ^ other).all())
        (np.int64(2), True)
    """
    for split in range(SPLITS):
        first = stream(0, split, "halves").permutation(n_blocks) < n_blocks // 2
        yield first, ~first


def scaled_floor(
    half_floor: float, n_reference: int, n_generated: int, *, power: float = 1.0
) -> float:
    """Noise floor: the distance between two samples of one law, from that of two halves of one.

    A divergence or separation is of second order in the differences between bins, and between
    samples of n and m showers goes as 1/n + 1/m. A distance of first order (L1, the Frobenius
    distance) goes as the root of that: `power` 1/2.

    Arguments:
        half_floor: Measured between two halves of the reference.
        n_reference: Showers in the reference.
        n_generated: Showers in the other sample.
        power: Of 1/n + 1/m.

    Example:
        >>> scaled_floor(0.4, n_reference=1000, n_generated=1000)  # whole against whole
        0.2
    """
    n, m = max(n_reference, 1), max(n_generated, 1)
    return float(half_floor * ((1 / n + 1 / m) * n / 4) ** power)
