"""Sampler of numbers from noise, by a transformer whose velocity is followed in few steps."""

from __future__ import annotations

from calozoo_core.nn.numpy_transformer import NumpyTransformer
from calozoo_core.nn.solvers import Solver, integrate
from calozoo_core.nn.standardisation import Standardisation
from calozoo_core.nn.transformer_config import TransformerConfig
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Arrays

__all__ = ["Flow", "FlowSampler"]


class Flow:
    """Flow of a network from noise to standardised numbers.

    Arguments:
        config: Sizes of the network.
        arrays: Tensors of the network, by name.
        solver: Solver of the differential equation.
        evaluations: How often the network is evaluated for a shower.
    """

    def __init__(
        self, config: TransformerConfig, arrays: Arrays, *, solver: Solver, evaluations: int
    ) -> None:
        self._network = NumpyTransformer(config, arrays)
        self._solver, self._evaluations = solver, evaluations

    def standardised(
        self, noise: Float32Array, condition: Float32Array, tokens: Float32Array | None = None
    ) -> Float32Array:
        """Standardised numbers, shape (n, tokens x patch_size)."""
        given = self._network.given(condition, tokens)

        def velocity(x: Float32Array, time: float) -> Float32Array:
            return self._network(x, time, given)

        config = self._network.config
        x = noise.reshape(len(noise), config.tokens, config.patch_size)
        return integrate(velocity, x, self._evaluations, self._solver).reshape(len(noise), -1)


class FlowSampler(Flow):
    """Flow whose numbers have a standardisation.

    Arguments:
        config: Sizes of the network.
        arrays: Tensors of the network, by name.
        scale: Standardisation.
        solver: Solver of the differential equation.
        evaluations: How often the network is evaluated for a shower.
    """

    def __init__(
        self,
        config: TransformerConfig,
        arrays: Arrays,
        scale: Standardisation,
        *,
        solver: Solver,
        evaluations: int,
    ) -> None:
        super().__init__(config, arrays, solver=solver, evaluations=evaluations)
        self.scale = scale
