"""The sub-cells of the cells that were hit: what each takes of what the ones before it left."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, pad, silu

from calozoo_convl2lflows.cells import cell_map
from calozoo_convl2lflows.config import GridConfig, SubCellsConfig
from calozoo_convl2lflows.context import LayerContext
from calozoo_convl2lflows.hurdle import Density

__all__ = ["LAYERS_SEEN", "HitCells", "Sticks", "SubCellFlow", "place_features"]

PLACE_FEATURES = 5
NOTHING = 1e-6
"""A share of a cell's energy that counts for nothing."""
LAYERS_SEEN = 2
"""Layers before it of which a cell sees the sub-cells."""


class HitCells(NamedTuple):
    """Cells with energy in them, of some layers of some showers.

    Arguments:
        image: Which layer of which shower each belongs to: a row of the maps, shape (N,).
        row: Row in its layer.
        column: Column in its layer.
        energy: In MeV.
    """

    image: Tensor
    row: Tensor
    column: Tensor
    energy: Tensor


class SubCellFlow(nn.Module):
    r"""Splits the energy of a cell into its sub-cells.

    First, which sub-cells are hit: one of the 511 patterns of 3 x 3. Then, what each row takes of
    what the rows before it left, and inside a row each sub-cell of what those before it left; the
    last one hit takes the rest. These parts are monotone functions of their noise
    (`hurdle.Density`). Only cells that were hit are looked at, so this costs little although it
    works at the full resolution.

    Arguments:
        grid: The grid.
        config: Sizes.
    """

    def __init__(self, grid: GridConfig, config: SubCellsConfig) -> None:
        super().__init__()
        self.grid, self.config = grid, config
        split, hidden = grid.split, config.hidden
        inputs = config.condition + 9 + LAYERS_SEEN * (split + 2) ** 2 + PLACE_FEATURES
        self.context = LayerContext(grid.layers, config.condition)
        self.net = nn.Sequential(
            nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU()
        )
        self.pattern = nn.Linear(hidden, 2**split**2 - 1)
        self.rows = Sticks(hidden + split**2, 1, split - 1, config)
        self.columns = Sticks(hidden + split**2 + split, split, split - 1, config)

    @property
    def noise(self) -> int:
        """Numbers of noise for a cell: its pattern, then the parts of rows, then of sub-cells."""
        return 1 + (self.grid.split - 1) * (self.grid.split + 1)

    def features(self, cells: HitCells, maps: Tensor, before: Tensor, condition: Tensor) -> Tensor:
        """What is known of each cell, shape (N, features).

        Arguments:
            cells: The cells.
            maps: Maps of the cells of their layers, shape (images, cells, cells).
            before: Maps of the sub-cells of the two layers before, the nearest first, shape
                (images, 2, side, side).
            condition: What `context` says of each image, shape (images, condition).
        """
        split = self.grid.split
        near = _windows(maps[:, None], cells, 1, 3)
        fine = _windows(before, cells, split, split + 2)
        place = place_features(cells.row, cells.column, self.grid.cells)
        return torch.cat([condition[cells.image], near, fine, place], dim=1)

    def log_prob(self, shares: Tensor, energy: Tensor, features: Tensor) -> Tensor:
        """Log-density of how cells are split, shape (N,).

        Arguments:
            shares: What each sub-cell has of its cell's energy, shape (N, split^2).
            energy: Of the cells, in MeV.
            features: From `features`.
        """
        log_chance, code, sticks = self._given(shares, energy, features)
        log_prob = log_chance.gather(1, code[:, None])[:, 0]
        for part in sticks:
            density = part.density.log_prob(part.logit[part.free], part.known[part.free])
            log_prob = log_prob.index_add(0, part.free.nonzero()[:, 0], density)
        return log_prob

    def to_noise(self, shares: Tensor, energy: Tensor, features: Tensor, inside: Tensor) -> Tensor:
        """The noise behind how cells are split, uniform in (0, 1), shape (N, noise).

        Arguments:
            shares: As in `log_prob`.
            energy: As in `log_prob`.
            features: As in `log_prob`.
            inside: Where among the noise of its pattern that of a cell lies, and the noise of parts
                that are not free, in (0, 1), shape (N, noise).
        """
        log_chance, code, sticks = self._given(shares, energy, features)
        chance = log_chance.double().exp()
        below = (chance.cumsum(dim=1) - chance).gather(1, code[:, None])
        noise = [below + chance.gather(1, code[:, None]) * inside[:, :1]]
        start = 1
        for part in sticks:
            own = inside[:, start : start + part.free[0].numel()].double()
            start += own.shape[1]
            normal, _ = part.density.to_noise(part.logit[part.free], part.known[part.free])
            share = torch.special.ndtr(normal.double())
            noise.append(own.masked_scatter(part.free.flatten(1), share))
        return torch.cat(noise, dim=1)

    def _given(
        self, shares: Tensor, energy: Tensor, features: Tensor
    ) -> tuple[Tensor, Tensor, tuple[_Given, _Given]]:
        """Log-probabilities of the patterns, which it was, and the parts of rows and sub-cells."""
        n, split = len(shares), self.grid.split
        known = self.net(features)
        hit = shares > 0
        code = (hit * 2 ** torch.arange(split**2, device=hit.device)).sum(dim=1) - 1
        log_chance = log_softmax(self.pattern(known), dim=1)
        image = shares.view(n, split, split)
        rows = image.sum(dim=2)
        seen = torch.cat([known, hit.to(known.dtype)], dim=1)
        by_row = torch.cat([seen, cell_map(rows * energy[:, None])], dim=1)
        sticks = (self.rows.given(seen, rows[:, None]), self.columns.given(by_row, image))
        return log_chance, code, sticks


