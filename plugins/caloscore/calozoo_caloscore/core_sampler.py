"""Sampler of the energies of a shower's core: layers by a flow, rings by the diffusion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calozoo_caloscore.config import CaloScoreConfig, UnetConfig
from calozoo_caloscore.numpy_unet import NumpyUnet, unet_layout
from calozoo_core.clumps.core_encoding import (
    core_from,
    layer_condition,
    primary_condition,
    shape_features,
)
from calozoo_core.clumps.layer_flow import ENERGY_FEATURES, EnergySampler
from calozoo_core.clumps.ring_calibration import RingCalibration
from calozoo_core.incident import Incident
from calozoo_core.nn.cosine_schedule import ddim
from calozoo_core.nn.numpy_transformer import tensor_shapes
from calozoo_core.nn.standardisation import Standardisation
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Arrays, Layout, TensorLayout, part, prefixed

__all__ = ["CoreSampler", "ShapeSampler", "core_layout", "depths", "place_conditions", "student"]

SHAPE_FEATURES = 9
"""Width of `shape_features`."""


def student(steps: int) -> str:
    """Name of the network that is distilled to a number of steps, in `model.safetensors`."""
    return f"students.{steps}"


def core_layout(config: CaloScoreConfig) -> Layout:
    """Layout of the tensors of the model."""
    cells = config.layers * config.rings
    energies = {name: TensorLayout(shape) for name, shape in tensor_shapes(config.energies).items()}
    layout = prefixed("energies", energies) | prefixed("teacher", unet_layout(config.shape))
    for steps in config.distilled:
        layout |= prefixed(student(steps), unet_layout(config.shape))
    for name, dim, features in (
        ("energy_scale", config.layers, ENERGY_FEATURES),
        ("shape_scale", cells, SHAPE_FEATURES),
    ):
        layout[f"{name}.mean"] = TensorLayout.table(dim, features)
        layout[f"{name}.log_spread"] = TensorLayout.table(dim, features)
    # A calibration of each network: the teacher's, then the students'.
    for name in ("threshold", "factor"):
        layout[f"calibration.{name}"] = TensorLayout.table(1 + len(config.distilled), cells)
    return layout


def place_conditions(logs: Float32Array) -> Float32Array:
    """Conditions of each layer: its energy's logarithm and its depth, shape (n, layers, 2).

    Arguments:
        logs: `layer_condition`, shape (n, layers).
    """
    return np.stack([logs, np.broadcast_to(depths(logs.shape[1]), logs.shape)], axis=2)


def depths(layers: int) -> Float32Array:
    """Depths of layers, from -1 to 1, shape (layers,)."""
    return np.asarray((2 * np.arange(layers) + 1) / layers - 1, np.float32)


class ShapeSampler:
    """Sampler of how the energy of a layer divides among its rings.

    Arguments:
        config: Sizes of the network.
        arrays: Tensors of the network, by name.
        scale: Standardisation.
        steps: Steps of the sampler.
    """

    def __init__(
        self, config: UnetConfig, arrays: Arrays, scale: Standardisation, steps: int
    ) -> None:
        self._network = NumpyUnet(config, arrays)
        self._scale, self._steps = scale, steps

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
        given = self._network.given((logs, condition), place_conditions(logs))

        def velocity(z: Float32Array, time: float) -> Float32Array:
            return self._network(z, time, given)

        drawn = ddim(velocity, noise.reshape(*layers.shape, rings), self._steps)
        features = np.repeat(shape_features(condition, logs), rings, axis=1)
        shares = self._scale.invert(drawn.reshape(len(drawn), -1), features)
        return core_from(shares.reshape(*layers.shape, rings), layers)


class CoreSampler:
    """Sampler of the energies of the rings of showers' cores.

    Arguments:
        config: Configuration of the model.
        arrays: Tensors of `core_layout`, by name.
        steps: Steps of the rings for a shower; where a network was distilled to as many it is
            used, and the teacher for all other numbers.
    """

    def __init__(self, config: CaloScoreConfig, arrays: Arrays, steps: int) -> None:
        self._energies = EnergySampler(
            config.energies,
            part(arrays, "energies"),
            Standardisation(**part(arrays, "energy_scale")),
            solver=config.energy_solver,
            evaluations=config.energy_evaluations,
        )
        number, name = 0, "teacher"
        if steps in config.distilled:
            number, name = 1 + config.distilled.index(steps), student(steps)
        self._shape = ShapeSampler(
            config.shape,
            part(arrays, name),
            Standardisation(**part(arrays, "shape_scale")),
            steps,
        )
        tables = part(arrays, "calibration")
        self._calibration = RingCalibration(tables["threshold"][number], tables["factor"][number])
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
