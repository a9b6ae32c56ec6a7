"""Divergences between two histograms: Jensen-Shannon, separation power."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from calozoo_core.errors import InputError
from calozoo_core.typing import FloatArray

__all__ = [
    "EPSILON",
    "checkpoint_metrics",
    "js_divergence",
    "mean_separation_power",
    "quantile_divergence",
    "separation_power",
]

EPSILON = 1e-10
"""Content of an empty bin of a normalised histogram, instead of 0 (CaloClouds3, section 4.2)."""


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
    p, q = (_filled(contents) for contents in _normalised(counts, reference))
    m = (p + q) / 2
    divergence = (p * np.log(p / m)).sum() / 2 + (q * np.log(q / m)).sum() / 2
    return float(max(0.0, divergence))


def quantile_divergence(values: ArrayLike, reference: ArrayLike, bins: int = 20) -> float:
    """Jensen-Shannon divergence of two samples of a number, in nats.

    Its bins lie between quantiles of the reference, so that each has as many entries of it.

    Arguments:
        values: Sample, shape (n,).
        reference: Reference sample, shape (m,).
        bins: Number of bins.

    Example:
        >>> quantile_divergence([1, 2, 3, 4], [1, 2, 3, 4], bins=2)
        0.0
    """
    sample, truth = np.asarray(values), np.asarray(reference)
    edges = np.quantile(truth, np.linspace(0, 1, bins + 1))
    edges[0], edges[-1] = -np.inf, np.inf
    return js_divergence(np.histogram(sample, edges)[0], np.histogram(truth, edges)[0])


def checkpoint_metrics(
    good: Mapping[str, float],
    histograms: tuple[Mapping[str, ArrayLike], Mapping[str, ArrayLike]],
    samples: tuple[Mapping[str, ArrayLike], Mapping[str, ArrayLike]] = ({}, {}),
    **others: float,
) -> dict[str, float]:
    """Metrics that a training chooses its checkpoint by, and their sum as `score`.

    In the score each metric is in units of a good value, so that none dominates.

    Arguments:
        good: Good value of each metric, by name.
        histograms: Generated and reference histograms, compared by `js_divergence`.
        samples: Generated and reference values, one a shower, compared by `quantile_divergence`.
        others: Further metrics.

    Example:
        >>> checkpoint_metrics({"layers": 0.1}, ({"layers": [1, 0]}, {"layers": [2, 0]}))
        {'layers': 0.0, 'score': 0.0}
    """
    metrics = {name: js_divergence(h, histograms[1][name]) for name, h in histograms[0].items()}
    for name, values in samples[0].items():
        metrics[name] = quantile_divergence(values, samples[1][name])
    metrics |= others
    return metrics | {"score": sum(value / good[name] for name, value in metrics.items())}


def separation_power(counts: ArrayLike, reference: ArrayLike) -> float:
    r"""Separation power of two histograms, from 0 (identical) to 1 (no bin in common).

    .. math:: S = \tfrac12 \sum_i (p_i - q_i)^2 / (p_i + q_i)

    References:
        | Diefenbacher et al., DCTRGAN, equation 15: https://arxiv.org/abs/2009.03796
        | CaloChallenge: https://arxiv.org/abs/2410.21611

    Arguments:
        counts: Contents of the bins, not negative, any shape.
        reference: Contents of the same bins.

    Raises:
        InputError: If the shapes differ, a content is negative or not finite, or a histogram is
            empty.

    Example:
        >>> separation_power([1, 1], [1, 0])
        0.3333333333333333
    """
    p, q = _normalised(counts, reference)
    return float(_power_terms(p, q).sum() / 2)


def mean_separation_power(counts: FloatArray, reference: FloatArray) -> float:
    """Mean of the separation powers of several histograms of as many bins.

    Arguments:
        counts: Contents, a row a histogram, none of them empty, shape (n, bins).
        reference: Likewise.

    Example:
        >>> mean_separation_power(np.array([[1, 1], [1, 0]]), np.array([[1, 0], [1, 0]]))
        0.16666666666666666
    """
    p, q = (contents / contents.sum(axis=1, keepdims=True) for contents in (counts, reference))
    return float(_power_terms(p, q).sum(axis=1).mean() / 2)


def _power_terms(p: FloatArray, q: FloatArray) -> FloatArray:
    both = p + q
    return np.divide((p - q) ** 2, both, out=np.zeros(both.shape), where=both > 0)


def _normalised(counts: ArrayLike, reference: ArrayLike) -> tuple[FloatArray, FloatArray]:
    p, q = np.asarray(counts, np.float64), np.asarray(reference, np.float64)
    if p.shape != q.shape:  # numpy would stretch one over the other
        msg = f"Histograms of shapes {p.shape} and {q.shape} cannot be compared."
        raise InputError(msg)
    return _of_sum_one(p), _of_sum_one(q)


def _of_sum_one(contents: FloatArray) -> FloatArray:
    if not np.all(np.isfinite(contents)) or np.any(contents < 0) or not np.any(contents):
        msg = "A histogram must have finite contents, none negative and not all zero."
        raise InputError(msg)
    scaled = contents / contents.max()  # so that no sum overflows
    normalised: FloatArray = scaled / scaled.sum()
    return normalised


def _filled(normalised: FloatArray) -> FloatArray:
    filled = np.where(normalised == 0, EPSILON, normalised)
    again: FloatArray = filled / filled.sum()
    return again