class _Given(NamedTuple):
    """Parts, and what is known of them, shapes (N, groups, parts, ...)."""

    density: Density
    known: Tensor
    logit: Tensor
    free: Tensor


class Sticks(nn.Module):
    """What each but the last of some neighbours takes of what the ones before it left.

    Arguments:
        inputs: Width of what is known.
        groups: Groups of neighbours.
        parts: Neighbours of a group, but the last.
        config: Sizes.
    """

    def __init__(self, inputs: int, groups: int, parts: int, config: SubCellsConfig) -> None:
        super().__init__()
        self.groups, self.parts = groups, parts
        self.first = nn.Linear(inputs, groups * parts * config.step)
        self.second = nn.Linear(config.step, config.step)
        self.density = Density(config.step, config.bins, mean=0.0, std=2.0)

    def given(self, seen: Tensor, shares: Tensor) -> _Given:
        """The parts that are neither nothing nor all, and what is known of each.

        Arguments:
            seen: Shape (N, inputs).
            shares: Shape (N, groups, parts + 1).
        """
        known = torch.unflatten(silu(self.first(seen)), 1, (self.groups, self.parts, -1))
        known = silu(self.second(known))
        left = shares.flip(2).cumsum(2).flip(2)
        own, rest, after = shares[..., :-1], left[..., :-1], left[..., 1:]
        ratio = own / rest.clamp(min=NOTHING)
        logit = torch.logit(ratio.clamp(NOTHING, 1 - NOTHING))
        return _Given(self.density, known, logit, (own > 0) & (after > NOTHING))


def place_features(row: Tensor, column: Tensor, number: int) -> Tensor:
    """What a network sees of where a cell lies in its layer of `number` by `number`, (N, 5)."""
    x = (column + 0.5) / number * 2 - 1
    y = (row + 0.5) / number * 2 - 1
    r = (x.square() + y.square()).sqrt()
    return torch.stack([x, y, r, (r + 0.05).log(), (-((r / 0.1) ** 2)).exp()], dim=1)


def _windows(maps: Tensor, cells: HitCells, split: int, size: int) -> Tensor:
    """Squares of `size` sub-cells about each cell, in every channel, shape (N, channels * size^2).

    Arguments:
        maps: Shape (images, channels, height, width), `split` sub-cells a cell.
        cells: The cells.
        split: Sub-cells of a cell along each axis.
        size: Side of a window, two more than `split`.
    """
    padded = pad(maps, (1, 1, 1, 1))
    _, channels, height, width = padded.shape
    corner = ((cells.image * channels) * height + cells.row * split) * width + cells.column * split
    steps = torch.arange(size, device=maps.device)
    square = (steps[:, None] * width + steps).flatten()
    planes = torch.arange(channels, device=maps.device) * (height * width)
    index = corner[:, None] + (planes[:, None] + square).flatten()
    return padded.flatten()[index]
