"""Training showers and batches: layer contents for ShowerFlow, points for PointWiseNet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from calozoo_caloclouds3.config import N_LAYERS, CaloCloudsConfig, PointFeatures
from calozoo_caloclouds3.features import LayerContents, conditions, encode, warp
from calozoo_core.detector import load_detector
from calozoo_core.frames import axis_offsets
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import Float32Array

__all__ = ["TrainingShowers", "flow_batch", "measured_features", "point_batch"]

#: Positions in the training files are rounded to 1/4 mm.
POSITION_ROUNDING_MM = 0.25
#: Below this a deposit counts for nothing, and the logarithm only stretches the axis.
ENERGY_FLOOR_MEV = 1e-4
#: Energy given to empty layers, so that the flow sees a density and not a spike.
EMPTY_LAYER_MEV = 0.01


@dataclass(frozen=True, eq=False)
class TrainingShowers:
    """Geant4 showers made upright.

    Arguments:
        showers: Showers as they were read.
        x: x' about the shower axis, in mm, shape (N,).
        y: y' about the shower axis, in mm, shape (N,).
        layers: Points and energy per layer.
        condition: (E / 127 GeV, p_x, p_y, p_z), shape (n, 4).
    """

    showers: Showers
    x: Float32Array
    y: Float32Array
    layers: LayerContents
    condition: Float32Array

    @classmethod
    def from_showers(cls, showers: Showers, config: CaloCloudsConfig) -> TrainingShowers:
        """Upright showers, with their layers summed."""
        dx, dy = axis_offsets(showers, load_detector(showers.detector))
        cell = showers.shower_index * N_LAYERS + showers.layer
        shape = (len(showers), N_LAYERS)
        counts = np.bincount(cell, minlength=len(showers) * N_LAYERS).reshape(shape)
        sums = np.bincount(cell, weights=showers.energy, minlength=len(showers) * N_LAYERS)
        incident = showers.incident
        return cls(
            showers,
            (showers.x - dx).astype(np.float32),
            (showers.y - dy).astype(np.float32),
            LayerContents(counts, sums.reshape(shape).astype(np.float32)),
            conditions(incident.energy, incident.direction, config.energy_scale_gev),
        )

    def __len__(self) -> int:
        return len(self.condition)


def flow_batch(
    sample: TrainingShowers, config: CaloCloudsConfig, size: int, seed: int, step: int
) -> tuple[Tensor, Tensor]:
    """Layer contents and conditions of some showers, the batch of one optimiser step.

    Counts are spread over [n, n + 1), empty layers get a trace of energy, and every other shower is
    mirrored at x' = 0, which is exact: the field lies along x' and is an axial vector.

    Returns:
        Values to the power of the configuration, shape (size, 60), and conditions, (size, 4).
    """
    random = stream(seed, step, "flow batch")
    rows = random.integers(len(sample.condition), size=size)
    counts = sample.layers.counts[rows] + random.random((size, N_LAYERS))
    energies = sample.layers.energies[rows]
    energies = np.where(energies > 0, energies, EMPTY_LAYER_MEV * random.random(energies.shape))
    condition = sample.condition[rows]
    condition[:, 1] *= random.choice([-1, 1], size)
    values = np.concatenate([counts, energies], axis=1) ** config.flow.power
    return torch.from_numpy(values.astype(np.float32)), torch.from_numpy(condition)


def point_batch(
    sample: TrainingShowers,
    features: PointFeatures,
    showers: int,
    points: int,
    seed: int,
    step: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Points of some showers and the noise to hide them in, the batch of one optimiser step.

    Returns:
        Features, shape (showers, points, 4); conditions, (showers, 4); standard normal noise,
        shaped as the features; and standard normal numbers to draw noise levels from, (showers,).
    """
    random = stream(seed, step, "point batch")
    offsets = sample.showers.offsets
    rows = random.integers(len(sample.condition), size=showers)
    inside = random.random((showers, points)) * np.diff(offsets)[rows, None]
    index = (offsets[rows, None] + inside.astype(np.int64)).ravel()
    size = len(index)
    mirror = random.choice(np.array([-1, 1], np.float32), showers)
    jitter = (random.random((2, size), np.float32) - np.float32(0.5)) * POSITION_ROUNDING_MM
    x = (sample.x[index] + jitter[0]) * np.repeat(mirror, points)
    y = sample.y[index] + jitter[1]
    layer = sample.showers.layer[index] + random.random(size, np.float32)
    energy = np.maximum(sample.showers.energy[index], ENERGY_FLOOR_MEV)
    encoded = encode(x, y, layer, energy, features).reshape(showers, points, 4)
    condition = sample.condition[rows]
    condition[:, 1] *= mirror
    noise = random.standard_normal(encoded.shape, np.float32)
    level = random.standard_normal(showers, np.float32)
    return tuple(torch.from_numpy(a) for a in (encoded, condition, noise, level))  # type: ignore[return-value]


def measured_features(sample: TrainingShowers, features: PointFeatures) -> PointFeatures:
    """Features with means and spreads measured on a sample; x' is symmetric by physics."""
    every = slice(None, None, 37)  # a million points say it as well as forty
    x, y = warp(sample.x[every], sample.y[every], features.warp_mm)
    energy = np.maximum(sample.showers.energy[every], ENERGY_FLOOR_MEV)
    log_energy = np.log(energy / features.energy_unit_mev)
    layer = sample.showers.layer[every] + np.float32(0.5)
    return features.model_copy(
        update={
            "x_mm": (0.0, _rounded(np.sqrt(np.mean(np.square(x, dtype=np.float64))))),
            "y_mm": _statistics(y),
            "layer": _statistics(layer),
            "log_energy": _statistics(log_energy),
        }
    )


def _statistics(values: Float32Array) -> tuple[float, float]:
    return _rounded(values.mean(dtype=np.float64)), _rounded(values.std(dtype=np.float64))


def _rounded(value: float) -> float:
    return round(float(value), 6)
