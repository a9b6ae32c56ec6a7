"""Energies of rings, sampled from the networks of a CaloINN."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from calozoo_caloinn.config import CaloInnConfig
from calozoo_caloinn.inn import Inn, inn_sampler
from calozoo_caloinn.vae import Vae
from calozoo_caloinn.voxel_encoding import Codec
from calozoo_core.incident import Incident
from calozoo_core.typing import Float32Array

__all__ = ["RingEnergySampler", "VectorSampler", "build_networks", "conditions"]

MAX_TRIES = 20
"""Tries of a shower without any energy before one ring gets the least energy there is."""


def conditions(energy_gev: Float32Array, direction: Float32Array) -> Float32Array:
    """Condition of the networks: (ln E, p_x, p_y, p_z), shape (n, 4)."""
    return np.column_stack([np.log(energy_gev), direction]).astype(np.float32)


def build_networks(
    config: CaloInnConfig, generator: torch.Generator | None = None
) -> nn.ModuleDict:
    """Untrained networks of a configuration: "layers", "inn" and "vae", as it has them.

    Arguments:
        config: Configuration of the model.
        generator: Draws the permutations; needed only for networks that are going to be trained.
    """
    networks = nn.ModuleDict()
    if config.layers is not None:
        networks["layers"] = Inn(config.layers, generator)
    networks["inn"] = Inn(config.inn, generator)
    if config.vae is not None:
        networks["vae"] = Vae(config.vae)
    return networks


class VectorSampler:
    """Sampler of the vectors of showers, layers' part and voxels' part.

    Arguments:
        config: Configuration of the model.
        networks: Trained networks.
    """

    def __init__(self, config: CaloInnConfig, networks: nn.ModuleDict) -> None:
        self.config = config
        self._codec = Codec(config.codec)
        self._layers = inn_sampler(networks["layers"]) if config.layers is not None else None
        self._inn = inn_sampler(networks["inn"])
        vae = networks["vae"] if config.vae is not None else None
        assert vae is None or isinstance(vae, Vae)
        self._vae = vae
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
        latent = mean + spread * noise[:, self.config.inn.dim :]
        with torch.inference_mode():
            voxels = self._vae.decode(torch.from_numpy(latent), torch.from_numpy(voxel_condition))
        return layers, voxels.numpy()


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
