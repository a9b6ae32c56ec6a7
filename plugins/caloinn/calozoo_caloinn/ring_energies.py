"""Energies of rings, sampled from the networks of a CaloINN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from calozoo_caloinn.config import CaloInnConfig
from calozoo_caloinn.numpy_inn import (
    NumpyInn,
    NumpyVae,
    Sampler,
    has_numpy,
    inn_layout,
    vae_layout,
)
from calozoo_caloinn.voxel_encoding import Codec
from calozoo_core.incident import Incident
from calozoo_core.runtime import Runtime
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Arrays, Layout, part, prefixed

__all__ = [
    "RingEnergySampler",
    "VectorSampler",
    "conditions",
    "networks_layout",
    "numpy_samplers",
    "runtimes_of",
]

MAX_TRIES = 20
"""Tries of a shower without any energy before one ring gets the least energy there is."""


def conditions(energy_gev: Float32Array, direction: Float32Array) -> Float32Array:
    """Condition of the networks: (ln E, p_x, p_y, p_z), shape (n, 4)."""
    return np.column_stack([np.log(energy_gev), direction]).astype(np.float32)


def networks_layout(config: CaloInnConfig) -> Layout:
    """Layout of the tensors of the networks."""
    layout = prefixed("inn", inn_layout(config.inn))
    if config.layers is not None:
        layout |= prefixed("layers", inn_layout(config.layers))
    if config.vae is not None:
        layout |= prefixed("vae", vae_layout(config.vae))
    return layout


def numpy_samplers(config: CaloInnConfig, arrays: Arrays) -> dict[str, Sampler]:
    """Samplers of the networks, computed by numpy.

    Arguments:
        config: Configuration of the model.
        arrays: Tensors of `networks_layout`.
    """
    found: dict[str, Sampler] = {"inn": NumpyInn(config.inn, part(arrays, "inn"))}
    if config.layers is not None:
        found["layers"] = NumpyInn(config.layers, part(arrays, "layers"))
    if config.vae is not None:
        found["vae"] = NumpyVae(config.vae, part(arrays, "vae"))
    return found


def runtimes_of(config: CaloInnConfig) -> tuple[Runtime, ...]:
    """Runtimes that have a counterpart of every network, the fastest first."""
    parts = [config.inn, *([config.layers] if config.layers else [])]
    return ("numpy", "torch") if all(has_numpy(one) for one in parts) else ("torch",)


class VectorSampler:
    """Sampler of the vectors of showers, layers' part and voxels' part.

    Arguments:
        config: Configuration of the model.
        samplers: Samplers of the networks "layers", "inn" and "vae", as the configuration has them.
    """

    def __init__(self, config: CaloInnConfig, samplers: Mapping[str, Sampler]) -> None:
        self.config = config
        self._codec = Codec(config.codec)
        self._layers, self._vae = samplers.get("layers"), samplers.get("vae")
        self._inn = samplers["inn"]
        self.noise = config.inn.dim + (config.layers.dim if config.layers else 0)
        self.noise += config.vae.latent if config.vae else 0

    def __call__(
        self, noise: Float32Array, condition: Float32Array
    ) -> tuple[Float32Array, Float32Array]:
        """Layers' part and voxels' part.

        Arguments:
            noise: Standard normal, shape (n, `noise`).
            condition: (ln E, p_x, p_y, p_z), shape (n, 4).
        """
        head = self.config.codec.layers
        if self._layers is not None:
            layers = self._layers(noise[:, :head], condition)
            return layers, self._inn(
                noise[:, head:], self._codec.voxel_condition(layers, condition)
            )
        whole = self._inn(noise[:, : self.config.inn.dim], condition)
        layers, rest = whole[:, :head], whole[:, head:]
        if self._vae is None:
            return layers, rest
        voxel_condition = self._codec.voxel_condition(layers, condition)
        mean, log_variance = np.split(rest, 2, axis=1)
        # A network may stray; no spread of the latent numbers is above that of their prior by much.
        spread = np.exp(np.clip(log_variance, -20, 2) / 2)
        latent = np.asarray(mean + spread * noise[:, self.config.inn.dim :], np.float32)
        return layers, self._vae(latent, voxel_condition)


class RingEnergySampler:
    """Sampler of the energy of every ring of every layer.

    Arguments:
        vectors: Sampler of the vectors.
        threshold: Energy below which each ring is empty, in MeV, shape (layers x rings,).
        calibration: Factor on the energy of each ring, shape (layers x rings,).
    """

    def __init__(
        self, vectors: VectorSampler, threshold: Float32Array, calibration: Float32Array
    ) -> None:
        self.vectors = vectors
        self._threshold, self._calibration = threshold, calibration
        self.codec = Codec(vectors.config.codec)

    def __call__(
        self, energy_gev: Float32Array, direction: Float32Array, noise: Float32Array
    ) -> Float32Array:
        """Ring energies, in MeV, shape (n, layers x rings).

        Arguments:
            energy_gev: Incident energies, shape (n,).
            direction: Unit vectors, shape (n, 3).
            noise: Standard normal, shape (n, `vectors.noise`).
        """
        sampled = self.vectors(noise, conditions(energy_gev, direction))
        energies = self.codec.decode(*sampled, energy_gev).reshape(len(noise), -1)
        is_empty = energies < self._threshold
        kept = np.where(is_empty, np.float32(0), self.codec.threshold(energies))
        return kept * self._calibration

    def sample(self, incident: Incident, streams: Sequence[np.random.Generator]) -> Float32Array:
        """Ring energies of showers, none of them all zero, in MeV, shape (n, layers x rings).

        Arguments:
            incident: The n primaries.
            streams: Random numbers of each shower, n of them.
        """
        todo = np.arange(len(streams))
        energies: Float32Array | None = None
        for _ in range(MAX_TRIES):
            noise = np.stack(
                [streams[int(i)].standard_normal(self.vectors.noise, np.float32) for i in todo]
            )
            sampled = self(incident.energy[todo], incident.direction[todo], noise)
            if energies is None:
                energies = sampled
            else:
                energies[todo] = sampled
            todo = todo[energies[todo].sum(axis=1) == 0]
            if len(todo) == 0:
                break
        assert energies is not None
        energies[todo, 0] = self.codec.config.noise_mev
        return energies
