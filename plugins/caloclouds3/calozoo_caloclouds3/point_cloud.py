"""Points of upright showers: noise through the one-step PointWiseNet, sorted into layers."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from calozoo_caloclouds3.config import N_LAYERS, CaloCloudsConfig
from calozoo_caloclouds3.features import LayerContents, decode_position
from calozoo_caloclouds3.noise_levels import FEATURES, LEAK
from calozoo_caloclouds3.one_step_net import SKIP, OneStepNet
from calozoo_core.kernels import compiled_lanes
from calozoo_core.random import stream
from calozoo_core.typing import Float32Array, IntArray

__all__ = ["PointCloud", "PointNet", "point_cloud"]

DEPTH = 2
"""Index of the layer among the features."""


class PointCloud(NamedTuple):
    """Points of upright showers, ordered by shower and layer.

    Arguments:
        offsets: Index of the first point of each shower, and the total, shape (n + 1,).
        x: x' about the shower axis, in mm, shape (N,).
        y: y' about the shower axis, in mm, shape (N,).
        layer: Layer index, shape (N,).
        energy: Deposited energy, in MeV, shape (N,).
    """

    offsets: IntArray
    x: Float32Array
    y: Float32Array
    layer: NDArray[np.uint8]
    energy: Float32Array


class PointNet(Protocol):
    """One-step network: `OneStepNet` in numpy, or `TorchOneStepNet`."""

    def fold(self, condition: Float32Array, most: int) -> Any:
        """Layers for showers of these conditions, shape (n, 4), with at most `most` points."""

    def __call__(self, layers: Any, shower: int, noise: Float32Array) -> Float32Array:
        """Network features of points of one shower, shape (4, points), of noise of that shape."""


def point_cloud(
    net: PointNet,
    condition: Float32Array,
    layers: LayerContents,
    config: CaloCloudsConfig,
    seed: int,
    first: int,
) -> PointCloud:
    """Point clouds that add up to given counts and energies per layer.

    Arguments:
        net: One-step network.
        condition: (E / 127 GeV, p_x, p_y, p_z), shape (n, 4).
        layers: Points and energy per layer.
        config: Configuration of the model.
        seed: The user's seed.
        first: Number of the first of these showers in the whole sample.
    """
    totals = layers.counts.sum(axis=1)
    offsets = np.concatenate([[0], np.cumsum(totals)])
    flat = layers.counts.ravel()
    layer = np.repeat(np.tile(np.arange(N_LAYERS, dtype=np.uint8), len(totals)), flat)
    if isinstance(net, OneStepNet) and net.fits_kernel and compiled_lanes():
        raw = _compiled_features(net, condition, offsets, layers.counts, seed, first)
    else:
        raw = _sorted_features(net, condition, offsets, layer, seed, first)
    x, y = decode_position(raw[0], raw[1], config.features)
    mean, std = config.features.log_energy
    energy = np.exp(raw[3] * np.float32(2 * std) + np.float32(mean))
    energy *= np.repeat(_energy_factors(energy, flat, layers.energies.ravel()), flat)
    position = np.float32(config.calibration.position)
    return PointCloud(offsets, x * position, y * position, layer, energy)


def _sorted_features(
    net: PointNet,
    condition: Float32Array,
    offsets: IntArray,
    layer: NDArray[np.uint8],
    seed: int,
    first: int,
) -> Float32Array:
    """Network features of all points, shape (4, N), each shower's ordered by layer.

    Points of a layer stay in the order of their noise: in that of their depths, two that lie within
    the rounding of each other would change places with the batch size.
    """
    raw = np.empty((FEATURES, offsets[-1]), np.float32)
    layers = net.fold(condition, int(np.diff(offsets).max(initial=0)))
    for i, (start, stop) in enumerate(pairwise(offsets)):
        noise = stream(seed, first + i, "points").standard_normal(
            (FEATURES, stop - start), np.float32
        )
        points = net(layers, i, noise)
        of_point = np.empty(stop - start, np.uint8)
        of_point[_depth_order(points[DEPTH])] = layer[start:stop]
        order = of_point.argsort(kind="stable")  # of bytes: a radix sort
        points.take(order, axis=1, out=raw[:, start:stop], mode="clip")
    return raw


def _compiled_features(
    net: OneStepNet,
    condition: Float32Array,
    offsets: IntArray,
    counts: IntArray,
    seed: int,
    first: int,
) -> Float32Array:
    """As `_sorted_features`, by the compiled kernel."""
    from calozoo_core.kernels import _compiled

    noise = np.empty(FEATURES * offsets[-1], np.float32)
    for i, (start, stop) in enumerate(pairwise(FEATURES * offsets)):
        stream(seed, first + i, "points").standard_normal(out=noise[start:stop], dtype=np.float32)
    raw = np.empty((FEATURES, offsets[-1]), np.float32)
    weights, widths = net.fold(condition, 0).flat, np.array(net.widths, np.int64)
    _compiled.sorted_points(
        offsets, counts, noise, widths, weights, raw, LEAK, SKIP, compiled_lanes()
    )
    return raw


def _depth_order(depth: Float32Array) -> IntArray:
    """Order that sorts points by depth.

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


def _energy_factors(energy: Float32Array, counts: IntArray, wanted: Float32Array) -> Float32Array:
    """Factors on the points of each layer that make them add up to its energy."""
    factors = np.ones(len(counts), np.float32)
    has_points = counts > 0
    starts = (np.cumsum(counts) - counts)[has_points]
    factors[has_points] = wanted[has_points] / np.add.reduceat(energy, starts)
    return factors
