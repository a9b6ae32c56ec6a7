"""3DGAN for files that other programs run: one shower in torch alone."""

# Without `from __future__ import annotations`: TorchScript wants types, not texts, of attributes.
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from calozoo_core.nn.exported import MOST_POINTS, Noise, PointModel, limited_length
from calozoo_core.random import stream
from calozoo_gan3d.config import GridConfig
from calozoo_gan3d.grid import edges, ring_index
from calozoo_gan3d.networks import energy_of
from calozoo_gan3d.numpy_networks import MIP_MEV, THRESHOLD_MEV
from calozoo_gan3d.points import (
    ENERGY_BINS,
    ENERGY_BINS_PER_DECADE,
    GROUP,
    LEAST_SHARE,
    LOWEST_LOG_MEV,
    QUANTILES,
    SPLIT,
    PointTables,
)
from calozoo_gan3d.primaries import HALF_LOG_RANGE
from calozoo_gan3d.trained import TrainedGan3d

__all__ = ["ExportedGan3d"]

LEAST_UNIFORM = 2.0**-25
"""Least uniform number of which an exponential one is made: half of torch's smallest step."""


class ImagePart(nn.Module):
    """Energies of all voxels of a shower.

    Arguments:
        trained: Trained networks.
    """

    def __init__(self, trained: TrainedGan3d) -> None:
        super().__init__()
        self.energies, self.generator = trained.energies, trained.generator

    def forward(
        self, energy: Tensor, direction: Tensor, layer_noise: Tensor, latent: Tensor, noise: Tensor
    ) -> Tensor:
        """Energies in MeV, shape (layers * cells * cells,).

        Arguments:
            energy: Incident energy in GeV, shape (1,).
            direction: Unit vector, shape (1, 3).
            layer_noise: Standard normal, shape (1, latent variables of the layer energies).
            latent: Standard normal, shape (1, latent variables of the image).
            noise: Standard normal, shape (1, layers, cells, cells).
        """
        condition = self.condition(energy, direction)
        layers = self.energies.energies(self.energies(condition, layer_noise), energy)
        roots = self.energies.standardised(layers, energy)
        t = self.generator(condition, roots, latent, noise).flatten(2)[0]
        raw = energy_of(t)
        # A layer without positive t has all of its energy where t is largest.
        top = t.argmax(dim=1, keepdim=True)
        single = torch.zeros_like(raw).scatter(1, top, torch.full_like(raw[:, :1], MIP_MEV))
        raw = torch.where(raw.sum(dim=1, keepdim=True) > 0, raw, single)
        deposits: Tensor = raw * (layers[0] / raw.sum(dim=1)).unsqueeze(1)
        return deposits.flatten()

    def condition(self, energy: Tensor, direction: Tensor) -> Tensor:
        """Condition of the networks, shape (1, 8), as `primaries.conditions` has it."""
        log = (energy.double().log() / HALF_LOG_RANGE - 1).unsqueeze(1)
        slant = direction.double()
        p_z = slant[:, 2:]
        columns = [log, log.square(), slant, slant[:, :2] / p_z, 1 / p_z]
        return torch.cat(columns, dim=1).to(energy.dtype)


