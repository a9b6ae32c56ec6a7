"""Sampler of the energies of a shower's core: layers by a flow, rings by the diffusion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calozoo_caloscore.config import CaloScoreConfig, UnetConfig
from calozoo_caloscore.numpy_unet import NumpyUnet, unet_layout
from calozoo_core.clumps.core_encoding import layer_condition
from calozoo_core.clumps.core_sampler import CoreSampler, rings_of_layers, tables_layout
from calozoo_core.clumps.ring_calibration import RingCalibration
from calozoo_core.nn.cosine_schedule import ddim
from calozoo_core.nn.numpy_transformer import transformer_layout
from calozoo_core.nn.standardisation import Standardisation
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Arrays, Layout, prefixed
from calozoo_core.weights.trained_arrays import TrainedArrays

__all__ = ["ShapeSampler", "core_layout", "core_sampler", "depths", "place_conditions", "student"]


def student(steps: int) -> str:
    """Name of the network that is distilled to a number of steps, in `model.safetensors`."""
    return f"students.{steps}"


def core_layout(config: CaloScoreConfig) -> Layout:
    """Layout of the tensors of the model, with a calibration of each network of the rings."""
    layout = prefixed("energies", transformer_layout(config.energies))
    layout |= prefixed("teacher", unet_layout(config.shape))
    for steps in config.distilled:
        layout |= prefixed(student(steps), unet_layout(config.shape))
    return layout | tables_layout(config.layers, config.rings, 1 + len(config.distilled))


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
        rings = noise.shape[1] // layers.shape[1]
        given = self._network.given((logs, condition), place_conditions(logs))

        def velocity(z: Float32Array, time: float) -> Float32Array:
            return self._network(z, time, given)

        drawn = ddim(velocity, noise.reshape(*layers.shape, rings), self._steps)
        return rings_of_layers(drawn.reshape(noise.shape), self._scale, condition, logs, layers)


def core_sampler(trained: TrainedArrays[CaloScoreConfig], steps: int) -> CoreSampler:
    """Sampler of the energies of the core.

    Arguments:
        trained: Configuration and arrays of the model.
        steps: Steps of the rings for a shower; where a network was distilled to as many it is
            used, and the teacher for all other numbers.
    """
    config = trained.config
    number, name = 0, "teacher"
    if steps in config.distilled:
        number, name = 1 + config.distilled.index(steps), student(steps)
    scale = trained.table(Standardisation, "shape_scale")
    calibrations = trained.table(RingCalibration, "calibration")
    return CoreSampler.of_trained(
        trained,
        ShapeSampler(config.shape, trained.part(name), scale, steps),
        RingCalibration(calibrations.threshold[number], calibrations.factor[number]),
        solver=config.energy_solver,
        evaluations=config.energy_evaluations,
    )
