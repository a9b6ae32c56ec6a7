"""Generation of the cells of a layer by the trained flow: from noise to energies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided

from calozoo_convl2lflows.compiled_cells import CompiledCells
from calozoo_convl2lflows.config import CellsConfig, GridConfig
from calozoo_convl2lflows.contexts import NumpyContext, context_layout
from calozoo_convl2lflows.densities import (
    CELL_SCALE,
    NumpyDensity,
    density_layout,
    logistic,
    normal_quantile,
    sigmoid,
)
from calozoo_convl2lflows.grid import CELL_FLOOR_MEV
from calozoo_core.kernels import compiled_lanes
from calozoo_core.nn.mlp import leaky_relu, linear, linear_layout, silu
from calozoo_core.nn.numpy_convolution import Convolution3x3, convolution_layout
from calozoo_core.typing import Float32Array, FloatArray
from calozoo_core.weights.layout import Arrays, Layout, TensorLayout, part, prefixed

__all__ = ["AT_HIT", "LARGEST", "LEAST", "ORDER", "PHASES", "SLOPE", "CellSampler", "cells_layout"]

PHASES = 4
ORDER = (0, 3, 1, 2)
"""Order of the couplings in a block of 2 x 2 cells: two diagonal cells, then the others."""
SLOPE = 0.1
LEAST, LARGEST = 0.03, 8.5
"""Bounds of ln(1 + e / 0.03 MeV) of a deposit e."""
AT_HIT = 64
"""Features of a cell that is hit, of which its density is made."""
WINDOW = 9
"""Cells of a window of 3 x 3."""


def cells_layout(grid: GridConfig, config: CellsConfig) -> Layout:
    """Layout of `cells.CellFlows`."""
    width, hidden, half = config.width, config.hidden, grid.cells // 2
    own = {
        "maps": TensorLayout((config.maps, half, half)),
        **prefixed("context", context_layout(grid.layers, config.condition)),
        **linear_layout("mix", config.condition, width * config.maps),
        **linear_layout("gate", config.condition, width),
        **convolution_layout("first", PHASES * config.previous, width),
        **convolution_layout("second", width, width),
        **convolution_layout("third", width, width),
        **convolution_layout("spread", width, PHASES * hidden, 1),
        **convolution_layout("near", PHASES, PHASES * hidden, bias=False),
        **convolution_layout("last", PHASES * hidden, PHASES * hidden, 1, groups=PHASES),
        **convolution_layout("logit", PHASES * hidden, PHASES, 1, groups=PHASES),
        **linear_layout("at_hit.0", hidden, AT_HIT),
        **density_layout("density", AT_HIT, config.bins),
    }
    for phase in range(PHASES):
        own |= linear_layout(f"left.{phase}", config.condition + 2, hidden)
    layout: Layout = {}
    for number in range(1 if config.shared else grid.layers):
        layout |= prefixed(f"flows.{number}", own)
    return layout


class CellSampler:
    """Generation of the cells of whole showers, layer after layer.

    Arguments:
        grid: The grid.
        config: Sizes of the flows.
        arrays: Tensors of `cells_layout`.
    """

    def __init__(self, grid: GridConfig, config: CellsConfig, arrays: Arrays) -> None:
        self.grid, self._config = grid, config
        number = 1 if config.shared else grid.layers
        parts = [part(arrays, f"flows.{i}") for i in range(number)]
        self._contexts = [NumpyContext(grid.layers, part(own, "context")) for own in parts]
        self._samplers = [_LayerSampler(config, own) for own in parts]
        self._compiled = CompiledCells(grid, config, parts[0]) if config.shared else None

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """Shape of the noise of one shower."""
        half = self.grid.cells // 2
        return self.grid.layers, PHASES, half, half

    def __call__(
        self,
        streams: Sequence[np.random.Generator],
        primary: Float32Array,
        energies: Float32Array,
    ) -> Float32Array:
        """Energies of the cells, in MeV, shape (n, layers, cells, cells).

        Arguments:
            streams: Random stream of each shower.
            primary: Features of the primaries, shape (n, 7).
            energies: Energies of the layers, in MeV, shape (n, layers).
        """
        shape = self.noise_shape
        noise = np.stack([random.random(shape) for random in streams])
        return self.cells(noise, primary, energies)

    def cells(
        self, noise: FloatArray, primary: Float32Array, energies: Float32Array
    ) -> Float32Array:
        """Energies of the cells from noise, in MeV, shape (n, layers, cells, cells).

        Arguments:
            noise: Uniform in [0, 1), shape (n, layers, 4, half, half): the couplings of a layer in
                their order.
            primary: Features of the primaries, shape (n, 7).
            energies: Energies of the layers, in MeV, shape (n, layers).
        """
        lanes = compiled_lanes()
        if lanes and self._compiled is not None:
            return self._compiled(noise, self._contexts[0](primary, energies), energies, lanes)
        n, layers, half = len(primary), self.grid.layers, self.grid.cells // 2
        logits = logistic(noise)
        previous, shared = self._config.previous, self._config.shared
        # Maps of the layers before, the nearest first, with a cell of zeros around.
        before = np.zeros((n, half + 2, half + 2, previous * PHASES), np.float32)
        cells = np.zeros((n, layers, PHASES, half, half), np.float32)
        conditions = [context(primary, energies) for context in self._contexts]
        for layer in range(layers):
            rows = np.flatnonzero(energies[:, layer] > 0)
            number = 0 if shared else layer
            maps = np.zeros((n, half, half, PHASES), np.float32)
            if len(rows) == n:
                own = before, conditions[number][:, layer]
                cells[:, layer], maps = self._samplers[number](
                    logits[:, layer], *own, energies[:, layer]
                )
            elif len(rows):
                own = before[rows], conditions[number][rows, layer]
                cells[rows, layer], maps[rows] = self._samplers[number](
                    logits[rows, layer], *own, energies[rows, layer]
                )
            before[..., PHASES:] = before[..., :-PHASES].copy()
            before[:, 1:-1, 1:-1, :PHASES] = maps
        blocks = np.empty((n, layers, half, 2, half, 2), np.float32)
        for phase, place in enumerate(ORDER):
            blocks[:, :, :, place // 2, :, place % 2] = cells[:, :, phase]
        return blocks.reshape(n, layers, 2 * half, 2 * half)


class _LayerSampler:
    """Generation of the cells of one layer, with the weights split into those of each coupling.

    Hidden features of a coupling are one product: a row for each block of cells, of the features
    from the layers before and the windows of the couplings before.
    """

    def __init__(self, config: CellsConfig, arrays: Arrays) -> None:
        hidden, width = config.hidden, config.width
        self._hidden, self._width = hidden, width
        self._maps = arrays["maps"].reshape(config.maps, -1).T.copy()
        self._mix, self._gate = linear(arrays, "mix"), linear(arrays, "gate")
        self._first, self._second, self._third = (
            Convolution3x3.of(arrays, name) for name in ("first", "second", "third")
        )
        spread, near = arrays["spread.weight"][:, :, 0, 0], arrays["near.weight"]
        last, logit = arrays["last.weight"][:, :, 0, 0], arrays["logit.weight"][:, :, 0, 0]
        self._phases = []
        for phase in range(PHASES):
            own = slice(phase * hidden, (phase + 1) * hidden)
            windows = near[own, :phase].reshape(hidden, phase * WINDOW)
            inputs = np.concatenate([spread[own], windows], axis=1).T.copy()
            weight, bias = linear(arrays, f"left.{phase}")
            self._phases.append(
                (
                    (inputs, weight, bias + arrays["spread.bias"][own]),
                    (last[own].T.copy(), arrays["last.bias"][own]),
                    (logit[phase], arrays["logit.bias"][phase]),
                )
            )
        self._at_hit = linear(arrays, "at_hit.0")
        self._density = NumpyDensity(arrays, "density", CELL_SCALE)

    def __call__(
        self,
        logits: Float32Array,
        before: Float32Array,
        condition: Float32Array,
        layer_energy: Float32Array,
    ) -> tuple[Float32Array, Float32Array]:
        """Energies of the cells of a layer, and their maps.

        Arguments:
            logits: Logits of the noise, shape (n, 4, half, half).
            before: Maps of the layers before, shape (n, half + 2, half + 2, previous * 4).
            condition: Context vector, shape (n, condition).
            layer_energy: Energy of the layer, in MeV, shape (n,).

        Returns:
            Energies, shape (n, 4, half, half), and maps, shape (n, half, half, 4).
        """
        n, half = len(logits), logits.shape[-1]
        blocks, width = half * half, self._width
        inputs = np.empty((n * blocks, width + (PHASES - 1) * WINDOW), np.float32)
        inputs[:, :width] = self._previous_layers(before, condition)
        energy = np.zeros((n, PHASES, half, half), np.float32)
        excesses = np.empty_like(energy)
        used = np.zeros(n, np.float32)
        features = np.empty((n, condition.shape[1] + 2), np.float32)
        features[:, :-2] = condition
        for phase, (first, last, to_logit) in enumerate(self._phases):
            remaining = np.maximum(layer_energy - used, 0)
            features[:, -2] = np.log1p(remaining / np.float32(CELL_FLOOR_MEV)) / 4
            features[:, -1] = remaining / np.maximum(layer_energy, np.float32(1e-3))
            x = inputs[:, : width + phase * WINDOW] @ first[0]
            by_shower = x.reshape(n, blocks, -1)
            by_shower += (features @ first[1] + first[2])[:, None]
            x = leaky_relu(x, SLOPE) @ last[0]
            x += last[1]
            x = leaky_relu(x, SLOPE)
            logit = (x @ to_logit[0]).reshape(n, half, half)
            logit += to_logit[1]
            excess = np.add(logit, logits[:, phase], out=excesses[:, phase])
            image, row, column = np.nonzero(excess > 0)
            value = np.zeros(0, np.float32)
            if len(image):
                at_hit = x[(image * half + row) * half + column]
                value = self._values(at_hit, logit[image, row, column], excess[image, row, column])
                deposit = np.expm1(value) * np.float32(CELL_FLOOR_MEV)
                energy[image, phase, row, column] = deposit
                used += np.bincount(image, deposit, minlength=n).astype(np.float32)
            if phase < PHASES - 1:
                maps = np.zeros((n, half + 2, half + 2), np.float32)
                maps[image, row + 1, column + 1] = value / 2
                at = width + phase * WINDOW
                inputs[:, at : at + WINDOW] = _windows(maps).reshape(-1, WINDOW)
        energy = _scaled(energy, excesses, layer_energy, used)
        return energy, np.log1p(energy / np.float32(CELL_FLOOR_MEV)).transpose(0, 2, 3, 1) / 2

    def _previous_layers(self, before: Float32Array, condition: Float32Array) -> Float32Array:
        """Features from the layers before, shape (n * half * half, width)."""
        n, width = len(condition), self._width
        mix = (condition @ self._mix[0] + self._mix[1]).reshape(n, width, -1)
        place = np.matmul(self._maps, mix.transpose(0, 2, 1))
        gate = 1 + (condition @ self._gate[0] + self._gate[1])
        x = self._first.of_padded(before)
        x *= gate[:, None, None]
        x += place.reshape(x.shape)
        x = leaky_relu(self._second(leaky_relu(x, SLOPE)), SLOPE)
        x = leaky_relu(self._third(x), SLOPE)
        return x.reshape(-1, width)

    def _values(
        self, features: Float32Array, logit: Float32Array, excess: Float32Array
    ) -> Float32Array:
        """Logarithmic deposits of cells that are hit, shape (n,).

        Arguments:
            features: Hidden features, shape (n, hidden).
            logit: Logits of a hit.
            excess: Sums of the logits and the logistic noise.
        """
        double: FloatArray = logit.astype(np.float64)
        # 1 - (1 - u) / p, where u is the noise and p the probability of a hit.
        probability = 1 - sigmoid(double - excess) / sigmoid(double)
        weight, bias = self._at_hit
        value = self._density(normal_quantile(probability), silu(features @ weight + bias))
        clipped: Float32Array = np.minimum(np.maximum(value, LEAST), LARGEST)
        return clipped


def _scaled(
    energy: Float32Array, excesses: Float32Array, layer_energy: Float32Array, total: Float32Array
) -> Float32Array:
    """Deposits scaled to the energy of their layer; if none is hit, one cell has all of it."""
    for image in np.flatnonzero(total <= 0):
        energy[image].flat[excesses[image].argmax()] = 1
        total[image] = 1
    energy *= (layer_energy / total)[:, None, None, None]
    return energy


def _windows(padded: Float32Array) -> Float32Array:
    """Windows of 3 x 3 of images, shape (n, height, width, 3, 3), as a view.

    Arguments:
        padded: Images with a pixel around, shape (n, height + 2, width + 2).
    """
    n, height, width = padded.shape
    steps = padded.strides
    shape = (n, height - 2, width - 2, 3, 3)
    return as_strided(padded, shape, (*steps, *steps[1:]), writeable=False)
