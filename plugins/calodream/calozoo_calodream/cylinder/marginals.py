"""Distribution of the energy of each voxel on its own, given the energies of shower and layer.

A network that draws the place of an energy in this distribution, and not the energy, finds every
voxel right on average before it has learned anything, also the many that are mostly empty. What is
left to learn is how voxels hang together.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from calozoo_calodream.cylinder.encoding import EMPTY_LAYER_MEV, layer_condition
from calozoo_core.typing import Float32Array, FloatArray
from calozoo_core.weights.layout import Layout, TensorLayout

__all__ = ["FEATURES", "VoxelMarginals", "fit_marginals"]

FEATURES: Final = 8
"""Width of `_features`."""

LEVELS: Final = 8
"""Levels of the expected energy of a voxel, each with a shape of its own."""

KNOTS: Final = np.linspace(-3, 3, 13)
"""Normal numbers at which a shape is kept."""

RIDGE: Final = 1.0
"""Observations that the assumption of no dependence counts as."""

NEWTON_STEPS: Final = 12

FEWEST: Final = 20
"""Filled voxels without which a ring has the mean and spread of all rings of its layers."""

_GRID: Final = np.linspace(-8, 8, 1601)

_LOGITS: Final = np.array([math.log(math.erfc(-x / 2**0.5) / math.erfc(x / 2**0.5)) for x in _GRID])
"""Logits of the normal distribution function on the grid."""

_SMALLEST: Final = 1e-6
"""Probabilities are kept this far from 0 and 1."""


class VoxelMarginals(NamedTuple):
    """Probability that a voxel is filled, and the distribution of its logarithm if it is.

    Each is a function of features of shower and layer, the same for all sectors and, but for a term
    in the place of the layer, for the layers of a group. What the logarithm is from its mean, in
    units of its spread, has a distribution that depends on the mean alone.

    Arguments:
        filled: Coefficients of the logit of the probability, shape (groups, rings, features).
        mean: Of the mean of the logarithm of the energy in MeV, likewise.
        log_spread: Of the logarithm of its standard deviation, likewise.
        edges: Means between the levels, shape (levels - 1,).
        shape: Distances in units of the spread at normal numbers -3, -2.5, ... 3, for each level,
            shape (levels, 13).
    """

    filled: Float32Array
    mean: Float32Array
    log_spread: Float32Array
    edges: Float32Array
    shape: Float32Array

    @classmethod
    def layout(cls, groups: int, rings: int) -> Layout:
        """Layout of the coefficients."""
        return {
            **dict.fromkeys(cls._fields[:3], TensorLayout.table(groups, rings, FEATURES)),
            "edges": TensorLayout.table(LEVELS - 1),
            "shape": TensorLayout.table(LEVELS, len(KNOTS)),
        }

    def with_shapes(
        self, voxels: Float32Array, condition: Float32Array, layers: Float32Array
    ) -> VoxelMarginals:
        """The same with shapes fitted on voxels, as in `fit_marginals`."""
        _, mean, spread = self._parameters(condition, layers)
        filled = voxels > 0
        distance = ((np.log(np.where(filled, voxels, 1)) - mean) / spread)[filled]
        means = np.broadcast_to(mean, voxels.shape)[filled]
        edges = np.quantile(means, np.arange(1, LEVELS) / LEVELS)
        level, below = np.searchsorted(edges, means), _sigmoid(_logit_of_normal(KNOTS))
        shapes = np.array([np.quantile(distance[level == one], below) for one in range(LEVELS)])
        # Quantiles must grow, so that there is an inverse.
        shapes += 1e-3 * KNOTS
        return self._replace(edges=edges.astype(np.float32), shape=shapes.astype(np.float32))

    def places(
        self,
        voxels: Float32Array,
        condition: Float32Array,
        layers: Float32Array,
        uniform: Float32Array,
    ) -> Float32Array:
        """Places of voxels in their distributions, as numbers of mean 0 and spread 1.

        Arguments:
            voxels: In MeV, shape (n, layers, sectors, rings).
            condition: `energy_condition`, shape (n, 1).
            layers: Energies of the layers, in MeV, shape (n, layers).
            uniform: Between 0 and 1, the place of an empty voxel among empty ones, like voxels.

        Returns:
            Shape (n, layers, sectors, rings).
        """
        probability, mean, spread = self._parameters(condition, layers)
        above = 1 - (1 - probability) * uniform
        filled = voxels > 0
        probability, mean, spread = (
            np.broadcast_to(each, voxels.shape)[filled] for each in (probability, mean, spread)
        )
        z = self._shaped((np.log(voxels[filled]) - mean) / spread, mean, inverse=True)
        above[filled] = probability * _sigmoid(-_logit_of_normal(z))
        return np.asarray(_normal(-_logit(np.clip(above, _SMALLEST, 1 - _SMALLEST))), np.float32)

    def voxels(
        self, places: Float32Array, condition: Float32Array, layers: Float32Array
    ) -> Float32Array:
        """Energies of voxels, in MeV, which add up to those of their layers; empty ones 0.

        Arguments:
            places: From `places`, shape (n, layers, sectors, rings).
            condition: `energy_condition`, shape (n, 1).
            layers: Energies of the layers, in MeV, shape (n, layers).
        """
        probability, mean, spread = self._parameters(condition, layers)
        above = _sigmoid(-_logit_of_normal(places.astype(np.float64)))
        part = above / probability
        # Of a layer with energy the voxel that is nearest to being filled is.
        least = part.min(axis=(2, 3), keepdims=True)
        filled = (part < 1) | (part == least)
        normal = _normal(-_logit(np.clip(part[filled], _SMALLEST, 1 - _SMALLEST)))
        mean, spread = (np.broadcast_to(each, filled.shape)[filled] for each in (mean, spread))
        energy = np.zeros(filled.shape)
        energy[filled] = np.exp(self._shaped(normal, mean, inverse=False) * spread + mean)
        wanted = np.where(layers < EMPTY_LAYER_MEV, 0, layers)[:, :, None, None]
        scaled = energy * (wanted / energy.sum(axis=(2, 3), keepdims=True))
        return np.asarray(scaled, np.float32)

    def _shaped(self, values: FloatArray, mean: FloatArray, *, inverse: bool) -> FloatArray:
        """Distances from the mean of normal numbers, or the inverse; linear beyond the knots.

        Arguments:
            values: Shape (m,).
            mean: Mean of the logarithm, likewise.
            inverse: Normal numbers of distances.
        """
        level = np.searchsorted(self.edges, mean)
        result = np.empty(values.shape)
        for number, shape in enumerate(self.shape.astype(np.float64)):
            x, y = (shape, KNOTS) if inverse else (KNOTS, shape)
            chosen = level == number
            own = values[chosen]
            beyond = np.where(
                own < x[0],
                (own - x[0]) * (y[1] - y[0]) / (x[1] - x[0]),
                np.maximum(own - x[-1], 0) * (y[-1] - y[-2]) / (x[-1] - x[-2]),
            )
            result[chosen] = np.interp(own, x, y) + beyond
        return result

    def _parameters(
        self, condition: Float32Array, layers: Float32Array
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Probability, mean and spread, shape (n, layers, 1, rings) each."""
        groups = len(self.filled)
        features = _features(condition, layers, groups)
        filled, mean, log_spread = (
            np.einsum("ngkf,grf->ngkr", features, table.astype(np.float64)).reshape(
                *layers.shape, -1
            )[:, :, None]
            for table in self[:3]
        )
        probability = np.clip(_sigmoid(filled), _SMALLEST, 1 - _SMALLEST)
        return probability, mean, np.exp(np.clip(log_spread, -4, 1.5))


