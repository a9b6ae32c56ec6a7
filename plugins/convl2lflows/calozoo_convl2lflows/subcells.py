"""Flow of the sub-cells of hit cells: a pattern of hits, then stick-breaking of the energy."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, pad, silu

from calozoo_convl2lflows.cells import log_energy_map
from calozoo_convl2lflows.config import GridConfig, SubCellsConfig
from calozoo_convl2lflows.densities import STICK_SCALE
from calozoo_convl2lflows.hurdle import Density
from calozoo_convl2lflows.layer_energies import LayerContext
from calozoo_convl2lflows.subcell_sampling import POSITION_FEATURES, PREVIOUS_LAYERS

__all__ = ["HitCells", "StickBreaking", "SubCellFlow", "position_features"]

NEGLIGIBLE = 1e-6
"""Share of a cell's energy that counts as zero."""


class HitCells(NamedTuple):
    """Cells with energy in them, of some layers of some showers.

    Arguments:
        image: Index of the layer image each belongs to, shape (N,).
        row: Row in its layer.
        column: Column in its layer.
        energy: Energy in MeV.
    """

    image: Tensor
    row: Tensor
    column: Tensor
    energy: Tensor


class SubCellFlow(nn.Module):
    r"""Flow that splits the energy of a cell into its sub-cells.

    First, which sub-cells are hit: one of the 511 patterns of 3 x 3. Then stick-breaking: each row
    takes a fraction of what the rows before it left, and inside a row each sub-cell of what those
    before it left; the last one hit takes the rest. The fractions are monotone functions of their
    noise (`hurdle.Density`). Only cells that were hit are computed, so this costs little although
    it works at the full resolution.

    Arguments:
        grid: The grid.
        config: Sizes.
    """

    def __init__(self, grid: GridConfig, config: SubCellsConfig) -> None:
        super().__init__()
        self.grid, self.config = grid, config
        split, hidden = grid.split, config.hidden
        inputs = config.condition + 9 + PREVIOUS_LAYERS * (split + 2) ** 2 + POSITION_FEATURES
        self.context = LayerContext(grid.layers, config.condition)
        self.net = nn.Sequential(
            nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU()
        )
        self.pattern = nn.Linear(hidden, 2**split**2 - 1)
        self.rows = StickBreaking(hidden + split**2, 1, split - 1, config)
        self.columns = StickBreaking(hidden + split**2 + split, split, split - 1, config)

    @property
    def noise(self) -> int:
        """Numbers of noise per cell: its pattern, the fractions of rows, those of sub-cells."""
        return 1 + (self.grid.split - 1) * (self.grid.split + 1)

    def features(self, cells: HitCells, maps: Tensor, before: Tensor, condition: Tensor) -> Tensor:
        """Input features of each cell, shape (N, features).

        Arguments:
            cells: The cells.
            maps: Maps of the cells of their layers, shape (images, cells, cells).
            before: Maps of the sub-cells of the two layers before, the nearest first, shape
                (images, 2, side, side).
            condition: Context vector of each image, shape (images, condition).
        """
        split = self.grid.split
        near = _windows(maps[:, None], cells, 1, 3)
        fine = _windows(before, cells, split, split + 2)
        position = position_features(cells.row, cells.column, self.grid.cells)
        return torch.cat([condition[cells.image], near, fine, position], dim=1)

    def log_prob(self, shares: Tensor, energy: Tensor, features: Tensor) -> Tensor:
        """Log-density of the split of cells, shape (N,).

        Arguments:
            shares: Share of each sub-cell in its cell's energy, shape (N, split^2).
            energy: Energies of the cells, in MeV.
            features: Features of the cells, from `features`.
        """
        log_probs, pattern, fractions = self._parts(shares, energy, features)
        log_prob = log_probs.gather(1, pattern[:, None])[:, 0]
        for part in fractions:
            density = part.density.log_prob(part.logit[part.is_free], part.hidden[part.is_free])
            log_prob = log_prob.index_add(0, part.is_free.nonzero()[:, 0], density)
        return log_prob

    def to_noise(
        self, shares: Tensor, energy: Tensor, features: Tensor, fraction: Tensor
    ) -> Tensor:
        """Noise of the split of cells, uniform in (0, 1), shape (N, noise).

        Arguments:
            shares: As in `log_prob`.
            energy: As in `log_prob`.
            features: As in `log_prob`.
            fraction: Position of a cell in the noise of its pattern, and the noise of fractions
                that are not free, in (0, 1), shape (N, noise).
        """
        log_probs, pattern, fractions = self._parts(shares, energy, features)
        probability = log_probs.double().exp()
        below = (probability.cumsum(dim=1) - probability).gather(1, pattern[:, None])
        noise = [below + probability.gather(1, pattern[:, None]) * fraction[:, :1]]
        start = 1
        for part in fractions:
            own = fraction[:, start : start + part.is_free[0].numel()].double()
            start += own.shape[1]
            normal, _ = part.density.to_noise(part.logit[part.is_free], part.hidden[part.is_free])
            uniform = torch.special.ndtr(normal.double())
            noise.append(own.masked_scatter(part.is_free.flatten(1), uniform))
        return torch.cat(noise, dim=1)

    def _parts(
        self, shares: Tensor, energy: Tensor, features: Tensor
    ) -> tuple[Tensor, Tensor, tuple[StickFractions, StickFractions]]:
        """Log-probabilities of all patterns, index of the pattern, fractions of rows, sub-cells."""
        n, split = len(shares), self.grid.split
        hidden = self.net(features)
        is_hit = shares > 0
        pattern = (is_hit * 2 ** torch.arange(split**2, device=is_hit.device)).sum(dim=1) - 1
        log_probs = log_softmax(self.pattern(hidden), dim=1)
        image = shares.view(n, split, split)
        rows = image.sum(dim=2)
        inputs = torch.cat([hidden, is_hit.to(hidden.dtype)], dim=1)
        row_inputs = torch.cat([inputs, log_energy_map(rows * energy[:, None])], dim=1)
        fractions: tuple[StickFractions, StickFractions] = (
            self.rows(inputs, rows[:, None]),
            self.columns(row_inputs, image),
        )
        return log_probs, pattern, fractions


