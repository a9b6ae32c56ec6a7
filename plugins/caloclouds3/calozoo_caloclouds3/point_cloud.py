"""The points of upright showers: noise through PointWiseNet, sorted into layers."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calozoo_caloclouds3.config import N_LAYERS, CaloCloudsConfig
from calozoo_caloclouds3.features import decode_position
from calozoo_caloclouds3.layers import LayerContents
from calozoo_caloclouds3.one_step import OneStep
from calozoo_caloclouds3.points import FEATURES
from calozoo_core.random import stream

__all__ = ["Cloud", "point_cloud"]


DEPTH = 2
"""Which of the features is the layer."""


class Cloud(NamedTuple):
    """Points of upright showers, ordered by shower and layer.

    Arguments:
        offsets: Where each shower begins, and the end, shape (n + 1,).
        x: Position about the shower axis, in mm, shape (N,).
        y: The same, the other way.
        layer: Layer index, shape (N,).
        energy: Deposited energy, in MeV, shape (N,).
    """

    offsets: NDArray[np.int64]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    layer: NDArray[np.uint8]
    energy: NDArray[np.float32]


def point_cloud(
    step: OneStep,
    condition: NDArray[np.float32],
    layers: LayerContents,
    config: CaloCloudsConfig,
    seed: int,
    first: int,
) -> Cloud:
    """Points that add up to given counts and energies per layer.

    Arguments:
        step: The one-step network.
        condition: (E / 127 GeV, p_x, p_y, p_z), shape (n, 4).
        layers: Points and energy per layer.
        config: Of the model.
        seed: The user's seed.
        first: Number of the first of these showers in the whole sample.
    """
    totals = layers.counts.sum(axis=1)
    offsets = np.concatenate([[0], np.cumsum(totals)])
    raw = _one_step(step, condition, offsets, seed, first)
    flat = layers.counts.ravel()
    layer = np.repeat(np.tile(np.arange(N_LAYERS, dtype=np.uint8), len(totals)), flat)
    x, y = decode_position(raw[0], raw[1], config.features)
    mean, std = config.features.log_energy
    energy = np.exp(raw[3] * np.float32(2 * std) + np.float32(mean))
    energy *= np.repeat(_factors(energy, flat, layers.energies.ravel()), flat)
    position = np.float32(config.calibration.position)
    return Cloud(offsets, x * position, y * position, layer, energy)


def _one_step(
    step: OneStep,
    condition: NDArray[np.float32],
    offsets: NDArray[np.int64],
    seed: int,
    first: int,
) -> NDArray[np.float32]:
    """Network features of all points, shape (4, N), each shower's ordered by depth."""
    raw = np.empty((FEATURES, offsets[-1]), np.float32)
    network = step.folded(condition)
    for i, (start, stop) in enumerate(pairwise(offsets)):
        noise = stream(seed, first + i, "points").standard_normal(
            (FEATURES, stop - start), np.float32
        )
        points = step(network, i, noise)
        points.take(_depth_order(points[DEPTH]), axis=1, out=raw[:, start:stop], mode="clip")
    return raw


def _depth_order(depth: NDArray[np.float32]) -> NDArray[np.int64]:
    """The order that sorts points by depth.

    The bits of a float, read as a whole number, sort as the float does once those of negative
    numbers are turned round. With the index packed below them one sort of whole numbers does
    it, for which numpy has vector instructions that sorting by argument lacks.
    """
    bits = depth.view(np.int32)
    sortable = bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))
    packed = sortable.astype(np.int64)
    packed <<= 32
    packed |= np.arange(len(depth))
    packed.sort()
    packed &= 0xFFFFFFFF
    return packed


def _factors(
    energy: NDArray[np.float32], counts: NDArray[np.int64], wanted: NDArray[np.float32]
) -> NDArray[np.float32]:
    """What to multiply the points of each layer by, so that they add up to its energy."""
    factors = np.ones(len(counts), np.float32)
    filled = counts > 0
    starts = (np.cumsum(counts) - counts)[filled]
    factors[filled] = wanted[filled] / np.add.reduceat(energy, starts)
    return factors