def fit_marginals(
    voxels: Float32Array, condition: Float32Array, layers: Float32Array, group: int
) -> VoxelMarginals:
    """Marginals of likeliest probabilities, and of least squares for means and spreads.

    Arguments:
        voxels: Geant4's, in MeV, shape (n, layers, sectors, rings).
        condition: `energy_condition`, shape (n, 1).
        layers: Energies of the layers, in MeV, shape (n, layers).
        group: Layers of a group.
    """
    n, n_layers, sectors, rings = voxels.shape
    groups = n_layers // group
    features = _features(condition, layers, groups)
    lit = (layers >= EMPTY_LAYER_MEV).reshape(n, groups, group)
    grouped = voxels.reshape(n, groups, group, sectors, rings)
    tables = np.zeros((3, groups, rings, FEATURES))
    for at in range(groups):
        rows = lit[:, at]
        own, energies = features[:, at][rows], grouped[:, at][rows]
        every = energies.reshape(len(energies), sectors * rings)
        whole = _logarithms(own, every) if np.count_nonzero(every) >= FEWEST else None
        for ring in range(rings):
            some = energies[:, :, ring]
            tables[0, at, ring] = _logistic(own, (some > 0).sum(axis=1), sectors)
            found = _logarithms(own, some) if np.count_nonzero(some) >= FEWEST else whole
            if found is not None:
                tables[1:, at, ring] = found
    straight = VoxelMarginals(
        filled=tables[0].astype(np.float32),
        mean=tables[1].astype(np.float32),
        log_spread=tables[2].astype(np.float32),
        edges=np.zeros(LEVELS - 1, np.float32),
        shape=np.tile(KNOTS.astype(np.float32), (LEVELS, 1)),
    )
    return straight.with_shapes(voxels, condition, layers)


