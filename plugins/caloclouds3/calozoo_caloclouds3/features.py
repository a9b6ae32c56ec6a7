"""Features of points for PointWiseNet, and contents of layers sampled from ShowerFlow."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from calozoo_caloclouds3.config import N_LAYERS, CaloCloudsConfig, PointFeatures
from calozoo_caloclouds3.layer_flow import NumpyShowerFlow
from calozoo_core.random import stream
from calozoo_core.typing import Float32Array, IntArray

__all__ = [
    "LayerContents",
    "conditions",
    "decode_position",
    "encode",
    "sample_layers",
    "to_contents",
    "warp",
]


def conditions(
    energy_gev: Float32Array, direction: Float32Array, energy_scale_gev: float
) -> Float32Array:
    """Conditions of both networks: (E / 127 GeV, p_x, p_y, p_z), shape (n, 4)."""
    return np.column_stack([energy_gev / energy_scale_gev, direction]).astype(np.float32)


def warp(
    x: Float32Array, y: Float32Array, scale_mm: float | None
) -> tuple[Float32Array, Float32Array]:
    """Positions with their distance r to the axis replaced by asinh(r / scale)."""
    if scale_mm is None:
        return x, y
    r = np.hypot(x, y)
    stretch = (np.arcsinh(r / scale_mm) / np.maximum(r, 1e-6)).astype(np.float32, copy=False)
    return x * stretch, y * stretch


def encode(
    x: Float32Array,
    y: Float32Array,
    layer: Float32Array,
    energy: Float32Array,
    features: PointFeatures,
) -> Float32Array:
    """Network features of points, shape (N, 4).

    Arguments:
        x: x' about the shower axis, in mm, shape (N,).
        y: y' about the shower axis, in mm, shape (N,).
        layer: Layer index smeared over [l, l + 1), shape (N,).
        energy: Deposited energy, in MeV, shape (N,).
        features: Means, spreads and the warp.
    """
    warped_x, warped_y = warp(x, y, features.warp_mm)
    log_energy = np.log(energy / features.energy_unit_mev + 1e-12)
    columns = (
        (warped_x, features.x_mm),
        (warped_y, features.y_mm),
        (layer, features.layer),
        (log_energy, features.log_energy),
    )
    return np.column_stack([(v - mean) / (2 * std) for v, (mean, std) in columns]).astype(
        np.float32
    )


def decode_position(
    x: Float32Array, y: Float32Array, features: PointFeatures
) -> tuple[Float32Array, Float32Array]:
    """Positions about the shower axis, in mm, from network features; both shape (N,)."""
    warped_x = x * (2 * features.x_mm[1]) + features.x_mm[0]
    warped_y = y * (2 * features.y_mm[1]) + features.y_mm[0]
    if features.warp_mm is None:
        return warped_x, warped_y
    r = np.hypot(warped_x, warped_y)
    # The outermost training point lies at asinh(r / scale) of about 5.5; a network may stray.
    stretch = features.warp_mm * np.sinh(np.minimum(r, 6.5)) / np.maximum(r, 1e-6)
    return warped_x * stretch, warped_y * stretch


MAX_TRIES = 100


class LayerContents(NamedTuple):
    """Number of points and energy of every layer of some showers.

    Arguments:
        counts: Points of each layer, shape (n, 30).
        energies: Energy of each layer, in MeV, shape (n, 30).
    """

    counts: IntArray
    energies: Float32Array


def sample_layers(
    flow: NumpyShowerFlow,
    condition: Float32Array,
    config: CaloCloudsConfig,
    seed: int,
    first: int,
) -> LayerContents:
    """Points and energies of the layers of some showers.

    A shower with too many negative layer energies, or with no point at all, is drawn again from its
    own stream; the paper redraws above 7 of 30.

    Arguments:
        flow: Trained flow.
        condition: (E / 127 GeV, p_x, p_y, p_z), shape (n, 4).
        config: Configuration of the model.
        seed: The user's seed.
        first: Number of the first of these showers in the whole sample.
    """
    n = len(condition)
    streams = [stream(seed, first + i, "layers") for i in range(n)]
    values = np.empty((n, flow.dim), np.float32)
    todo = np.arange(n)
    for _ in range(MAX_TRIES):
        noise = np.stack([streams[i].standard_normal(flow.dim, np.float32) for i in todo])
        values[todo] = flow(noise, condition[todo])
        negative = (values[todo, N_LAYERS:] < 0).sum(axis=1) > config.max_negative_layers
        empty = to_contents(values[todo], config).counts.sum(axis=1) == 0
        todo = todo[negative | empty]
        if len(todo) == 0:
            break
    return to_contents(values, config)


def to_contents(values: Float32Array, config: CaloCloudsConfig) -> LayerContents:
    """Whole counts and positive energies from the flow's output, shape (n, 60).

    A layer that has points and no energy, or energy and no points, has neither.
    """
    positive = np.maximum(values, 0) ** np.float32(1 / config.flow.power)
    raw = positive[:, :N_LAYERS] * np.float32(config.calibration.n_points)
    energies = positive[:, N_LAYERS:] * np.float32(config.calibration.energy)
    total = raw.sum(axis=1, keepdims=True)
    raw = raw * np.minimum(1, config.max_points / np.maximum(total, 1))
    counts = raw.astype(np.int64)
    counts[energies <= 0] = 0
    energies = np.where(counts > 0, energies, np.float32(0))
    return LayerContents(counts, energies)