class ExportedGan3d(PointModel):
    """3DGAN as a module of tensors, the steps of the generator one by one.

    Every voxel has its place in all tensors, with energy or not, so that only the number of points
    depends on random numbers.

    Arguments:
        trained: Trained networks and tables.
        layer_depth_mm: Depths of the layers.
    """

    kinds: Tensor
    counts: Tensor
    inside: Tensor
    groups: Tensor
    bounds: Tensor
    widths: Tensor

    def __init__(self, trained: TrainedGan3d, layer_depth_mm: Sequence[float]) -> None:
        grid, config = trained.config.grid, trained.config
        image = (1, grid.layers, grid.cells, grid.cells)
        super().__init__(
            [
                Noise("layer_noise", (1, config.energies.latent)),
                Noise("latent_noise", (1, config.generator.latent)),
                Noise("voxel_noise", image),
                Noise("count_noise", (grid.layers * grid.cells**2,), "uniform"),
                Noise("point_noise", (4, MOST_POINTS), "uniform"),
            ],
            layer_depth_mm,
        )
        self.image = ImagePart(trained)
        self.plane, self.cells = grid.cells**2, grid.cells
        self.quantiles, self.split = QUANTILES, SPLIT
        self.threshold_mev, self.least_share = float(THRESHOLD_MEV), float(LEAST_SHARE)
        self.least_uniform = float(LEAST_UNIFORM)
        self.energy_bins, self.lowest_log = ENERGY_BINS, float(LOWEST_LOG_MEV)
        self.bins_per_decade = float(ENERGY_BINS_PER_DECADE)
        self._register_tables(trained.points, grid)

    def _register_tables(self, tables: PointTables, grid: GridConfig) -> None:
        bounds = torch.from_numpy(edges(grid).astype(np.float32))
        kinds = torch.from_numpy(ring_index(grid)) * ENERGY_BINS
        groups = torch.arange(grid.layers) // GROUP * grid.cells**2
        groups = groups.unsqueeze(1) + torch.arange(grid.cells**2)
        self.register_buffer("counts", torch.from_numpy(tables.counts.copy()).flatten())
        self.register_buffer("inside", torch.from_numpy(tables.inside.copy()).flatten())
        self.register_buffer("kinds", kinds.repeat(grid.layers))
        self.register_buffer("groups", groups.flatten())
        self.register_buffer("bounds", bounds)
        self.register_buffer("widths", bounds.diff() / SPLIT)

    def traced_parts(self) -> dict[str, tuple[Tensor, ...]]:
        energy, direction = torch.tensor([50.0]), torch.tensor([[0.0, 0.0, 1.0]])
        noise = [torch.zeros(one.shape) for one in self.noise[:3]]
        return {"image": (energy, direction, *noise)}

    def stream_noise(
        self, energy: Tensor, direction: Tensor, seed: int, number: int
    ) -> list[Tensor]:
        random = stream(seed, number, "image")
        numbers = [
            torch.from_numpy(random.standard_normal(one.shape, np.float32))
            for one in self.noise[:3]
        ]
        deposits = self.image(energy, direction, *numbers)
        hit = torch.nonzero(deposits > self.threshold_mev)[:, 0].numpy()
        random = stream(seed, number, "points")
        count_noise = np.zeros(self.noise[3].shape, np.float32)
        count_noise[hit] = (random.integers(QUANTILES, size=len(hit)) + 0.5) / QUANTILES
        numbers.append(torch.from_numpy(count_noise))
        n = int(self.ends(deposits, numbers[3])[-1])
        point_noise = np.zeros(self.noise[4].shape, np.float32)
        point_noise[:3, :n] = random.random((3, n), np.float32)
        # The module takes the negative logarithm of a uniform number.
        point_noise[3, :n] = np.exp(-random.standard_exponential(n, np.float32))
        return [*numbers, torch.from_numpy(point_noise)]

    def upright(
        self, energy: Tensor, direction: Tensor, noise: list[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        deposits = self.image(energy, direction, noise[0], noise[1], noise[2])
        ends = self.ends(deposits, noise[3])
        n = limited_length(ends[-1], self.most_points)
        voxel = self.owners(ends, n)
        uniform = noise[4][:, :n]
        deposit = self.shares(deposits, voxel, uniform[3])
        layer, cell = voxel // self.plane, voxel % self.plane
        quantile = (uniform[0] * self.quantiles).to(torch.int64)
        part = self.inside[self.groups[voxel] * self.quantiles + quantile].to(torch.int64)
        row, column = cell // self.cells, cell % self.cells
        x = self.bounds[column] + self.widths[column] * (part % self.split + uniform[1])
        y = self.bounds[row] + self.widths[row] * (part // self.split + uniform[2])
        return x, y, layer, deposit

    def ends(self, deposits: Tensor, uniform: Tensor) -> Tensor:
        """Points up to each voxel and in it, at most as many as DDML has room for, (voxels,).

        Arguments:
            deposits: Energies of the voxels, in MeV.
            uniform: Uniform in [0, 1), a number a voxel.
        """
        logs = deposits.clamp(min=1e-9).log10()
        level = ((logs - self.lowest_log) * self.bins_per_decade).clamp(0, self.energy_bins - 1)
        kind = self.kinds + level.to(torch.int64)
        quantile = (uniform * self.quantiles).to(torch.int64)
        counts = self.counts[kind * self.quantiles + quantile].to(torch.int64)
        ends = torch.where(deposits > self.threshold_mev, counts, counts * 0).cumsum(dim=0)
        factor = (self.most_points / ends[-1:].clamp(min=1)).clamp(max=1)
        return (ends * factor).to(torch.int64)

    def owners(self, ends: Tensor, n: int) -> Tensor:
        """Voxel of each of n points, shape (n,): as many voxels end before it."""
        ended = torch.zeros(n + 1, dtype=ends.dtype).index_add(0, ends, torch.ones_like(ends))
        return ended[:n].cumsum(dim=0)

    def shares(self, deposits: Tensor, voxel: Tensor, uniform: Tensor) -> Tensor:
        """Energy of each point in MeV: its voxel's, shared in proportion to exponential numbers.

        Arguments:
            deposits: Energies of the voxels, in MeV.
            voxel: Voxel of each point.
            uniform: Uniform in [0, 1), a number a point.
        """
        share = self.least_share - uniform.clamp(min=self.least_uniform).log()
        sums = torch.zeros_like(deposits).index_add(0, voxel, share)
        deposit = share * (deposits / sums.clamp(min=self.least_share))[voxel]
        # A voxel that has lost all of its points, where there are too many, leaves its energy.
        hit = torch.where(deposits > self.threshold_mev, deposits, deposits * 0)
        return deposit * (hit.sum() / deposit.sum().clamp(min=self.threshold_mev))
