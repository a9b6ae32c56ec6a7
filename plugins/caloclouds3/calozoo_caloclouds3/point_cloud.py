"""Points of upright showers: noise through the one-step PointWiseNet, sorted into layers."""

from __future__ import annotations

import math
import threading
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import leaky_relu

from calozoo_caloclouds3.config import N_LAYERS, CaloCloudsConfig
from calozoo_caloclouds3.features import LayerContents, decode_position
from calozoo_caloclouds3.pointwise_net import (
    FEATURES,
    LEAK,
    SIGMA_DATA,
    SIGMA_MAX,
    SIGMA_MIN,
    PointWiseNet,
)
from calozoo_core.random import stream
from calozoo_core.typing import Float32Array, IntArray

__all__ = ["FoldedLayers", "OneStepNet", "PointCloud", "point_cloud"]

DEPTH = 2
"""Index of the layer among the features."""

SIGMA_TOTAL = math.hypot(SIGMA_MAX, SIGMA_DATA)
DISTANCE = SIGMA_MAX - SIGMA_MIN


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


class FoldedLayers(NamedTuple):
    """Plain linear layers of PointWiseNet, with a weight and a bias for each shower."""

    weights: list[Tensor]
    biases: list[Tensor]


class OneStepNet:
    """PointWiseNet at the largest noise level, from standard normal noise to points.

    At one noise level the context of a shower is known before its points are, so its gates are
    multiplied into the weights, which leaves plain linear layers. The scales before and
    behind the network go into the first and the last of them.

    Arguments:
        net: Trained one-step network.
        dtype: Precision of the arithmetic.
    """

    def __init__(self, net: PointWiseNet, dtype: torch.dtype = torch.float32) -> None:
        self._net, self._device, self._dtype = net, net.frequencies.device, dtype
        self._memory = _Memory()
        self._skip = SIGMA_MAX * SIGMA_DATA**2 / (DISTANCE**2 + SIGMA_DATA**2)

    def fold(self, condition: Float32Array) -> FoldedLayers:
        """Layers for showers of these conditions.

        Arguments:
            condition: (E / 127 GeV, p_x, p_y, p_z), shape (n, 4).
        """
        with torch.inference_mode():
            conditions = torch.from_numpy(condition).to(self._device)
            log_sigma = conditions.new_full((len(condition),), math.log(SIGMA_MAX))
            context = self._net.context(log_sigma, conditions)
            layers = self._net.fold(context)
            layers[0][0].mul_(SIGMA_MAX / SIGMA_TOTAL)
            for part in layers[-1]:
                part.mul_(DISTANCE * SIGMA_DATA / SIGMA_TOTAL)
            return FoldedLayers(
                [weight.to(self._dtype) for weight, _ in layers],
                [bias.unsqueeze(-1).to(self._dtype) for _, bias in layers],
            )

    def __call__(self, layers: FoldedLayers, shower: int, noise: Float32Array) -> Float32Array:
        """Network features of points of one shower.

        Arguments:
            layers: Layers for some showers.
            shower: Index of the shower among them.
            noise: Standard normal, shape (4, points).

        Returns:
            Features, shape (4, points).
        """
        n = noise.shape[1]
        with torch.inference_mode():
            start = torch.from_numpy(noise).to(self._device)
            x: Tensor = start.to(self._dtype)
            last = len(layers.weights) - 1
            for i, (weight, bias) in enumerate(zip(*layers, strict=True)):
                out = self._buffer(i % 2, weight.shape[1], n)
                x = torch.addmm(bias[shower], weight[shower], x, out=out)
                if i < last:
                    x = leaky_relu(x, LEAK, inplace=True)
            features: Float32Array = torch.add(x, start, alpha=self._skip).cpu().numpy()
            return features

    def _buffer(self, which: int, width: int, n: int) -> Tensor:
        """Memory that every layer and shower uses again.

        Fresh memory for each would cost more than a quarter of the network's time.
        """
        memory = self._memory.blocks[which]
        if memory is None or memory.numel() < width * n:
            memory = torch.empty(width * n, dtype=self._dtype, device=self._device)
            self._memory.blocks[which] = memory
        return memory[: width * n].view(width, n)


class _Memory(threading.local):
    """Two blocks of memory for each thread."""

    def __init__(self) -> None:
        self.blocks: list[Tensor | None] = [None, None]


def point_cloud(
    net: OneStepNet,
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
    raw = _sorted_features(net, condition, offsets, seed, first)
    flat = layers.counts.ravel()
    layer = np.repeat(np.tile(np.arange(N_LAYERS, dtype=np.uint8), len(totals)), flat)
    x, y = decode_position(raw[0], raw[1], config.features)
    mean, std = config.features.log_energy
    energy = np.exp(raw[3] * np.float32(2 * std) + np.float32(mean))
    energy *= np.repeat(_energy_factors(energy, flat, layers.energies.ravel()), flat)
    position = np.float32(config.calibration.position)
    return PointCloud(offsets, x * position, y * position, layer, energy)


def _sorted_features(
    net: OneStepNet,
    condition: Float32Array,
    offsets: IntArray,
    seed: int,
    first: int,
) -> Float32Array:
    """Network features of all points, shape (4, N), each shower's ordered by depth."""
    raw = np.empty((FEATURES, offsets[-1]), np.float32)
    layers = net.fold(condition)
    for i, (start, stop) in enumerate(pairwise(offsets)):
        noise = stream(seed, first + i, "points").standard_normal(
            (FEATURES, stop - start), np.float32
        )
        points = net(layers, i, noise)
        points.take(_depth_order(points[DEPTH]), axis=1, out=raw[:, start:stop], mode="clip")
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
