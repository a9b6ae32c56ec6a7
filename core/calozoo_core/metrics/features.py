"""Distances between two samples in features of their showers, all at once: FPD and KPD."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import InputError
from calozoo_core.random import stream
from calozoo_core.typing import FloatArray

__all__ = ["FEWEST_SHOWERS", "frechet_distance", "kernel_distance"]

FEWEST_SHOWERS: Final = 1000
"""Fewer do not say what the covariance of some eighty features is."""

MOST_SHOWERS: Final = 50_000

SIZES: Final = 10

RESAMPLES: Final = 20

KERNEL_BATCHES: Final = 10

KERNEL_SIZE: Final = 5000

DEGREE: Final = 4


def frechet_distance(
    generated: NDArray[np.floating], reference: NDArray[np.floating], *, seed: int = 0
) -> tuple[float, float]:
    r"""Fréchet physics distance (FPD): between Gaussians with the samples' means and covariances.

    .. math:: |\mu - \nu|^2 + \mathrm{Tr}(\Sigma + T - 2 \sqrt{\Sigma T})

    Features are divided by the reference's largest. The distance is taken at ten sizes N from a
    fifth of the showers to all of them, evenly spaced in 1/N, each the mean of 20 draws with
    replacement; a straight line in 1/N gives its limit. As the draws repeat showers, a bias of the
    order of 1/n stays: it belongs beside the same distance between reference and reference.

    Arguments:
        generated: A row a shower, shape (n, n_features).
        reference: Likewise.
        seed: Of the draws.

    Returns:
        The limit, not below 0, and the error of the fit.

    Raises:
        InputError: If there are fewer than 1,000 showers, or the features differ.

    References:
        | Kansal et al., Evaluating generative models in high energy physics:
          https://arxiv.org/abs/2211.10295
    """
    mine, theirs = _scaled(generated, reference)
    most = min(len(mine), len(theirs), MOST_SHOWERS)
    sizes = (1 / np.linspace(5 / most, 1 / most, SIZES)).round().astype(np.int64)
    rng = stream(seed, 0, "frechet")
    distances = [
        np.mean(
            [
                _frechet(
                    mine[rng.integers(len(mine), size=n)], theirs[rng.integers(len(theirs), size=n)]
                )
                for _ in range(RESAMPLES)
            ]
        )
        for n in sizes
    ]
    (_, limit), covariance = np.polyfit(1 / sizes, distances, 1, cov=True)
    return max(float(limit), 0.0), float(np.sqrt(covariance[1, 1]))


def kernel_distance(
    generated: NDArray[np.floating], reference: NDArray[np.floating], *, seed: int = 0
) -> tuple[float, float]:
    r"""Kernel physics distance (KPD): the squared maximum mean discrepancy, without bias.

    The kernel is :math:`(x \cdot y / d + 1)^4`. Features are divided by the reference's largest.
    The value is the median of ten batches of up to 5,000 showers; it can be a little below 0.

    Arguments:
        generated: A row a shower, shape (n, n_features).
        reference: Likewise.
        seed: Of the batches.

    Returns:
        The median, and half the range that holds the middle 68 % of the batches.

    Raises:
        InputError: If there are fewer than 1,000 showers, or the features differ.

    References:
        | Kansal et al., Evaluating generative models in high energy physics:
          https://arxiv.org/abs/2211.10295
    """
    mine, theirs = _scaled(generated, reference)
    # Half of the showers at most, so that batches of a small sample are not all the same.
    size = min(KERNEL_SIZE, len(mine) // 2, len(theirs) // 2)
    rng = stream(seed, 0, "kernel")
    values = [
        _discrepancy(
            mine[rng.choice(len(mine), size, replace=False)],
            theirs[rng.choice(len(theirs), size, replace=False)],
        )
        for _ in range(KERNEL_BATCHES)
    ]
    low, median, high = np.quantile(values, [0.16, 0.5, 0.84])
    return float(median), float(high - low) / 2


def _scaled(
    generated: NDArray[np.floating], reference: NDArray[np.floating]
) -> tuple[FloatArray, FloatArray]:
    if generated.ndim != 2 or generated.shape[1:] != reference.shape[1:]:
        msg = (
            f"Features of shapes {generated.shape} and {reference.shape} cannot be compared; "
            "give the same columns for both samples."
        )
        raise InputError(msg)
    fewest = min(len(generated), len(reference))
    if fewest < FEWEST_SHOWERS:
        msg = f"{fewest} showers are too few for this distance; give at least {FEWEST_SHOWERS}."
        raise InputError(msg)
    largest = np.abs(reference).max(axis=0).astype(np.float64)
    scale = np.where(largest > 0, largest, 1)
    return generated / scale, reference / scale


def _frechet(one: FloatArray, other: FloatArray) -> float:
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    # The eigenvalues of root second root are those of first second, and cannot be complex.
    product = np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)
    shift = one.mean(axis=0) - other.mean(axis=0)
    spread = np.trace(first) + np.trace(second) - 2 * np.sqrt(product).sum()
    return float(shift @ shift + spread)


def _discrepancy(one: FloatArray, other: FloatArray) -> float:
    n = len(one)
    first, second, mixed = (
        (a @ b.T / one.shape[1] + 1) ** DEGREE
        for a, b in ((one, one), (other, other), (one, other))
    )
    within = (first.sum() - np.trace(first) + second.sum() - np.trace(second)) / (n * (n - 1))
    return float(within - 2 * mixed.mean())
