"""Sub-cells of a layer for files that other programs run."""

# Without `from __future__ import annotations`: TorchScript wants types, not texts, of attributes.
import torch
from torch import Tensor, nn
from torch.nn.functional import pad, silu

from calozoo_convl2lflows.config import GridConfig
from calozoo_convl2lflows.densities import LEAST_PROBABILITY
from calozoo_convl2lflows.exported_energies import Value
from calozoo_convl2lflows.grid import CELL_FLOOR_MEV
from calozoo_convl2lflows.subcell_sampling import PREVIOUS_LAYERS
from calozoo_convl2lflows.subcells import StickBreaking, SubCellFlow, position_features
from calozoo_core.nn.normal_quantile import normal_quantile

__all__ = ["SubCellsPart"]


class Sticks(nn.Module):
    """Shares of the members of groups, by stick-breaking.

    Arguments:
        sticks: Trained network and density.
    """

    def __init__(self, sticks: StickBreaking) -> None:
        super().__init__()
        self.groups, self.parts = sticks.groups, sticks.parts
        self.first, self.second = sticks.first, sticks.second
        self.value = Value(sticks.density)
        self.least_probability = LEAST_PROBABILITY

    def forward(self, noise: Tensor, inputs: Tensor, is_hit: Tensor) -> Tensor:
        """Shares, shape (n, groups, parts + 1).

        Arguments:
            noise: Uniform in [0, 1), shape (n, groups * parts).
            inputs: Input features, shape (n, inputs).
            is_hit: Members that are hit, shape (n, groups, parts + 1).
        """
        hidden = torch.unflatten(silu(self.first(inputs)), 1, [self.groups * self.parts, -1])
        hidden = silu(self.second(hidden))
        least = self.least_probability
        normal = normal_quantile(noise.double().clamp(least, 1 - least)).to(inputs.dtype)
        ratio = torch.sigmoid(self.value(normal.flatten(), hidden.flatten(0, 1)).double())
        ratio = torch.unflatten(ratio.to(inputs.dtype), 0, [-1, self.groups, self.parts])
        after = is_hit.flip(2).to(torch.int64).cumsum(dim=2).flip(2)
        is_free = is_hit[:, :, : self.parts] & (after[:, :, 1:] > 0)
        ratio = torch.where(is_free, ratio, torch.ones_like(ratio))
        ratio = torch.cat([ratio, torch.ones_like(ratio[:, :, :1])], dim=2) * is_hit
        shares = [ratio[:, :, 0]]
        rest = 1 - ratio[:, :, 0]
        for part in range(1, self.parts + 1):
            share = ratio[:, :, part] * rest
            shares.append(share)
            rest = rest - share
        return torch.stack(shares, dim=2)


class SubCellsPart(nn.Module):
    """Sub-cells of the cells of a layer that are hit.

    Arguments:
        flow: Trained flow.
        grid: The grid.
    """

    near_index: Tensor
    fine_index: Tensor
    positions: Tensor
    patterns: Tensor
    inside_row: Tensor
    inside_column: Tensor

    def __init__(self, flow: SubCellFlow, grid: GridConfig) -> None:
        super().__init__()
        cells, split = grid.cells, grid.split
        self.context, self.net, self.pattern = flow.context, flow.net, flow.pattern
        self.rows, self.columns = Sticks(flow.rows), Sticks(flow.columns)
        self.cells, self.split, self.side = cells, split, grid.side
        self.floor_mev, self.threshold_mev = CELL_FLOOR_MEV, max(grid.threshold_mev, 1e-12)
        number = torch.arange(cells**2)
        row, column = number // cells, number % cells
        self.register_buffer("near_index", _windows(row, column, cells + 2, 3, 1))
        self.register_buffer(
            "fine_index",
            _windows(row * split, column * split, grid.side + 2, split + 2, PREVIOUS_LAYERS),
        )
        self.register_buffer("positions", position_features(row, column, cells).float())
        bits = torch.arange(1, 2**split**2).unsqueeze(1) >> torch.arange(split**2)
        self.register_buffer("patterns", bits % 2 == 1)
        inside = torch.arange(split**2)
        self.register_buffer("inside_row", inside // split)
        self.register_buffer("inside_column", inside % split)

    def forward(
        self, noise: Tensor, used: int, image: Tensor, before: Tensor, condition: Tensor
    ) -> tuple[Tensor, Tensor, int]:
        """Energies of the sub-cells in MeV, and their index in the layer, both (hit cells, 9).

        Arguments:
            noise: Uniform in [0, 1), shape (most, 9); a row a cell.
            used: Rows of noise that layers before took.
            image: Energies of the cells, in MeV, shape (cells, cells).
            before: Maps of the sub-cells of the two layers before, padded, shape (2, side + 2,
                side + 2).
            condition: Context vector, shape (1, n).
        """
        energy = image.flatten()
        index = torch.nonzero(energy > 0)[:, 0]
        n = index.shape[0]
        own = energy[index]
        maps = pad((image / self.floor_mev).log1p() / 2, [1, 1, 1, 1]).flatten()
        features = torch.cat(
            [
                condition.expand(n, -1),
                maps[self.near_index[index]],
                before.flatten()[self.fine_index[index]],
                self.positions[index],
            ],
            dim=1,
        )
        rows = torch.arange(n)
        uniform = noise[(rows + used) % noise.shape[0]]
        shares = self.shares(uniform, own, self.net(features))
        deposits = shares * own.unsqueeze(1)
        row = (index // self.cells).unsqueeze(1) * self.split + self.inside_row
        column = (index % self.cells).unsqueeze(1) * self.split + self.inside_column
        deposits = torch.where(deposits >= self.threshold_mev, deposits, torch.zeros_like(deposits))
        return deposits, row * self.side + column, used + n

    def shares(self, noise: Tensor, energy: Tensor, hidden: Tensor) -> Tensor:
        """Share of each sub-cell in its cell's energy, shape (n, 9)."""
        raw = self.pattern(hidden)
        weights = (raw - raw.max(dim=1, keepdim=True)[0]).exp().double().cumsum(dim=1)
        height = noise[:, :1].double() * weights[:, -1:]
        is_hit = self.patterns[(weights[:, :-1] < height).sum(dim=1)]
        inputs = torch.cat([hidden, is_hit.to(hidden.dtype)], dim=1)
        image = torch.unflatten(is_hit, 1, [self.split, self.split])
        rows = self.rows(noise[:, 1 : self.split], inputs, image.any(dim=2).unsqueeze(1))[:, 0]
        log_rows = (rows * energy.unsqueeze(1) / self.floor_mev).log1p() / 2
        columns = self.columns(noise[:, self.split :], torch.cat([inputs, log_rows], dim=1), image)
        shares: Tensor = (columns * rows.unsqueeze(2)).flatten(1)
        return shares


def _windows(row: Tensor, column: Tensor, width: int, size: int, planes: int) -> Tensor:
    """Indices of squares in padded planes, shape (cells, planes * size^2)."""
    steps = torch.arange(size)
    square = (steps.unsqueeze(1) * width + steps).flatten()
    offsets = (torch.arange(planes).unsqueeze(1) * (width * width) + square).flatten()
    return (row * width + column).unsqueeze(1) + offsets
