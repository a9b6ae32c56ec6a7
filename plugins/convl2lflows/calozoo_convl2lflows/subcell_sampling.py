"""Generation of the sub-cells of hit cells by the trained flow: from noise to energies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calozoo_convl2lflows.compiled_subcells import CompiledSubCells
from calozoo_convl2lflows.config import GridConfig, SubCellsConfig
from calozoo_convl2lflows.contexts import NumpyContext, context_layout
from calozoo_convl2lflows.densities import (
    STICK_SCALE,
    NumpyDensity,
    density_layout,
    normal_quantile,
    sigmoid,
)
from calozoo_convl2lflows.grid import CELL_FLOOR_MEV, SubCells
from calozoo_core.kernels import compiled_lanes
from calozoo_core.nn.mlp import linear, linear_layout, silu
from calozoo_core.typing import BoolArray, Float32Array, FloatArray
from calozoo_core.weights.layout import Arrays, Layout, part, prefixed

__all__ = ["POSITION_FEATURES", "PREVIOUS_LAYERS", "SubCellSampler", "subcells_layout"]

POSITION_FEATURES = 5

PREVIOUS_LAYERS = 2
"""Layers before a cell whose sub-cells are among its features."""

GROUPS = 16
"""Groups that the patterns of hits are searched in."""


def subcells_layout(grid: GridConfig, config: SubCellsConfig) -> Layout:
    """Layout of a `subcells.SubCellFlow`."""
    split, hidden = grid.split, config.hidden
    inputs = config.condition + 9 + PREVIOUS_LAYERS * (split + 2) ** 2 + POSITION_FEATURES
    return {
        **prefixed("context", context_layout(grid.layers, config.condition)),
        **linear_layout("net.0", inputs, hidden),
        **linear_layout("net.2", hidden, hidden),
        **linear_layout("pattern", hidden, 2**split**2 - 1),
        **prefixed("rows", _sticks_layout(hidden + split**2, split - 1, config)),
        **prefixed(
            "columns", _sticks_layout(hidden + split**2 + split, split * (split - 1), config)
        ),
    }


def _sticks_layout(inputs: int, fractions: int, config: SubCellsConfig) -> Layout:
    return {
        **linear_layout("first", inputs, fractions * config.step),
        **linear_layout("second", config.step, config.step),
        **density_layout("density", config.step, config.bins),
    }


class SubCellSampler:
    """Generation of the sub-cells of whole showers, layer after layer.

    Arguments:
        grid: The grid.
        arrays: Tensors of `subcells_layout`.
    """

    def __init__(self, grid: GridConfig, arrays: Arrays) -> None:
        self.grid = grid
        self.noise = 1 + (grid.split - 1) * (grid.split + 1)
        self._context = NumpyContext(grid.layers, part(arrays, "context"))
        self._hidden = [linear(arrays, f"net.{i}") for i in (0, 2)]
        self._pattern = linear(arrays, "pattern")
        self._rows = _StickBreaking(1, grid.split - 1, part(arrays, "rows"))
        self._columns = _StickBreaking(grid.split, grid.split - 1, part(arrays, "columns"))
        patterns = np.arange(1, 2**grid.split**2)
        self._hits_of_pattern = (patterns[:, None] >> np.arange(grid.split**2)) % 2 == 1
        self._positions = _position_features(grid.cells)
        self._compiled = None
        if grid.split in CompiledSubCells.splits:
            self._compiled = CompiledSubCells(grid, arrays, self._positions)

    def __call__(
        self,
        streams: Sequence[np.random.Generator],
        cells: Float32Array,
        primary: Float32Array,
        energies: Float32Array,
    ) -> SubCells:
        """The sub-cells with energy in them.

        Arguments:
            streams: Random stream of each shower.
            cells: Energies of the cells, in MeV, shape (n, layers, cells, cells).
            primary: Features of the primaries, shape (n, 7).
            energies: Energies of the layers, in MeV, shape (n, layers).
        """
        conditions, lanes = self._context(primary, energies), compiled_lanes()
        if lanes and self._compiled is not None:
            return self._compiled(streams, cells, conditions, lanes)
        grid, split = self.grid, self.grid.split
        n, layers = cells.shape[:2]
        side = grid.side + 2
        before = np.zeros((n, PREVIOUS_LAYERS, side, side), np.float32)
        parts: list[tuple[NDArray[np.integer] | Float32Array, ...]] = []
        for layer in range(layers):
            image, row, column = np.nonzero(cells[:, layer])
            own = cells[image, layer, row, column]
            counts = np.bincount(image, minlength=n)
            condition = conditions[:, layer]
            features = self._features(image, row, column, cells[:, layer], before, condition)
            noise = [
                random.random((count, self.noise))
                for random, count in zip(streams, counts, strict=True)
            ]
            shares = self._split(np.concatenate(noise), own, features)
            energy = shares * own[:, None]
            cell, inside = np.nonzero(energy >= max(grid.threshold_mev, 1e-12))
            rows = row[cell] * split + inside // split
            columns = column[cell] * split + inside % split
            filled = energy[cell, inside]
            before[:, 1:] = before[:, :-1]
            before[:, 0] = 0
            before[image[cell], 0, rows + 1, columns + 1] = _log_energy_map(filled)
            parts.append((image[cell], np.full(len(cell), layer), rows, columns, filled))
        fields = [np.concatenate(field) for field in zip(*parts, strict=True)]
        order = np.argsort(fields[0], kind="stable")
        return SubCells(*(values[order] for values in fields))

    def _features(
        self,
        image: NDArray[np.integer],
        row: NDArray[np.integer],
        column: NDArray[np.integer],
        cells: Float32Array,
        before: Float32Array,
        condition: Float32Array,
    ) -> Float32Array:
        """Features of `SubCellFlow.features`, on arrays."""
        n, side = len(cells), self.grid.cells + 2
        maps = np.zeros((n, 1, side, side), np.float32)
        maps[:, 0, 1:-1, 1:-1] = _log_energy_map(cells)
        split = self.grid.split
        return np.concatenate(
            [
                condition[image],
                _windows(maps, image, row, column, 3),
                _windows(before, image, row * split, column * split, split + 2),
                self._positions[row, column],
            ],
            axis=1,
        )

    def _split(
        self, noise: FloatArray, energy: Float32Array, features: Float32Array
    ) -> Float32Array:
        """Share of each sub-cell in its cell's energy, shape (N, split^2)."""
        n, split = len(energy), self.grid.split
        (w0, b0), (w1, b1) = self._hidden
        hidden = silu(silu(features @ w0 + b0) @ w1 + b1)
        is_hit = self._hits_of_pattern[self._patterns(noise[:, 0], hidden)]
        inputs = np.concatenate([hidden, is_hit], axis=1, dtype=np.float32)
        image = is_hit.reshape(n, split, split)
        rows = self._rows(noise[:, 1:split], inputs, image.any(axis=2)[:, None])[:, 0]
        inputs = np.concatenate([inputs, _log_energy_map(rows * energy[:, None])], axis=1)
        shares = self._columns(noise[:, split:], inputs, image) * rows[..., None]
        return shares.reshape(n, split * split)

    def _patterns(self, noise: FloatArray, hidden: Float32Array) -> NDArray[np.intp]:
        """Indices of the patterns at uniform noise, shape (N,)."""
        n = len(hidden)
        raw = hidden @ self._pattern[0]
        raw += self._pattern[1]
        raw -= raw.max(axis=1, keepdims=True)
        width = -(-raw.shape[1] // GROUPS)
        weight = np.zeros((n, GROUPS * width), np.float32)
        np.exp(raw, out=weight[:, : raw.shape[1]])
        weight = weight.reshape(n, GROUPS, width)
        # First the group of patterns, then the one in it: most need not be added up one by one.
        sums = weight.sum(axis=2, dtype=np.float64).cumsum(axis=1)
        height = noise * sums[:, -1]
        group = (sums[:, :-1] < height[:, None]).sum(axis=1)
        rows = np.arange(n)
        below = np.where(group > 0, sums[rows, group - 1], 0)
        inside = weight[rows, group].cumsum(axis=1, dtype=np.float64)
        member = (inside[:, :-1] < (height - below)[:, None]).sum(axis=1)
        pattern: NDArray[np.intp] = np.minimum(group * width + member, raw.shape[1] - 1)
        return pattern


class _StickBreaking:
    """Shares of `subcells.StickBreaking` from noise, on arrays."""

    def __init__(self, groups: int, parts: int, arrays: Arrays) -> None:
        self.groups, self.parts = groups, parts
        self._first, self._second = linear(arrays, "first"), linear(arrays, "second")
        self._density = NumpyDensity(arrays, "density", STICK_SCALE)
        self._width = len(self._second[0])

    def __call__(self, noise: FloatArray, inputs: Float32Array, is_hit: BoolArray) -> Float32Array:
        """Shares of the members of each group, shape (N, groups, parts + 1).

        Arguments:
            noise: Uniform in (0, 1), shape (N, groups * parts).
            inputs: Input features, shape (N, inputs).
            is_hit: Members that are hit, shape (N, groups, parts + 1).
        """
        n, groups, parts = len(inputs), self.groups, self.parts
        first = silu(inputs @ self._first[0] + self._first[1])
        first = first.reshape(n, groups, parts, self._width)
        after = is_hit[..., ::-1].cumsum(axis=2)[..., ::-1]
        is_free = is_hit[..., :-1] & (after[..., 1:] > 0)
        normal = normal_quantile(noise.reshape(n, groups, parts)[is_free])
        hidden = silu(first[is_free] @ self._second[0] + self._second[1])
        shares = np.ones((n, groups, parts + 1), np.float32)
        shares[..., :-1][is_free] = sigmoid(self._density(normal, hidden).astype(np.float64))
        shares *= is_hit
        rest = 1 - shares[..., 0]
        for member in range(1, parts + 1):
            shares[..., member] *= rest
            rest = rest - shares[..., member]
        return shares


def _log_energy_map(energy: Float32Array) -> Float32Array:
    logs: Float32Array = np.log1p(energy / np.float32(CELL_FLOOR_MEV)) / 2
    return logs


def _windows(
    padded: Float32Array,
    image: NDArray[np.integer],
    row: NDArray[np.integer],
    column: NDArray[np.integer],
    size: int,
) -> Float32Array:
    """Squares of `size` with their first corner at row and column, (N, channels * size^2)."""
    _, channels, height, width = padded.shape
    corner = (image * channels * height + row) * width + column
    steps = np.arange(size)
    square = (steps[:, None] * width + steps).ravel()
    offsets = (np.arange(channels)[:, None] * (height * width) + square).ravel()
    windows: Float32Array = padded.ravel()[corner[:, None] + offsets]
    return windows


def _position_features(number: int) -> Float32Array:
    """Features of the position of each cell, as `subcells.position_features`, (n, n, 5)."""
    at = (np.arange(number, dtype=np.float32) + np.float32(0.5)) / number * 2 - 1
    x, y = np.broadcast_arrays(at, at[:, None])
    r = np.sqrt(x * x + y * y)
    columns = [x, y, r, np.log(r + np.float32(0.05)), np.exp(-((r / np.float32(0.1)) ** 2))]
    return np.stack(columns, axis=2)
