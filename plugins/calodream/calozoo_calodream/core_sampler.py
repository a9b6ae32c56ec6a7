"""Samplers of the energies of a shower's core, from the two networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from calozoo_calodream.config import CaloDreamConfig
from calozoo_core.clumps.core_encoding import layer_condition
from calozoo_core.clumps.core_sampler import CoreSampler, rings_of_layers, tables_layout
from calozoo_core.nn.flow_sampler import FlowSampler
from calozoo_core.nn.numpy_transformer import transformer_layout
from calozoo_core.nn.standardisation import Standardisation
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Layout, prefixed
from calozoo_core.weights.trained_arrays import TrainedArrays

__all__ = ["ShapeSampler", "core_layout", "core_sampler"]


def core_layout(config: CaloDreamConfig) -> Layout:
    """Layout of the tensors of the model."""
    return (
        prefixed("energies", transformer_layout(config.energies))
        | prefixed("shape", transformer_layout(config.shape))
        | tables_layout(config.layers, config.rings)
    )


class ShapeSampler(FlowSampler):
    """Sampler of how the energy of a layer divides among its rings."""

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
        logs = layer_condition(layers)
        drawn = self.standardised(
            noise, np.concatenate([condition, logs], axis=1), logs[:, :, None]
        )
        return rings_of_layers(drawn, self.scale, condition, logs, layers)


def core_sampler(trained: TrainedArrays[CaloDreamConfig], evaluations: int) -> CoreSampler:
    """Sampler of the energies of the core.

    Arguments:
        trained: Configuration and arrays of the model.
        evaluations: Network evaluations of each network for a shower.
    """
    config = trained.config
    options: dict[str, Any] = {"solver": config.solver, "evaluations": evaluations}
    scale = trained.table(Standardisation, "shape_scale")
    rings = ShapeSampler(config.shape, trained.part("shape"), scale, **options)
    return CoreSampler.of_trained(trained, rings, **options)