class StickFractions(NamedTuple):
    """Fractions of stick-breaking, and the features of their density.

    Arguments:
        density: Density of the logits.
        hidden: Features, shape (N, groups, parts, step).
        logit: Logits of the fractions, shape (N, groups, parts).
        is_free: Fractions that are neither 0 nor 1, shape (N, groups, parts).
    """

    density: Density
    hidden: Tensor
    logit: Tensor
    is_free: Tensor


class StickBreaking(nn.Module):
    """Stick-breaking: the fraction each but the last of a group takes of what is left.

    Arguments:
        inputs: Number of input features.
        groups: Number of groups.
        parts: Number of members of a group, without the last.
        config: Sizes.
    """

    def __init__(self, inputs: int, groups: int, parts: int, config: SubCellsConfig) -> None:
        super().__init__()
        self.groups, self.parts = groups, parts
        self.first = nn.Linear(inputs, groups * parts * config.step)
        self.second = nn.Linear(config.step, config.step)
        self.density = Density(config.step, config.bins, *STICK_SCALE)

    def forward(self, inputs: Tensor, shares: Tensor) -> StickFractions:
        """Fractions of shares.

        Arguments:
            inputs: Input features, shape (N, inputs).
            shares: Shares of the members, shape (N, groups, parts + 1).
        """
        hidden = torch.unflatten(silu(self.first(inputs)), 1, (self.groups, self.parts, -1))
        hidden = silu(self.second(hidden))
        remaining = shares.flip(2).cumsum(2).flip(2)
        own, rest, after = shares[..., :-1], remaining[..., :-1], remaining[..., 1:]
        ratio = own / rest.clamp(min=NEGLIGIBLE)
        logit = torch.logit(ratio.clamp(NEGLIGIBLE, 1 - NEGLIGIBLE))
        return StickFractions(self.density, hidden, logit, (own > 0) & (after > NEGLIGIBLE))


def position_features(row: Tensor, column: Tensor, number: int) -> Tensor:
    """Input features of the position of cells in a layer of `number` by `number`, shape (N, 5)."""
    x = (column + 0.5) / number * 2 - 1
    y = (row + 0.5) / number * 2 - 1
    r = (x.square() + y.square()).sqrt()
    return torch.stack([x, y, r, (r + 0.05).log(), (-((r / 0.1) ** 2)).exp()], dim=1)


def _windows(maps: Tensor, cells: HitCells, split: int, size: int) -> Tensor:
    """Squares of `size` sub-cells around each cell, shape (N, channels * size^2).

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
