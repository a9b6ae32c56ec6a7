"""Primaries and contexts of layers in numpy: what the flows of cells and sub-cells are given."""

from __future__ import annotations

import numpy as np

from calozoo_core.nn.mlp import linear, linear_layout, silu
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Arrays, Layout, prefixed

__all__ = [
    "ENERGY_SCALE_GEV",
    "LAYER_FLOOR_MEV",
    "NEIGHBOURS",
    "PRIMARY_FEATURES",
    "NumpyContext",
    "context_layout",
    "primary_features",
]

PRIMARY_FEATURES = 7
ENERGY_SCALE_GEV = 127.0
LAYER_FLOOR_MEV = 0.1
NEIGHBOURS = 3
"""Layers on either side of a layer whose energies are in its context."""


def primary_features(energy_gev: Float32Array, direction: Float32Array) -> Float32Array:
    """Input features of a primary: energy, direction and slopes, shape (n, 7).

    Arguments:
        energy_gev: Incident energies, shape (n,).
        direction: Unit vectors, shape (n, 3).
    """
    slope = direction[:, :2] / direction[:, 2:]
    logs = (np.log(energy_gev) - np.float32(3.5)) / np.float32(1.5)
    scaled = energy_gev / np.float32(ENERGY_SCALE_GEV)
    return np.column_stack([logs, scaled, direction, slope / np.float32(1.7)])


def context_layout(layers: int, width: int) -> Layout:
    """Layout of a `layer_energies.LayerContext`."""
    inputs = PRIMARY_FEATURES + layers + (2 * NEIGHBOURS + 1) + 4
    return prefixed(
        "net", linear_layout("0", inputs, 2 * width) | linear_layout("2", 2 * width, width)
    )


class NumpyContext:
    """Context vectors of all layers of showers.

    Arguments:
        layers: Number of layers.
        arrays: Tensors of `context_layout`.
    """

    def __init__(self, layers: int, arrays: Arrays) -> None:
        self._layers = layers
        self._first, self._second = linear(arrays, "net.0"), linear(arrays, "net.2")

    def __call__(self, primary: Float32Array, energies: Float32Array) -> Float32Array:
        """The vectors, shape (n, layers, width).

        Arguments:
            primary: Features of the primaries, shape (n, 7).
            energies: Energies of all layers, in MeV, shape (n, layers).
        """
        n, layers = len(primary), self._layers
        logs = np.log1p(energies / np.float32(LAYER_FLOOR_MEV)) / 4
        padded = np.pad(logs, ((0, 0), (NEIGHBOURS, NEIGHBOURS)))
        total = np.maximum(energies.sum(axis=1, keepdims=True), np.float32(1e-3))
        layer = np.arange(layers, dtype=np.float32)
        centre = (energies @ layer)[:, None] / total
        inputs = np.zeros((n, layers, len(self._first[0])), np.float32)
        inputs[:, :, :PRIMARY_FEATURES] = primary[:, None]
        at = np.arange(layers)
        inputs[:, at, PRIMARY_FEATURES + at] = 1
        window = PRIMARY_FEATURES + layers
        for step in range(2 * NEIGHBOURS + 1):
            inputs[:, :, window + step] = padded[:, step : step + layers]
        inputs[:, :, -4] = np.log1p(energies.sum(axis=1) / np.float32(LAYER_FLOOR_MEV))[:, None] / 4
        inputs[:, :, -3] = centre / layers
        inputs[:, :, -2] = (layer - centre) / layers
        inputs[:, :, -1] = energies / total * 10
        hidden = silu(inputs.reshape(n * layers, -1) @ self._first[0] + self._first[1])
        vectors = silu(hidden @ self._second[0] + self._second[1])
        return vectors.reshape(n, layers, -1)
