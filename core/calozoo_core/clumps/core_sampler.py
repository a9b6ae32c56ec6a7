"""Sampler of the energies of a shower's core: of its layers, then of the rings in each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from calozoo_core.clumps.core_encoding import (
    ENERGY_FEATURES,
    SHAPE_FEATURES,
    core_from,
    primary_condition,
    shape_features,
)
from calozoo_core.clumps.layer_flow import EnergySampler
from calozoo_core.clumps.ring_calibration import RingCalibration
from calozoo_core.incident import Incident
from calozoo_core.nn.standardisation import Standardisation
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Layout, TensorLayout, prefixed
from calozoo_core.weights.trained_arrays import TrainedArrays

__all__ = [
    "CoreSampler",
    "RingSampler",
    "rings_of_layers",
    "tables_layout",
]


class RingSampler(Protocol):
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
            streams: Random numbers of each shower, n of them, for what the noise is not enough for.
        """


class CoreSampler:
    """Sampler of the energies of the rings of showers' cores.

    Arguments:
        energies: Sampler of the layer energies.
        rings: Sampler of the rings.
        calibration: Of the ring energies.
    """

    def __init__(
        self, energies: EnergySampler, rings: RingSampler, calibration: RingCalibration
    ) -> None:
        self._energies, self._rings, self._calibration = energies, rings, calibration
        self._layers, self._cells = len(energies.scale.mean), len(calibration.threshold)

    @classmethod
    def of_trained(
        cls,
        trained: TrainedArrays[Any],
        rings: RingSampler,
        calibration: RingCalibration | None = None,
        **sampling: Any,
    ) -> CoreSampler:
        """Sampler whose layer energies, and calibration, are those of a trained model.

        Arguments:
            trained: Configuration, a `CoreConfig`, and arrays of the model.
            rings: Sampler of the rings.
            calibration: Of the ring energies; None for the model's, if it has a single one.
            sampling: Solver and evaluations of the layer energies' network, as in `FlowSampler`.
        """
        scale = trained.table(Standardisation, "energy_scale")
        energies = EnergySampler(
            trained.config.energies, trained.part("energies"), scale, **sampling
        )
        if calibration is None:
            calibration = trained.table(RingCalibration, "calibration")
        return cls(energies, rings, calibration)

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
        core = self._rings(noise[:, self._layers :], condition, layers, streams)
        return self._calibration(core.reshape(len(core), -1)).reshape(core.shape)


def rings_of_layers(
    drawn: Float32Array,
    scale: Standardisation,
    condition: Float32Array,
    logs: Float32Array,
    layers: Float32Array,
) -> Float32Array:
    """Energies of rings of the standardised numbers of a network, shape (n, layers, rings).

    Arguments:
        drawn: Standardised logarithms of shares, shape (n, layers x rings).
        scale: Their standardisation.
        condition: `primary_condition`, shape (n, 4).
        logs: `layer_condition`, shape (n, layers).
        layers: Energies of the layers, in MeV, shape (n, layers).
    """
    rings = drawn.shape[1] // layers.shape[1]
    features = np.repeat(shape_features(condition, logs), rings, axis=1)
    return core_from(scale.invert(drawn, features).reshape(*layers.shape, rings), layers)


def tables_layout(layers: int, rings: int, *calibrations: int) -> Layout:
    """Layout of what a model of the core has beside its networks.

    Arguments:
        layers: Number of layers.
        rings: Number of rings.
        calibrations: Number of calibrations, if there are several.
    """
    table = TensorLayout.table(*calibrations, layers * rings)
    return (
        prefixed("energy_scale", Standardisation.layout(layers, ENERGY_FEATURES))
        | prefixed("shape_scale", Standardisation.layout(layers * rings, SHAPE_FEATURES))
        | prefixed("calibration", dict.fromkeys(RingCalibration._fields, table))
    )
