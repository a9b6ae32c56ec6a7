"""Sampler of the energies of a shower's core: layers by a flow, their rings by diffusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from calozoo_calodiffusion.config import CaloDiffusionConfig, UnetConfig
from calozoo_calodiffusion.numpy_unet import Arrays, NumpyUnet
from calozoo_calodiffusion.numpy_unet import tensor_shapes as unet_shapes
from calozoo_core.clumps.core_encoding import (
    core_from,
    layer_condition,
    primary_condition,
    shape_features,
)
from calozoo_core.clumps.layer_flow import ENERGY_FEATURES, EnergySampler
from calozoo_core.clumps.ring_calibration import RingCalibration
from calozoo_core.incident import Incident
from calozoo_core.nn.numpy_edm import EdmSolver, sample
from calozoo_core.nn.numpy_transformer import tensor_shapes
from calozoo_core.nn.standardisation import Standardisation
from calozoo_core.typing import Float32Array

__all__ = ["CoreSampler", "ShapeSampler", "array_shapes", "network_shapes"]

SHAPE_FEATURES: Final = 9
"""Width of `shape_features`."""


def network_shapes(config: CaloDiffusionConfig) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor of both networks, by its name in `model.safetensors`."""
    energies, shape = tensor_shapes(config.energies), unet_shapes(config.shape)
    return {f"energies.{name}": own for name, own in energies.items()} | {
        f"shape.{name}": own for name, own in shape.items()
    }


def array_shapes(config: CaloDiffusionConfig) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor of the model, by its name in `model.safetensors`."""
    cells = config.layers * config.rings
    shapes = network_shapes(config)
    for name, dim, features in (
        ("energy_scale", config.layers, ENERGY_FEATURES),
        ("shape_scale", cells, SHAPE_FEATURES),
    ):
        shapes |= {f"{name}.mean": (dim, features), f"{name}.log_spread": (dim, features)}
    return shapes | {"calibration.threshold": (cells,), "calibration.factor": (cells,)}


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
        self, noise: Float32Array, condition: Float32Array, layers: Float32Array
    ) -> Float32Array:
        """Energies of rings, in MeV, shape (n, layers, rings).

        Arguments:
            noise: Standard normal, shape (n, layers x rings).
            condition: `primary_condition`, shape (n, 4).
            layers: Energies of the layers, in MeV, shape (n, layers).
        """
        grid, n = self._network.config.grid, len(noise)
        logs = layer_condition(layers)
        given = self._network.given(np.concatenate([condition, logs], axis=1))
        images = np.broadcast_to(logs[:, :, None, None, None], (n, *grid, 1))

        def network(x: Float32Array, time: float) -> Float32Array:
            return self._network(x, time, given, images)

        drawn = sample(network, noise.reshape(n, *grid), self._evaluations, self._solver)
        features = np.repeat(shape_features(condition, logs), grid[2], axis=1)
        shares = self._scale.invert(drawn.reshape(n, -1), features)
        return core_from(shares.reshape(*layers.shape, -1), layers)


class CoreSampler:
    """Sampler of the energies of the rings of showers' cores.

    Arguments:
        config: Configuration of the model.
        arrays: Tensors of `array_shapes`, by name.
        evaluations: Evaluations of the diffusion's network for a shower.
    """

    def __init__(self, config: CaloDiffusionConfig, arrays: Arrays, evaluations: int) -> None:
        def part(name: str) -> Arrays:
            start = f"{name}."
            own = (key for key in arrays if key.startswith(start))
            return {key.removeprefix(start): arrays[key] for key in own}

        self._energies = EnergySampler(
            config.energies,
            part("energies"),
            Standardisation(**part("energy_scale")),
            solver="midpoint",
            evaluations=config.energy_steps,
        )
        self._shape = ShapeSampler(
            config.shape,
            part("shape"),
            Standardisation(**part("shape_scale")),
            solver=config.solver,
            evaluations=evaluations,
        )
        self._calibration = RingCalibration(**part("calibration"))
        self._layers, self._cells = config.layers, config.layers * config.rings

    def __call__(self, incident: Incident, streams: Sequence[np.random.Generator]) -> Float32Array:
        """Energies of rings, in MeV, shape (n, layers, rings).

        Arguments:
            incident: The n primaries.
            streams: Random numbers of each shower, n of them.
        """
        return self.cores(primary_condition(incident), incident.energy, streams)

    def cores(
        self,
        condition: Float32Array,
        energy_gev: Float32Array,
        streams: Sequence[np.random.Generator],
    ) -> Float32Array:
        """The same, for primaries as the networks are given them.

        Arguments:
            condition: `primary_condition`, shape (n, 4).
            energy_gev: Incident energies, shape (n,).
            streams: Random numbers of each shower, n of them.
        """
        size = self._layers + self._cells
        noise = np.stack([random.standard_normal(size, np.float32) for random in streams])
        layers = self._energies(noise[:, : self._layers], condition, energy_gev)
        core = self._shape(noise[:, self._layers :], condition, layers)
        return self._calibration(core.reshape(len(core), -1)).reshape(core.shape)
