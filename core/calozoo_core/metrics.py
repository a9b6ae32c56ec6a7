"""How far two samples are from each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calozoo_core.errors import InputError

__all__ = ["EPSILON", "js_divergence"]

EPSILON = 1e-10
"""What an empty bin of a normalised histogram holds instead of 0 (CaloClouds3, section 4.2)."""


def js_divergence(counts: ArrayLike, reference: ArrayLike) -> float:
    r"""Jensen-Shannon divergence of two histograms, in nats.

    .. math:: \mathrm{JSD}(P, Q) = \tfrac12 \mathrm{KL}(P|M) + \tfrac12 \mathrm{KL}(Q|M),
        \quad M = \tfrac12 (P + Q)

    It is the divergence, not its square root, and lies between 0 and ln 2. Both papers of
    CaloClouds3 print divergences, although one calls them distances.

    References:
        | CaloClouds3, section 4.2: https://arxiv.org/abs/2511.01460

    Arguments:
        counts: Contents of the bins, not negative, any shape.
        reference: Contents of the same bins.

    Raises:
        InputError: If the shapes differ, a content is negative or not finite, or a histogram is
            empty.

    Example:
        >>> js_divergence([1, 2, 3], [2, 4, 6])
        0.0
        >>> round(js_divergence([1, 0], [0, 1]), 6)  # ln 2
        0.693147
    """
    p, q = _normalised(counts), _normalised(reference)
    if p.shape != q.shape:  # numpy would stretch one over the other
        msg = f"Histograms of shapes {p.shape} and {q.shape} cannot be compared."
        raise InputError(msg)
    m = (p + q) / 2
    return float(max(0.0, (p * np.log(p / m)).sum() / 2 + (q * np.log(q / m)).sum() / 2))


def _normalised(counts: ArrayLike) -> NDArray[np.float64]:
    filled = np.asarray(counts, dtype=np.float64)
    if not np.all(np.isfinite(filled)) or np.any(filled < 0) or not np.any(filled):
        msg = "A histogram must have finite contents, none negative and not all zero."
        raise InputError(msg)
    filled = filled / filled.max()  # so that no sum overflows
    filled = np.where(filled == 0, EPSILON, filled / filled.sum())
    normalised: NDArray[np.float64] = filled / filled.sum()
    return normalised
