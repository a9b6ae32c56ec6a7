"""Standardisation of numbers by what is known of a shower: mean and spread from its features."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Layout, TensorLayout

__all__ = ["Standardisation", "fit_standardisation"]

FARTHEST: Final = np.float32(8)
"""Standardised numbers are kept this close to zero, so that none rules a batch."""


class Standardisation(NamedTuple):
    """Mean and spread of numbers, each a linear function of features.

    Arguments:
        mean: Coefficients of the mean, shape (dim, features).
        log_spread: Coefficients of the logarithm of the standard deviation, shape (dim, features).
    """

    mean: Float32Array
    log_spread: Float32Array

    @classmethod
    def layout(cls, dim: int, features: int) -> Layout:
        """Layout of the coefficients."""
        return dict.fromkeys(cls._fields, TensorLayout.table(dim, features))

    def apply(self, values: Float32Array, features: Float32Array) -> Float32Array:
        """Standardised numbers, at most 8 from zero, shape (n, dim).

        Arguments:
            values: Shape (n, dim).
            features: Shape (n, dim, features), or (n, 1, features) for all numbers alike.
        """
        mean, spread = self._both(features)
        return np.asarray(np.clip((values - mean) / spread, -FARTHEST, FARTHEST), np.float32)

    def invert(self, values: Float32Array, features: Float32Array) -> Float32Array:
        """Numbers of standardised ones, shape (n, dim); the inverse of `apply`."""
        mean, spread = self._both(features)
        return values * spread + mean

    def _both(self, features: Float32Array) -> tuple[Float32Array, Float32Array]:
        mean = (features * self.mean).sum(axis=2)
        # A spread is bounded, however far outside the training showers a primary is.
        spread = np.exp(np.clip((features * self.log_spread).sum(axis=2), -7, 4))
        return mean.astype(np.float32), spread.astype(np.float32)


def fit_standardisation(values: Float32Array, features: Float32Array) -> Standardisation:
    """Standardisation by least squares of the numbers, then of the logarithm of their residuals.

    Arguments:
        values: Shape (n, dim).
        features: Shape (n, dim or 1, features).
    """
    dim, width = values.shape[1], features.shape[2]
    mean, log_spread = np.empty((dim, width)), np.empty((dim, width))
    for column in range(dim):
        own = features[:, min(column, features.shape[1] - 1)].astype(np.float64)
        gram = own.T @ own + 1e-6 * len(own) * np.eye(width)
        mean[column] = np.linalg.solve(gram, own.T @ values[:, column].astype(np.float64))
        residual = np.abs(values[:, column] - own @ mean[column]) + 1e-4
        log_spread[column] = np.linalg.solve(gram, own.T @ np.log(residual))
        # The first feature is 1: the residuals are given a mean square of 1.
        excess = residual * np.exp(-(own @ log_spread[column]))
        log_spread[column, 0] += np.log(np.sqrt(np.mean(excess**2)))
    return Standardisation(mean.astype(np.float32), log_spread.astype(np.float32))
