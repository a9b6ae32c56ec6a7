"""Layer by layer: what the networks are told of a layer, and how they draw those of a shower.

One network serves all layers, so every shower has as many examples for it as it has layers. What
sets layers apart comes in through what it is told: where the layer is, the energies of those about
it, and how the layers before it divided.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from calozoo_caloinn.voxel_encoding import Codec
from calozoo_core.typing import Float32Array

__all__ = ["drawn_layers", "drawn_rings", "told_of_layer", "told_of_rings"]

Draw = Callable[[Float32Array, Float32Array], Float32Array]

FLOOR_MEV = np.float32(0.02)
"""Added to an energy before its logarithm is taken."""

LEAST_MEV = np.float32(1e-9)
"""What a network draws as nothing at all still has ratios."""


def told_of_layer(
    at: int, energy_gev: Float32Array, visible: Float32Array, layers: Float32Array
) -> Float32Array:
    """What the network of the layers is told, shape (n, 10).

    Arguments:
        at: Index of the layer.
        energy_gev: Incident energies, shape (n,).
        visible: Visible energies, in MeV, shape (n,).
        layers: Energies of layers, in MeV, shape (n, layers); only those before this one are looked
            at.
    """
    number = layers.shape[1]
    before = layers[:, :at].sum(axis=1)
    left = np.maximum(visible - before, 0)
    last, second, third = (_log(layers[:, at - k] if at >= k else None, left) for k in (1, 2, 3))
    depth = layers[:, :at] @ np.arange(at, dtype=np.float32) / (before + FLOOR_MEV) / number
    columns = [
        np.full_like(left, at / number),
        np.log(energy_gev),
        np.log(visible / energy_gev),
        np.log(left + FLOOR_MEV),
        np.log(before + FLOOR_MEV),
        last,
        second,
        third,
        last - np.log(left + FLOOR_MEV),
        depth,
    ]
    return np.column_stack(columns).astype(np.float32)


def told_of_rings(
    at: int, codec: Codec, energy_gev: Float32Array, layers: Float32Array, rings: Float32Array
) -> Float32Array:
    """What the network of the rings is told of a layer, shape (n, 7 + 3 (rings - 1)).

    Arguments:
        at: Index of the layer.
        codec: From energies of rings to ratios.
        energy_gev: Incident energies, shape (n,).
        layers: Energies of all layers, in MeV, shape (n, layers).
        rings: Energies of rings, in MeV, shape (n, layers, rings); only the layers before this
            one are looked at.
    """
    number = layers.shape[1]
    columns = [
        np.log(energy_gev),
        np.full_like(energy_gev, at / number),
        _log(layers[:, at], energy_gev),
        _log(layers[:, at - 1] if at > 0 else None, energy_gev),
        _log(layers[:, at + 1] if at + 1 < number else None, energy_gev),
        _log(layers[:, :at].sum(axis=1), energy_gev),
        _log(layers[:, at + 1 :].sum(axis=1), energy_gev),
    ]
    before = [rings[:, at - 1], rings[:, max(at - 2, 0)], rings[:, :at].sum(axis=1)]
    no_ratios = np.zeros((len(layers), rings.shape[2] - 1), np.float32)
    earlier = [
        codec.ratios(np.maximum(energy, LEAST_MEV)) if at > 0 else no_ratios for energy in before
    ]
    return np.concatenate([np.column_stack(columns), *earlier], axis=1).astype(np.float32)


def drawn_layers(
    draw: Draw, energy_gev: Float32Array, visible: Float32Array, noise: Float32Array
) -> Float32Array:
    """Energies of layers, in MeV, shape (n, layers).

    Arguments:
        draw: From noise, and what the network is told, to the logit of the ratio of a layer.
        energy_gev: Incident energies, shape (n,).
        visible: Visible energies, in MeV, shape (n,).
        noise: Standard normal, shape (n, layers - 1); the last layer takes what is left.
    """
    n, ratios = noise.shape
    layers = np.zeros((n, ratios + 1), np.float32)
    left = visible
    for at in range(ratios):
        logit = draw(noise[:, at : at + 1], told_of_layer(at, energy_gev, visible, layers))
        ratio = 1 / (1 + np.exp(-np.clip(logit[:, 0], -14, 14)))
        layers[:, at] = left * ratio
        left = (left * (1 - ratio)).astype(np.float32)
    layers[:, -1] = left
    return layers


def drawn_rings(
    draw: Draw, codec: Codec, energy_gev: Float32Array, layers: Float32Array, noise: Float32Array
) -> Float32Array:
    """Energies of rings, in MeV, shape (n, layers, rings).

    Arguments:
        draw: From noise, and what the network is told, to the ratios of a layer.
        codec: From ratios to energies of rings.
        energy_gev: Incident energies, shape (n,).
        layers: Energies of the layers, in MeV, shape (n, layers).
        noise: Standard normal, shape (n, layers x (rings - 1)).
    """
    n, number = layers.shape
    noise = noise.reshape(n, number, -1)
    rings = np.zeros((n, number, noise.shape[2] + 1), np.float32)
    for at in range(number):
        ratios = draw(noise[:, at], told_of_rings(at, codec, energy_gev, layers, rings))
        shares = codec.shares(ratios)
        rings[:, at] = shares * (layers[:, at] / shares.sum(axis=1))[:, None]
    return rings


def _log(energy: Float32Array | None, like: Float32Array) -> Float32Array:
    """Of an energy, or of nothing where there is no such layer, shape (n,)."""
    log: Float32Array = np.log((np.zeros_like(like) if energy is None else energy) + FLOOR_MEV)
    return log
