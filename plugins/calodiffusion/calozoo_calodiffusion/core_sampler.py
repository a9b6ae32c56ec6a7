"""Sampler of the energies of a shower's core: layers by a flow, their rings by diffusion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calozoo_calodiffusion.config import CaloDiffusionConfig, UnetConfig
from calozoo_calodiffusion.numpy_unet import NumpyUnet, unet_layout
from calozoo_core.clumps.core_encoding import layer_condition
from calozoo_core.clumps.core_sampler import CoreSampler, rings_of_layers, tables_layout
from calozoo_core.nn.numpy_edm import EdmSolver, sample
from calozoo_core.nn.numpy_transformer import transformer_layout
from calozoo_core.nn.standardisation import Standardisation
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Arrays, Layout, prefixed
from calozoo_core.weights.trained_arrays import TrainedArrays

__all__ = ["ShapeSampler", "core_layout", "core_sampler"]


def core_layout(config: CaloDiffusionConfig) -> Layout:
    """Layout of the tensors of the model."""
    return (
        prefixed("energies", transformer_layout(config.energies))
        | prefixed("shape", unet_layout(config.shape))
        | tables_layout(config.layers, config.rings)
    )


class ShapeSampler:
    """Sampler of how the energy of a layer divides among its rings.

    Arguments:
        config: Sizes of the network.
        arrays: Tensors of the network, by name.
        scale: Standardisation.
        solver: Solver of the diffusion.
        evaluations: How often the network is evaluated for a shower.
    """

    def __init__(
        self,
        config: UnetConfig,
        arrays: Arrays,
        scale: Standardisation,
        *,
        solver: EdmSolver,
        evaluations: int,
    ) -> None:
        self._network = NumpyUnet(config, arrays)
        self._scale, self._solver, self._evaluations = scale, solver, evaluations

    def __call__(
        self,
        noise: Float32Array,
        condition: Float32Array,
        layers: Float32Array,
        streams: Sequence[np.random.Generator],
    ) -> Float32Array:
        """Energies of rings, in MeV, shape (n, layers, rings).

        Arguments:
            noise: Standard normal, shape (n, layers x rings).
            condition: `primary_condition`, shape (n, 4).
            layers: Energies of the layers, in MeV, shape (n, layers).
            streams: Random numbers of each shower, beside the noise; none are needed.
        """
        grid, n = self._network.config.grid, len(noise)
        logs = layer_condition(layers)
        given = self._network.given(np.concatenate([condition, logs], axis=1))
        images = np.broadcast_to(logs[:, :, None, None, None], (n, *grid, 1))

        def network(x: Float32Array, time: float) -> Float32Array:
            return self._network(x, time, given, images)

        drawn = sample(network, noise.reshape(n, *grid), self._evaluations, self._solver)
        return rings_of_layers(drawn.reshape(noise.shape), self._scale, condition, logs, layers)


def core_sampler(trained: TrainedArrays[CaloDiffusionConfig], evaluations: int) -> CoreSampler:
    """Sampler of the energies of the core.

    Arguments:
        trained: Configuration and arrays of the model.
        evaluations: Evaluations of the diffusion's network for a shower.
    """
    config = trained.config
    rings = ShapeSampler(
        config.shape,
        trained.part("shape"),
        trained.table(Standardisation, "shape_scale"),
        solver=config.solver,
        evaluations=evaluations,
    )
    return CoreSampler.of_trained(
        trained, rings, solver=config.energy_solver, evaluations=config.energy_steps
    )
