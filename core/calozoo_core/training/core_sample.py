"""Training showers and batches of models of the core of a shower as standardised numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from calozoo_core.clumps import VoxelMesh, voxel_energies
from calozoo_core.clumps.core_encoding import (
    energy_features,
    layer_condition,
    layer_ratios,
    log_shares,
    primary_condition,
    shape_features,
    with_noise,
)
from calozoo_core.nn.standardisation import Standardisation, fit_standardisation
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import Float32Array

__all__ = ["CoreSample", "Encoded", "Scales", "batch", "encoded"]

Rows = NDArray[np.int64] | slice


@dataclass(frozen=True, eq=False)
class CoreSample:
    """Cores of Geant4 showers.

    Arguments:
        core: Energies of rings, in MeV, shape (n, layers, rings).
        condition: `primary_condition`, shape (n, 4).
        energy_gev: Incident energies, shape (n,).
    """

    core: Float32Array
    condition: Float32Array
    energy_gev: Float32Array

    @classmethod
    def from_showers(cls, showers: Showers, rings: int) -> CoreSample:
        """Cores of showers: clumps of cells go as a whole to the ring of their centre.

        Arguments:
            showers: Geant4 showers of x25 points.
            rings: How many of the innermost rings are the core.
        """
        mesh = VoxelMesh()
        core = mesh.ring_energies(voxel_energies(showers, mesh))[:, :, :rings]
        incident = showers.incident
        return cls(core.astype(np.float32), primary_condition(incident), incident.energy)

    def __len__(self) -> int:
        return len(self.energy_gev)


@dataclass(frozen=True, eq=False)
class Encoded:
    """Numbers of some showers as the networks model them, before they are standardised.

    Arguments:
        ratios: `layer_ratios`, shape (n, layers).
        shares: `log_shares`, shape (n, layers x rings).
        layers: Energies of layers, noise in empty ones, in MeV, shape (n, layers).
        condition: `primary_condition`, shape (n, 4).
    """

    ratios: Float32Array
    shares: Float32Array
    layers: Float32Array
    condition: Float32Array

    @property
    def energy_features(self) -> Float32Array:
        """Features of the ratios, shape (n, 1, features)."""
        return energy_features(self.condition)

    @property
    def shape_features(self) -> Float32Array:
        """Features of the shares, shape (n, layers x rings, features)."""
        rings = self.shares.shape[1] // self.layers.shape[1]
        features = shape_features(self.condition, layer_condition(self.layers))
        return np.repeat(features, rings, axis=1)


def encoded(sample: CoreSample, rows: Rows, random: np.random.Generator) -> Encoded:
    """Numbers of some showers, with fresh noise in what is empty.

    Arguments:
        sample: Geant4 showers.
        rows: Which of them.
        random: Draws the noise.
    """
    core = sample.core[rows]
    layers = with_noise(core.sum(axis=2), random)
    shares = log_shares(with_noise(core, random), layers)
    return Encoded(
        layer_ratios(layers, sample.energy_gev[rows]),
        shares.reshape(len(shares), -1),
        layers,
        sample.condition[rows],
    )


@dataclass(frozen=True, eq=False)
class Scales:
    """Standardisations of both networks' numbers.

    Arguments:
        energies: Of the ratios.
        shape: Of the shares.
    """

    energies: Standardisation
    shape: Standardisation

    @classmethod
    def fitted(cls, sample: CoreSample, seed: int) -> Scales:
        """Standardisations of a sample."""
        whole = encoded(sample, slice(None), stream(seed, 0, "standardisation"))
        return cls(
            fit_standardisation(whole.ratios, whole.energy_features),
            fit_standardisation(whole.shares, whole.shape_features),
        )

    def tensors(self, stage: str, numbers: Encoded) -> tuple[Tensor, ...]:
        """Data, condition, and condition of the tokens if there is one, of a network.

        Arguments:
            stage: "energies" or "shape".
            numbers: Numbers of some showers.
        """
        if stage == "energies":
            data = self.energies.apply(numbers.ratios, numbers.energy_features)
            return torch.from_numpy(data)[:, :, None], torch.from_numpy(numbers.condition)
        data = self.shape.apply(numbers.shares, numbers.shape_features)
        logs = layer_condition(numbers.layers)
        condition = np.concatenate([numbers.condition, logs], axis=1)
        return (
            torch.from_numpy(data).view(*logs.shape, -1),
            torch.from_numpy(condition),
            torch.from_numpy(logs)[:, :, None],
        )


def batch(
    sample: CoreSample, scales: Scales, stage: str, size: int, seed: int, step: int
) -> tuple[Tensor, ...]:
    """Batch of an optimiser step: a seed, then the tensors of the stage.

    Arguments:
        sample: Geant4 showers.
        scales: Standardisations.
        stage: "energies" or "shape".
        size: Number of showers.
        seed: Seed of the training.
        step: Number of the step: the same step, the same batch.
    """
    random = stream(seed, step, f"{stage} batch")
    rows = random.integers(len(sample), size=size)
    own = torch.tensor(int(random.integers(2**62)))
    return (own, *scales.tensors(stage, encoded(sample, rows, random)))
