"""Rings about the shower axis: from points to the energy of every ring."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calozoo_caloinn.config import RingsConfig
from calozoo_core.detector import load_detector
from calozoo_core.frames import axis_offsets
from calozoo_core.showers import Showers
from calozoo_core.typing import Float32Array

__all__ = ["RingPoints", "ring_points", "stretch"]

CHUNK = 1000
"""Showers sorted together, so that a large sample fits in memory."""


class RingPoints(NamedTuple):
    """The rings of showers, and the points of the first of them, as seen along the shower axis.

    Arguments:
        x: Position about the axis in the plane at right angles to it, in mm, shape (N,).
        y: The same, the other way.
        energy: In MeV, shape (N,).
        cell: Number of the ring: (shower x layers + layer) x rings + ring, shape (N,).
        energies: Energy of every ring, in MeV, shape (n, layers, rings).
        counts: Points of every ring, shape (n, layers, rings).
        direction: Of the primaries, shape (n, 3).
    """

    x: Float32Array
    y: Float32Array
    energy: Float32Array
    cell: NDArray[np.int64]
    energies: Float32Array
    counts: NDArray[np.int64]
    direction: Float32Array


def stretch(direction: Float32Array) -> Float32Array:
    """From the plane at right angles to the axis to the plane of a layer, shape (n, 2, 2).

    A slanted shower is longer by 1 / p_z along its slant, and not across:
    1 + (1 / p_z - 1) t t^T, with t the unit vector of (p_x, p_y).
    """
    slant = direction[:, :2].astype(np.float64)
    p_z = direction[:, 2].astype(np.float64)
    # (1 / p_z - 1) / (p_x^2 + p_y^2) without a division by zero
    grown = slant * (1 / (p_z * (1 + p_z)))[:, None]
    matrix = np.eye(2) + grown[:, :, None] * slant[:, None, :]
    return matrix.astype(np.float32)


def ring_points(showers: Showers, config: RingsConfig, keep: int = 0) -> RingPoints:
    """Sort the points of showers into rings.

    Arguments:
        showers: As they were read.
        config: The rings.
        keep: Of how many showers to keep the points, not only what the rings hold.
    """
    parts, kept = [], []
    for start in range(0, len(showers), CHUNK):
        part = _sorted(showers[start : start + CHUNK], config)
        parts.append(part)
        if start < keep:
            cells = start * part.energies[0].size
            kept.append((part.x, part.y, part.energy, part.cell + cells))
    nothing = (np.zeros(0, np.float32),) * 3 + (np.zeros(0, np.int64),)
    x, y, energy, cell = zip(*(kept or [nothing]), strict=True)
    return RingPoints(
        np.concatenate(x),
        np.concatenate(y),
        np.concatenate(energy),
        np.concatenate(cell),
        np.concatenate([part.energies for part in parts]),
        np.concatenate([part.counts for part in parts]),
        showers.incident.direction,
    )


def _sorted(showers: Showers, config: RingsConfig) -> RingPoints:
    detector = load_detector(showers.detector)
    dx, dy = axis_offsets(showers, detector)
    x, y = showers.x - dx, showers.y - dy
    direction = showers.incident.direction
    owner = showers.shower_index
    # The inverse of `stretch`: shorter along the slant by p_z.
    slant = direction[:, :2].astype(np.float64)
    shrink = slant / (1 + direction[:, 2:].astype(np.float64))
    along = x * slant[owner, 0] + y * slant[owner, 1]
    x, y = x - along * shrink[owner, 0], y - along * shrink[owner, 1]
    ring = np.searchsorted(np.array(config.edges_mm), np.hypot(x, y), side="right")
    cell = (owner * detector.n_layers + showers.layer) * config.number + ring
    shape = (len(showers), detector.n_layers, config.number)
    size = int(np.prod(shape))
    return RingPoints(
        x.astype(np.float32),
        y.astype(np.float32),
        showers.energy,
        cell,
        np.bincount(cell, showers.energy, size).reshape(shape).astype(np.float32),
        np.bincount(cell, minlength=size).reshape(shape),
        direction,
    )
