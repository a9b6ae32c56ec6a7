"""Sampler of the energies of a shower's core, from the two networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from calozoo_calodream.config import CaloDreamConfig
from calozoo_core.clumps.core_encoding import (
    core_from,
    layer_condition,
    primary_condition,
    shape_features,
)
from calozoo_core.clumps.layer_flow import ENERGY_FEATURES, EnergySampler
from calozoo_core.clumps.ring_calibration import RingCalibration
from calozoo_core.incident import Incident
from calozoo_core.nn.flow_sampler import FlowSampler
from calozoo_core.nn.numpy_transformer import Arrays, tensor_shapes
from calozoo_core.nn.standardisation import Standardisation
from calozoo_core.typing import Float32Array

__all__ = ["CoreSampler", "ShapeSampler", "array_shapes"]

SHAPE_FEATURES: Final = 9
"""Width of `shape_features`."""


def array_shapes(config: CaloDreamConfig) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor of the model, by its name in `model.safetensors`."""
    cells = config.layers * config.rings
    shapes: dict[str, tuple[int, ...]] = {}
    for name, network in (("energies", config.energies), ("shape", config.shape)):
        shapes |= {f"{name}.{own}": shape for own, shape in tensor_shapes(network).items()}
    for name, dim, features in (
        ("energy_scale", config.layers, ENERGY_FEATURES),
        ("shape_scale", cells, SHAPE_FEATURES),
    ):
        shapes |= {f"{name}.mean": (dim, features), f"{name}.log_spread": (dim, features)}
    return shapes | {"calibration.threshold": (cells,), "calibration.factor": (cells,)}


class ShapeSampler(FlowSampler):
    """Sampler of how the energy of a layer divides among its rings."""

    def __call__(
        self, noise: Float32Array, condition: Float32Array, layers: Float32Array
    ) -> Float32Array:
        """Energies of rings, in MeV, shape (n, layers, rings).

        Arguments:
            noise: Standard normal, shape (n, layers x rings).
            condition: `primary_condition`, shape (n, 4).
            layers: Energies of the layers, in MeV, shape (n, layers).
        """
        logs = layer_condition(layers)
        rings = noise.shape[1] // layers.shape[1]
        drawn = self.standardised(
            noise, np.concatenate([condition, logs], axis=1), logs[:, :, None]
        )
        features = np.repeat(shape_features(condition, logs), rings, axis=1)
        shares = self.scale.invert(drawn, features)
        return core_from(shares.reshape(*layers.shape, rings), layers)


class CoreSampler:
    """Sampler of the energies of the rings of showers' cores.

    Arguments:
        config: Configuration of the model.
        arrays: Tensors of `array_shapes`, by name.
        evaluations: Network evaluations of each network for a shower.
    """

    def __init__(self, config: CaloDreamConfig, arrays: Arrays, evaluations: int) -> None:
        def part(name: str) -> Arrays:
            start = f"{name}."
            own = (key for key in arrays if key.startswith(start))
            return {key.removeprefix(start): arrays[key] for key in own}

        options: dict[str, Any] = {"solver": config.solver, "evaluations": evaluations}
        self._energies = EnergySampler(
            config.energies, part("energies"), Standardisation(**part("energy_scale")), **options
        )
        self._shape = ShapeSampler(
            config.shape, part("shape"), Standardisation(**part("shape_scale")), **options
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
