"""Samplers of layer energies and voxels from the two networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from calozoo_calodream.cylinder.config import CylinderConfig
from calozoo_calodream.cylinder.encoding import (
    ENERGY_FEATURES,
    energy_condition,
    energy_features,
    layer_condition,
    unpatched,
)
from calozoo_calodream.cylinder.marginals import VoxelMarginals
from calozoo_core.clumps.core_encoding import layers_from_ratios
from calozoo_core.nn.flow_sampler import Flow, FlowSampler
from calozoo_core.nn.numpy_transformer import transformer_layout
from calozoo_core.nn.solvers import Solver
from calozoo_core.nn.standardisation import Standardisation
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Arrays, Layout, prefixed
from calozoo_core.weights.trained_arrays import TrainedArrays

__all__ = ["LayerSampler", "VoxelFlow", "VoxelSampler", "cylinder_layout", "shape_conditions"]


def cylinder_layout(config: CylinderConfig) -> Layout:
    """Layout of the tensors of the model."""
    layers, _, rings = config.grid
    return (
        prefixed("energies", transformer_layout(config.energies))
        | prefixed("shape", transformer_layout(config.shape))
        | prefixed("energy_scale", Standardisation.layout(layers, ENERGY_FEATURES))
        | prefixed("marginals", VoxelMarginals.layout(layers // config.group, rings))
    )


def shape_conditions(
    condition: Float32Array, layers: Float32Array, config: CylinderConfig
) -> tuple[Float32Array, Float32Array]:
    """Conditions of the network of the voxels: of a shower, and of each token.

    Arguments:
        condition: `energy_condition`, shape (n, 1).
        layers: Energies of the layers, in MeV, shape (n, layers).
        config: Sizes.

    Returns:
        Shapes (n, 1 + layers) and (n, tokens, layers of a patch).
    """
    logs = layer_condition(layers)
    own = logs.reshape(len(logs), -1, 1, config.group)
    tokens = np.repeat(own, config.grid[2], axis=2).reshape(len(logs), -1, config.group)
    return np.concatenate([condition, logs], axis=1), tokens


class LayerSampler(FlowSampler):
    """Sampler of the energies of layers."""

    def __call__(self, noise: Float32Array, energy_gev: Float32Array) -> Float32Array:
        """Energies of layers, in MeV, shape (n, layers).

        Arguments:
            noise: Standard normal, shape (n, layers).
            energy_gev: Incident energies, shape (n,).
        """
        condition = energy_condition(energy_gev)
        drawn = self.standardised(noise, condition)
        return layers_from_ratios(self.scale.invert(drawn, energy_features(condition)), energy_gev)


class VoxelFlow(Flow):
    """Sampler of how the energy of layers divides among voxels.

    Arguments:
        config: Sizes.
        arrays: Tensors of the network, by name.
        marginals: Distribution of each voxel on its own.
        solver: Solver of the differential equation.
        evaluations: How often the network is evaluated for a shower.
    """

    def __init__(
        self,
        config: CylinderConfig,
        arrays: Arrays,
        marginals: VoxelMarginals,
        *,
        solver: Solver,
        evaluations: int,
    ) -> None:
        super().__init__(config.shape, arrays, solver=solver, evaluations=evaluations)
        self._config, self._marginals = config, marginals

    def __call__(
        self, noise: Float32Array, energy_gev: Float32Array, layers: Float32Array
    ) -> Float32Array:
        """Energies of voxels, in MeV, shape (n, layers, sectors, rings).

        Arguments:
            noise: Standard normal, shape (n, voxels).
            energy_gev: Incident energies, shape (n,).
            layers: Energies of the layers, in MeV, shape (n, layers).
        """
        condition = energy_condition(energy_gev)
        drawn = self.standardised(noise, *shape_conditions(condition, layers, self._config))
        places = unpatched(drawn, self._config.grid, self._config.group)
        return self._marginals.voxels(places, condition, layers)


class VoxelSampler:
    """Sampler of the energies of all voxels of showers.

    Arguments:
        trained: Configuration and arrays of the model.
        evaluations: Network evaluations of each network for a shower.
    """

    def __init__(self, trained: TrainedArrays[CylinderConfig], evaluations: int) -> None:
        config = trained.config
        settings: dict[str, Any] = {"solver": config.solver, "evaluations": evaluations}
        self._layers = LayerSampler(
            config.energies,
            trained.part("energies"),
            trained.table(Standardisation, "energy_scale"),
            **settings,
        )
        self._voxels = VoxelFlow(
            config,
            trained.part("shape"),
            trained.table(VoxelMarginals, "marginals"),
            **settings,
        )
        self._n_layers, self._n_voxels = config.grid[0], config.voxels.n_voxels

    def __call__(
        self, energy_gev: Float32Array, streams: Sequence[np.random.Generator]
    ) -> Float32Array:
        """Energies of voxels, in MeV, shape (n, layers, sectors, rings).

        Arguments:
            energy_gev: Incident energies, shape (n,).
            streams: Random numbers of each shower, n of them.
        """
        size = self._n_layers + self._n_voxels
        noise = np.stack([random.standard_normal(size, np.float32) for random in streams])
        layers = self._layers(noise[:, : self._n_layers], energy_gev)
        return self._voxels(noise[:, self._n_layers :], energy_gev, layers)