def _features(condition: Float32Array, layers: Float32Array, groups: int) -> FloatArray:
    """Features of shower and layer, shape (n, groups, layers of a group, 8)."""
    log = layer_condition(layers).astype(np.float64)
    energy = np.broadcast_to(condition, log.shape)
    size = log.shape[1] // groups
    place = np.broadcast_to(np.tile(np.arange(size) - (size - 1) / 2, groups), log.shape)
    one = np.ones_like(log)
    columns = (one, log, log**2, log**3, energy, energy**2, energy * log, place)
    return np.stack(columns, axis=2).reshape(len(log), groups, size, FEATURES)


def _logarithms(features: FloatArray, energies: Float32Array) -> tuple[FloatArray, FloatArray]:
    """Coefficients of mean and logarithmic spread of the logarithm of filled voxels.

    Arguments:
        features: Shape (m, features).
        energies: In MeV, shape (m, voxels).
    """
    row, column = np.nonzero(energies)
    own, log = features[row], np.log(energies[row, column].astype(np.float64))
    gram = own.T @ own + RIDGE * np.diag([0.01, *np.ones(FEATURES - 1)])
    mean = np.linalg.solve(gram, own.T @ log)
    residual = np.abs(log - own @ mean) + 1e-3
    spread = np.linalg.solve(gram, own.T @ np.log(residual))
    spread[0] += np.log(np.sqrt(np.mean((residual * np.exp(-(own @ spread))) ** 2)))
    return np.asarray(mean), np.asarray(spread)


def _logistic(features: FloatArray, filled: FloatArray, trials: int) -> FloatArray:
    """Likeliest coefficients of the logit of a probability, by Newton's method.

    Arguments:
        features: Shape (m, features).
        filled: Number of filled voxels, shape (m,).
        trials: Number of voxels of a row.
    """
    ridge = RIDGE * np.diag([0.01, *np.ones(FEATURES - 1)])
    share = (filled.sum() + 0.5) / (trials * len(filled) + 1)
    found = np.zeros(FEATURES)
    found[0] = _logit(share)

    def likelihood(coefficients: FloatArray) -> float:
        logit = features @ coefficients
        penalty = coefficients @ ridge @ coefficients / 2
        return float(filled @ logit - trials * np.logaddexp(0, logit).sum() - penalty)

    for _ in range(NEWTON_STEPS):
        probability = _sigmoid(features @ found)
        gradient = features.T @ (filled - trials * probability) - ridge @ found
        weight = trials * probability * (1 - probability)
        step = np.linalg.solve((features * weight[:, None]).T @ features + ridge, gradient)
        before = likelihood(found)
        while likelihood(found + step) < before and np.abs(step).max() > _SMALLEST:
            step /= 2
        found = found + step
    return found


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60, 60))))


def _logit_of_normal(x: FloatArray) -> FloatArray:
    """Logit of the normal distribution function; constant beyond 8."""
    return np.asarray(np.interp(x, _GRID, _LOGITS))


def _normal(logit: FloatArray) -> FloatArray:
    """Normal number of a logit: the inverse of `_logit_of_normal`."""
    return np.asarray(np.interp(logit, _LOGITS, _GRID))


def _logit(p: FloatArray) -> FloatArray:
    return np.asarray(np.log(p) - np.log1p(-p))
