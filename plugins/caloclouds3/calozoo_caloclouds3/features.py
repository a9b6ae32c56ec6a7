"""Features of PointWiseNet: positions, layers and energies of points, encoded and decoded."""

from __future__ import annotations

import numpy as np

from calozoo_caloclouds3.config import PointFeatures
from calozoo_core.typing import Float32Array

__all__ = ["conditions", "decode_position", "encode", "warp"]


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
