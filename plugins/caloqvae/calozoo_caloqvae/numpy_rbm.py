"""Four-partite Boltzmann machine and its block Gibbs sampler, in numpy for generation."""

from __future__ import annotations

from typing import Final

import numpy as np

from calozoo_caloqvae.config import RbmConfig
from calozoo_caloqvae.graphs import PARTITIONS, FourPartiteGraph, four_partite_graph
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Arrays, Layout, TensorLayout

__all__ = ["NumpyRbm", "logistic", "rbm_layout"]

GRID: Final = 2.0**-12
"""Fields and couplings are multiples of this, so that their sums are exact in 32 bits."""

LARGEST: Final = 64.0
"""Largest field or coupling."""


def rbm_layout(config: RbmConfig) -> Layout:
    """Layout of the tensors of a Boltzmann machine."""
    return {
        "bias": TensorLayout((PARTITIONS * config.nodes,)),
        "coupling": TensorLayout((config.couplings,)),
    }


def logistic(uniform: Float32Array) -> Float32Array:
    """Numbers with a logistic distribution, of numbers that are uniform in [0, 1)."""
    above = np.maximum(uniform, np.float32(2.0**-25))
    return np.log(above) - np.log1p(-above)


class NumpyRbm:
    r"""Boltzmann machine of binary nodes in four partitions.

    .. math:: E(z) = -\sum_i b_i z_i - \sum_{(i, j)} W_{ij} z_i z_j, \quad p(z) \propto e^{-E(z)}

    The first partition is set; the others are sampled one after the other, each as a whole.

    Arguments:
        config: Its graph.
        arrays: Tensors of `rbm_layout`, by name.
    """

    def __init__(self, config: RbmConfig, arrays: Arrays) -> None:
        self.config = config
        self.graph: FourPartiteGraph = four_partite_graph(config.graph, config.size)
        #: Biases, shape (4 x nodes,).
        self.bias = _on_grid(arrays["bias"])
        #: Couplings of the edges of the graph, shape (edges,).
        self.coupling = _on_grid(arrays["coupling"])
        total = PARTITIONS * config.nodes
        weights = np.zeros((total, total), np.float32)
        first, second = self.graph.edges
        weights[first, second] = weights[second, first] = self.coupling
        self._weights = weights

    def fields(self, given: Float32Array) -> Float32Array:
        """Biases of the nodes that are not set, given those that are, shape (n, 3 x nodes).

        Arguments:
            given: States of the first partition, shape (n, nodes).
        """
        nodes = self.config.nodes
        fields: Float32Array = given @ self._weights[:nodes, nodes:] + self.bias[nodes:]
        return fields

    def gibbs(
        self, given: Float32Array, start: Float32Array, thresholds: Float32Array
    ) -> Float32Array:
        """States of the nodes that are not set, shape (n, 3 x nodes).

        The result does not depend on how many chains are sampled at once.

        Arguments:
            given: States of the first partition, shape (n, nodes).
            start: States of the others to begin with, shape (n, 3 x nodes).
            thresholds: Numbers with a logistic distribution for each node of each sweep, shape
                (n, sweeps, 3 x nodes).
        """
        nodes = self.config.nodes
        state, fields = start.copy(), self.fields(given)
        parts = [slice(first, first + nodes) for first in range(0, state.shape[1], nodes)]
        weights = [np.ascontiguousarray(self._weights[nodes:, nodes:][:, part]) for part in parts]
        for sweep in range(thresholds.shape[1]):
            for part, weight in zip(parts, weights, strict=True):
                field = state @ weight
                field += fields[:, part]
                state[:, part] = field > thresholds[:, sweep, part]
        return state

    def energy(self, given: Float32Array, latents: Float32Array) -> Float32Array:
        """Energies of states, shape (n,).

        Arguments:
            given: States of the first partition, shape (n, nodes).
            latents: States of the others, shape (n, 3 x nodes).
        """
        z = np.concatenate([given, latents], axis=1)
        energy: Float32Array = -(z @ self.bias) - 0.5 * ((z @ self._weights) * z).sum(axis=1)
        return energy


def _on_grid(values: Float32Array) -> Float32Array:
    """Numbers as multiples of the grid."""
    bounded = np.clip(values.astype(np.float64), -LARGEST, LARGEST)
    return np.asarray(np.round(bounded / GRID) * GRID, np.float32)
