"""Generation of layer energies by the trained flow: from noise to energies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calozoo_convl2lflows.compiled_energies import CompiledLayerEnergies
from calozoo_convl2lflows.config import EnergyConfig
from calozoo_convl2lflows.contexts import LAYER_FLOOR_MEV, PRIMARY_FEATURES
from calozoo_convl2lflows.densities import (
    LAYER_SCALE,
    NumpyDensity,
    density_layout,
    normal_quantile,
    sigmoid,
)
from calozoo_core.kernels import compiled_lanes
from calozoo_core.nn.mlp import linear, linear_layout, silu
from calozoo_core.typing import Float32Array, FloatArray
from calozoo_core.weights.layout import Arrays, Layout

__all__ = ["LayerEnergySampler", "energies_layout"]


def energies_layout(layers: int, config: EnergyConfig) -> Layout:
    """Layout of a `layer_energies.LayerEnergies`."""
    hidden = config.hidden
    return {
        **linear_layout("net.0", PRIMARY_FEATURES + 2 * layers + 3, hidden),
        **linear_layout("net.2", hidden, hidden),
        **linear_layout("net.4", hidden, hidden),
        **linear_layout("logit", hidden, 1),
        **density_layout("density", hidden, config.bins),
    }


class LayerEnergySampler:
    """Generation of layer energies on arrays.

    Arguments:
        layers: Number of layers.
        arrays: Tensors of `energies_layout`.
    """

    def __init__(self, layers: int, arrays: Arrays) -> None:
        self.layers = layers
        self._hidden = [linear(arrays, f"net.{i}") for i in (0, 2, 4)]
        self._logit = linear(arrays, "logit")
        self._density = NumpyDensity(arrays, "density", LAYER_SCALE)
        self._compiled = CompiledLayerEnergies(layers, arrays)

    def __call__(
        self, streams: Sequence[np.random.Generator], primary: Float32Array
    ) -> Float32Array:
        """Energies of the layers, in MeV, shape (n, layers).

        Arguments:
            streams: Random stream of each shower.
            primary: Features of the primaries, shape (n, 7).
        """
        noise = np.stack([random.random(self.layers) for random in streams])
        return self.energies(noise, primary)

    def energies(self, noise: FloatArray, primary: Float32Array) -> Float32Array:
        """Energies of the layers from noise, in MeV, shape (n, layers).

        Arguments:
            noise: Uniform in (0, 1), shape (n, layers).
            primary: Features of the primaries, shape (n, 7).
        """
        n, layers = len(primary), self.layers
        lanes = compiled_lanes()
        if lanes:
            return self._compiled(noise, primary, _scale(primary), lanes)
        weight, bias = self._hidden[0]
        of_primary, of_before, of_which, of_summary = np.split(
            weight, [PRIMARY_FEATURES, PRIMARY_FEATURES + layers, PRIMARY_FEATURES + 2 * layers]
        )
        start = primary @ of_primary + bias
        scale = _scale(primary)
        energy, logs = np.zeros((2, n, layers), np.float32)
        total, moment = np.zeros((2, n), np.float32)
        summary = np.zeros((n, 3), np.float32)
        for layer in range(layers):
            x = start + of_which[layer]
            if layer:
                x += logs[:, layer - 1 :: -1] @ of_before[:layer]
                summary[:, 0] = np.log1p(total / np.float32(LAYER_FLOOR_MEV)) / 4
                summary[:, 1] = total / scale
                centre = moment / np.maximum(total, np.float32(1e-3))
                summary[:, 2] = (layer - centre) / layers * (total > 0)
                x += summary @ of_summary
            x = silu(x)
            for inner, inner_bias in self._hidden[1:]:
                x = x @ inner
                x += inner_bias
                x = silu(x)
            logit = (x @ self._logit[0] + self._logit[1])[:, 0].astype(np.float64)
            is_hit = noise[:, layer] > sigmoid(-logit)
            if not is_hit.any():
                continue
            probability = 1 - (1 - noise[is_hit, layer]) / sigmoid(logit[is_hit])
            value = self._density(normal_quantile(probability), x[is_hit])
            deposit = np.expm1(np.clip(value, 1e-3, 14.0)) * np.float32(LAYER_FLOOR_MEV)
            energy[is_hit, layer] = deposit
            logs[is_hit, layer] = np.log1p(deposit / np.float32(LAYER_FLOOR_MEV)) / 4
            total[is_hit] += deposit
            moment[is_hit] += deposit * layer
        return energy


def _scale(primary: Float32Array) -> Float32Array:
    """Energy that showers of these primaries leave, in MeV, about, shape (n,)."""
    scale: Float32Array = np.exp(primary[:, 0] * np.float32(1.5) + np.float32(3.5)) * np.float32(24)
    return scale
