"""Encoding of showers of the CaloChallenge as the numbers that the networks model.

The energy network models u_0, the logarithm of the visible over the incident energy, and u_i, the
logit of the energy of layer i - 1 over that of itself and all behind it. The shape network models
the voxels, each by the place of its energy in its own distribution: `VoxelMarginals`.

References:
    | CaloDREAM, section 2: https://arxiv.org/abs/2405.09629
"""

from __future__ import annotations

from typing import Final

import numpy as np

from calozoo_core.io.calochallenge import SAMPLING_FRACTION, THRESHOLD_MEV
from calozoo_core.typing import Float32Array

__all__ = [
    "EMPTY_LAYER_MEV",
    "EMPTY_VOXEL_MEV",
    "ENERGY_FEATURES",
    "energy_condition",
    "energy_features",
    "layer_condition",
    "layers_with_noise",
    "patches",
    "unpatched",
    "without_faint",
]

EMPTY_VOXEL_MEV: Final = np.float32(THRESHOLD_MEV * SAMPLING_FRACTION)
"""Deposit below which a voxel is empty: the challenge's threshold."""

EMPTY_LAYER_MEV: Final = np.float32(0.005)
"""Deposit below which a layer is empty; a particle that goes through leaves twenty times as much.
"""

NOISE_MEV: Final = 0.0015
"""Typical energy of the noise that stands for an empty layer."""

NOISE_WIDTH: Final = 0.5
"""Standard deviation of the logarithm of that noise."""

LOG_FLOOR_MEV: Final = np.float32(0.01)
"""Added to the energy of a layer before its logarithm is taken, for conditions."""

ENERGY_FEATURES: Final = 4
"""Width of `energy_features`."""


def energy_condition(energy_gev: Float32Array) -> Float32Array:
    """Condition of the networks: ln E, of order 1, shape (n, 1)."""
    return np.asarray((np.log(energy_gev)[:, None] - 2.5) / 1.7, np.float32)


def energy_features(condition: Float32Array) -> Float32Array:
    """Features of the layer ratios' standardisation, shape (n, 1, 4).

    Arguments:
        condition: `energy_condition`, shape (n, 1).
    """
    return np.stack([condition**power for power in range(ENERGY_FEATURES)], axis=2)


def layer_condition(layers: Float32Array) -> Float32Array:
    """Condition on layer energies: their logarithms, of order 1, shape (n, layers).

    Arguments:
        layers: In MeV, shape (n, layers).
    """
    return np.asarray(np.log(layers + LOG_FLOOR_MEV) / 3, np.float32)


def layers_with_noise(layers: Float32Array, random: np.random.Generator) -> Float32Array:
    """Energies of layers with noise in empty ones, so that their logarithms have a density.

    Arguments:
        layers: In MeV, shape (n, layers).
        random: Draws the noise.
    """
    draw = random.standard_normal(layers.shape, np.float32)
    noise = np.float32(NOISE_MEV) * np.exp(np.float32(NOISE_WIDTH) * draw)
    return np.where(layers < EMPTY_LAYER_MEV, noise, layers)


def without_faint(voxels: Float32Array) -> Float32Array:
    """Voxels without those below the threshold, and without those of layers that are empty.

    Arguments:
        voxels: Deposits, in MeV, shape (n, layers, sectors, rings).
    """
    kept = np.where(voxels < EMPTY_VOXEL_MEV, np.float32(0), voxels)
    layers = kept.sum(axis=(2, 3), keepdims=True)
    return np.where(layers < EMPTY_LAYER_MEV, np.float32(0), kept)


def patches(numbers: Float32Array, group: int) -> Float32Array:
    """Numbers of voxels as patches of all sectors, shape (n, tokens, group x sectors).

    Arguments:
        numbers: Shape (n, layers, sectors, rings).
        group: Layers of a patch.
    """
    n, layers, sectors, rings = numbers.shape
    grouped = numbers.reshape(n, layers // group, group, sectors, rings)
    return grouped.transpose(0, 1, 4, 2, 3).reshape(n, -1, group * sectors)


def unpatched(numbers: Float32Array, grid: tuple[int, int, int], group: int) -> Float32Array:
    """Numbers of voxels, shape (n, layers, sectors, rings): the inverse of `patches`.

    Arguments:
        numbers: Shape (n, tokens x group x sectors), in any division of the last dimension.
        grid: Numbers of layers, sectors and rings.
        group: Layers of a patch.
    """
    layers, sectors, rings = grid
    grouped = numbers.reshape(-1, layers // group, rings, group, sectors)
    return grouped.transpose(0, 1, 3, 4, 2).reshape(-1, *grid)
