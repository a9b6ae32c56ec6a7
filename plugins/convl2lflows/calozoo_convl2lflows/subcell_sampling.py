"""The trained flow of the sub-cells as generation uses it: from noise to filled sub-cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from calozoo_convl2lflows.cells import FLOOR_MEV
from calozoo_convl2lflows.config import GridConfig
from calozoo_convl2lflows.grid import SubCells
from calozoo_convl2lflows.numpy_densities import (
    Array,
    Double,
    PlainDensity,
    linear,
    normal_quantile,
    sigmoid,
    silu,
)
from calozoo_convl2lflows.subcells import LAYERS_SEEN, Sticks, SubCellFlow, place_features

__all__ = ["SubCellSampler"]

GROUPS = 16


class SubCellSampler:
    """Splits the cells of whole showers, layer after layer.

    Arguments:
        flow: The trained flow; its weights are copied.
        grid: The grid.
    """

    def __init__(self, flow: SubCellFlow, grid: GridConfig) -> None:
        self.flow, self.grid = flow, grid
        self._hidden = [linear(flow.net[i]) for i in (0, 2)]
        self._pattern = linear(flow.pattern)
        self._rows, self._columns = _PlainSticks(flow.rows), _PlainSticks(flow.columns)
        # Which sub-cells each of the patterns hits.
        codes = np.arange(1, 2**grid.split**2)
        self._hits = (codes[:, None] >> np.arange(grid.split**2)) % 2 == 1
        numbers = torch.arange(grid.cells)
        rows, columns = torch.meshgrid(numbers, numbers, indexing="ij")
        places = place_features(rows.flatten(), columns.flatten(), grid.cells)
        self._place = places.numpy().reshape(grid.cells, grid.cells, -1)

    def __call__(
        self,
        streams: Sequence[np.random.Generator],
        cells: Array,
        primary: Tensor,
        energies: Tensor,
    ) -> SubCells:
        """The sub-cells with energy in them.

        Arguments:
            streams: The noise of each shower.
            cells: Energies of the cells, in MeV, shape (n, layers, cells, cells).
            primary: Features of the primaries, shape (n, 7).
            energies: Energies of the layers, in MeV, shape (n, layers).
        """
        grid, split = self.grid, self.grid.split
        n, layers = cells.shape[:2]
        side = grid.side + 2
        before = np.zeros((n, LAYERS_SEEN, side, side), np.float32)
        found: list[tuple[NDArray[np.integer] | Array, ...]] = []
        conditions = self.flow.context.of_all(primary, energies).cpu().numpy()
        for layer in range(layers):
            image, row, column = np.nonzero(cells[:, layer])
            own = cells[image, layer, row, column]
            counts = np.bincount(image, minlength=n)
            condition = conditions[:, layer]
            features = self._features(image, row, column, cells[:, layer], before, condition)
            noise = [
                random.random((count, self.flow.noise))
                for random, count in zip(streams, counts, strict=True)
            ]
            shares = self._split(np.concatenate(noise), own, features)
            energy = shares * own[:, None]
            which, inside = np.nonzero(energy >= max(grid.threshold_mev, 1e-12))
            rows, columns = row[which] * split + inside // split, column[which] * split
            columns += inside % split
            filled = energy[which, inside]
            before[:, 1:] = before[:, :-1]
            before[:, 0] = 0
            before[image[which], 0, rows + 1, columns + 1] = _map(filled)
            found.append((image[which], np.full(len(which), layer), rows, columns, filled))
        columns_of = [np.concatenate(parts) for parts in zip(*found, strict=True)]
        order = np.argsort(columns_of[0], kind="stable")
        return SubCells(*(values[order] for values in columns_of))

    def _features(
        self,
        image: NDArray[np.integer],
        row: NDArray[np.integer],
        column: NDArray[np.integer],
        cells: Array,
        before: Array,
        condition: Array,
    ) -> Array:
        n, side = len(cells), self.grid.cells + 2
        maps = np.zeros((n, 1, side, side), np.float32)
        maps[:, 0, 1:-1, 1:-1] = _map(cells)
        split = self.grid.split
        return np.concatenate(
            [
                condition[image],
                _windows(maps, image, row, column, 3),
                _windows(before, image, row * split, column * split, split + 2),
                self._place[row, column],
            ],
            axis=1,
        )

    def _split(self, noise: Double, energy: Array, features: Array) -> Array:
        """What each sub-cell has of its cell's energy, shape (N, split^2)."""
        n, split = len(energy), self.grid.split
        (w0, b0), (w1, b1) = self._hidden
        known = silu(silu(features @ w0 + b0) @ w1 + b1)
        hit = self._hits[self._chosen(noise[:, 0], known)]
        seen = np.concatenate([known, hit], axis=1, dtype=np.float32)
        image = hit.reshape(n, split, split)
        rows = self._rows(noise[:, 1:split], seen, image.any(axis=2)[:, None])[:, 0]
        seen = np.concatenate([seen, _map(rows * energy[:, None])], axis=1)
        shares = self._columns(noise[:, split:], seen, image) * rows[..., None]
        return shares.reshape(n, split * split)

    def _chosen(self, noise: Double, known: Array) -> NDArray[np.intp]:
        """The patterns that the noise picks."""
        n = len(known)
        raw = known @ self._pattern[0]
        raw += self._pattern[1]
        raw -= raw.max(axis=1, keepdims=True)
        wide = -(-raw.shape[1] // GROUPS)
        chance = np.zeros((n, GROUPS * wide), np.float32)
        np.exp(raw, out=chance[:, : raw.shape[1]])
        chance = chance.reshape(n, GROUPS, wide)
        # First the group of patterns, then the one in it: most need not be added up one by one.
        sums = chance.sum(axis=2, dtype=np.float64).cumsum(axis=1)
        height = noise * sums[:, -1]
        group = (sums[:, :-1] < height[:, None]).sum(axis=1)
        rows = np.arange(n)
        below = np.where(group > 0, sums[rows, group - 1], 0)
        inside = chance[rows, group].cumsum(axis=1, dtype=np.float64)
        place = (inside[:, :-1] < (height - below)[:, None]).sum(axis=1)
        chosen: NDArray[np.intp] = np.minimum(group * wide + place, raw.shape[1] - 1)
        return chosen


class _PlainSticks:
    """What `_Sticks` says, from noise to shares."""

    def __init__(self, sticks: Sticks) -> None:
        self.groups, self.parts = sticks.groups, sticks.parts
        self._first, self._second = linear(sticks.first), linear(sticks.second)
        self._density = PlainDensity(sticks.density)
        self._width = len(self._second[0])

    def __call__(self, noise: Double, seen: Array, hit: NDArray[np.bool_]) -> Array:
        """Shares of each group that was hit, shape (N, groups, parts + 1).

        Arguments:
            noise: Uniform in (0, 1), shape (N, groups * parts).
            seen: What is known, shape (N, inputs).
            hit: Which are hit, shape (N, groups, parts + 1).
        """
        n, groups, parts = len(seen), self.groups, self.parts
        first = silu(seen @ self._first[0] + self._first[1]).reshape(n, groups, parts, self._width)
        after = hit[..., ::-1].cumsum(axis=2)[..., ::-1]
        free = hit[..., :-1] & (after[..., 1:] > 0)
        ratio = np.ones((n, groups, parts + 1), np.float32)
        normal = normal_quantile(noise.reshape(n, groups, parts)[free])
        known = silu(first[free] @ self._second[0] + self._second[1])
        value = self._density(normal, known).astype(np.float64)
        ratio[..., :-1][free] = sigmoid(value)
        ratio *= hit
        shares = ratio
        rest = 1 - ratio[..., 0]
        for part in range(1, parts + 1):
            shares[..., part] *= rest
            rest = rest - shares[..., part]
        return shares


def _map(energy: Array) -> Array:
    seen: Array = np.log1p(energy / np.float32(FLOOR_MEV)) / 2
    return seen


def _windows(
    padded: Array,
    image: NDArray[np.integer],
    row: NDArray[np.integer],
    column: NDArray[np.integer],
    size: int,
) -> Array:
    """Squares of `size` with their first corner at row and column, (N, channels * size^2)."""
    _, channels, height, width = padded.shape
    corner = (image * channels * height + row) * width + column
    steps = np.arange(size)
    square = (steps[:, None] * width + steps).ravel()
    offsets = (np.arange(channels)[:, None] * (height * width) + square).ravel()
    windows: Array = padded.ravel()[corner[:, None] + offsets]
    return windows
