"""Encoding of the energies of a shower's core as the numbers that the networks model.

The energy network models u_0, the logarithm of the visible over the incident energy, and u_i, the
logit of the energy of layer i - 1 over that of itself and all behind it. The shape network models
the logarithm of each ring's share of its layer. Both are standardised by what the condition says.

References:
    | CaloDREAM, section 2: https://arxiv.org/abs/2405.09629
"""

from __future__ import annotations

from typing import Final

import numpy as np

from calozoo_core.incident import Incident
from calozoo_core.nn.stick_breaking import break_stick, stick_logits
from calozoo_core.typing import Float32Array

__all__ = [
    "EMPTY_MEV",
    "ENERGY_FEATURES",
    "SHAPE_FEATURES",
    "core_from",
    "energy_features",
    "layer_condition",
    "layer_ratios",
    "layers_from_ratios",
    "log_shares",
    "primary_condition",
    "shape_features",
    "with_noise",
]

NOISE_MEV: Final = 0.01
"""Typical energy of the noise that stands for an empty ring."""

NOISE_WIDTH: Final = 0.5
"""Standard deviation of the logarithm of that noise."""

EMPTY_MEV: Final = 0.03
"""Energy below which a ring or a layer is empty."""

VISIBLE: Final = 0.019
"""Typical visible energy over incident energy."""

LOG_FLOOR_MEV: Final = np.float32(0.05)
"""Added to the energy of a layer before its logarithm is taken, for conditions."""

ENERGY_FEATURES: Final = 10
"""Width of `energy_features`."""

SHAPE_FEATURES: Final = 9
"""Width of `shape_features`."""


def primary_condition(incident: Incident) -> Float32Array:
    """Condition of the networks: (ln E, |p_x|, p_y, p_z), of order 1, shape (n, 4).

    Showers with p_x and -p_x are mirror images of each other, and their rings have the same law.
    """
    x, y, z = incident.direction.T
    columns = [(np.log(incident.energy) - 3.5) / 1.2, np.abs(x), y, 5 * z - 4]
    return np.column_stack(columns).astype(np.float32)


def energy_features(condition: Float32Array) -> Float32Array:
    """Features of the layer ratios' standardisation, shape (n, 1, 10).

    Arguments:
        condition: `primary_condition`, shape (n, 4).
    """
    energy, x, y, z = condition.T
    one = np.ones_like(energy)
    columns = [one, energy, energy**2, energy**3, z, z**2, energy * z, energy**2 * z, x, y]
    return np.stack(columns, axis=1)[:, None]


def shape_features(condition: Float32Array, layers: Float32Array) -> Float32Array:
    """Features of the shares' standardisation, shape (n, layers, 9).

    Arguments:
        condition: `primary_condition`, shape (n, 4).
        layers: `layer_condition`, shape (n, layers).
    """
    energy, _, _, z = (np.broadcast_to(column[:, None], layers.shape) for column in condition.T)
    one = np.ones_like(layers)
    columns = [one, layers, layers**2, layers**3, energy, energy**2, energy * layers, z, z**2]
    return np.stack(columns, axis=2).astype(np.float32)


def layer_condition(layers: Float32Array) -> Float32Array:
    """Condition on layer energies: their logarithms, of order 1, shape (n, layers).

    Arguments:
        layers: In MeV, shape (n, layers).
    """
    return np.asarray((np.log(layers + LOG_FLOOR_MEV) - 1) / 2.5, np.float32)


def with_noise(energies: Float32Array, random: np.random.Generator) -> Float32Array:
    """Energies with noise wherever there are none, so that their logarithms have a density.

    Arguments:
        energies: In MeV, any shape.
        random: Draws the noise.
    """
    draw = random.standard_normal(energies.shape, np.float32)
    noise = np.float32(NOISE_MEV) * np.exp(np.float32(NOISE_WIDTH) * draw)
    return np.where(energies < EMPTY_MEV, noise, energies)


def layer_ratios(layers: Float32Array, energy_gev: Float32Array) -> Float32Array:
    """Logarithm of u_0 over its typical value, and logits of u_1, u_2, ..., shape (n, layers).

    Arguments:
        layers: Positive energies of the layers, in MeV, shape (n, layers).
        energy_gev: Incident energies, shape (n,).
    """
    visible = np.cumsum(layers[:, ::-1], axis=1)[:, -1]
    first = np.log(visible / (1000 * VISIBLE * energy_gev))
    return np.column_stack([first, stick_logits(layers)]).astype(np.float32)


def layers_from_ratios(ratios: Float32Array, energy_gev: Float32Array) -> Float32Array:
    """Energies of the layers, in MeV, shape (n, layers); the inverse of `layer_ratios`.

    Arguments:
        ratios: Shape (n, layers).
        energy_gev: Incident energies, shape (n,).
    """
    # A network may stray, but no shower holds more than its primary had.
    visible = 1000 * energy_gev * VISIBLE * np.exp(np.clip(ratios[:, 0], -12, -np.log(VISIBLE)))
    return np.asarray(break_stick(ratios[:, 1:]) * visible[:, None], np.float32)


def log_shares(core: Float32Array, layers: Float32Array) -> Float32Array:
    """Logarithm of each ring's share of its layer, shape (n, layers, rings).

    Arguments:
        core: Positive energies of rings, in MeV, shape (n, layers, rings).
        layers: Energies of the layers, in MeV, shape (n, layers).
    """
    return np.asarray(np.log(core / (layers + LOG_FLOOR_MEV)[..., None]), np.float32)


def core_from(shares: Float32Array, layers: Float32Array) -> Float32Array:
    """Energies of rings, in MeV, shape (n, layers, rings), which add up to those of their layers.

    Arguments:
        shares: `log_shares`, shape (n, layers, rings).
        layers: Energies of the layers, in MeV, shape (n, layers); what is below 0.03 is empty.
    """
    filled = np.where(layers < EMPTY_MEV, np.float32(0), layers)
    drawn = np.exp(np.clip(shares, -20, 3)) * (layers + LOG_FLOOR_MEV)[..., None]
    # The largest ring of a layer is never empty.
    kept = (drawn >= EMPTY_MEV) | (drawn == drawn.max(axis=2, keepdims=True))
    drawn = np.where(kept, drawn, np.float32(0))
    return np.asarray(drawn * (filled / drawn.sum(axis=2))[..., None], np.float32)
