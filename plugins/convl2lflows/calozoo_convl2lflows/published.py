"""Generation as published: energies from a MAF, then every voxel of layer after layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from calozoo_convl2lflows.config import GridConfig, MafConfig, VoxelsConfig
from calozoo_convl2lflows.grid import SubCells
from calozoo_convl2lflows.maf import Maf
from calozoo_convl2lflows.postprocess import renormalised
from calozoo_convl2lflows.voxel_encoding import EnergyChain, VoxelChain, primary_constants
from calozoo_convl2lflows.voxel_flow import VoxelFlows

__all__ = ["MafSampler", "VoxelSampler"]


class MafSampler:
    """Energies of the layers from the published flow.

    Arguments:
        flow: The trained flow.
        config: Of it.
        threshold_mev: Layers with less are empty.
    """

    def __init__(self, flow: Maf, config: MafConfig, threshold_mev: float) -> None:
        self.flow, self.threshold = flow, threshold_mev
        self.chain = EnergyChain(config.scale_mev)
        self.conditions = flow.conditions

    def __call__(self, streams: Sequence[np.random.Generator], primary: Tensor) -> Tensor:
        """Energies of the layers, in MeV, shape (n, layers).

        Arguments:
            streams: The noise of each shower.
            primary: Features of the primaries, shape (n, 7).
        """
        noise = np.stack([s.standard_normal(self.flow.layers, np.float32) for s in streams])
        context = primary_constants(primary)[:, : self.conditions]
        on_device = torch.from_numpy(noise).to(primary.device)
        energy = self.chain.inverse(self.flow.to_value(on_device, context))
        return torch.where(energy >= self.threshold, energy, 0.0)


class VoxelSampler:
    """Sub-cells of whole showers from the published flows.

    Arguments:
        flows: The trained flows.
        grid: The grid.
        config: Of the flows.
    """

    def __init__(self, flows: VoxelFlows, grid: GridConfig, config: VoxelsConfig) -> None:
        self.flows, self.grid, self.config = flows, grid, config
        self.chain = VoxelChain(grid, config)

    def __call__(
        self, streams: Sequence[np.random.Generator], primary: Tensor, energies: Tensor
    ) -> SubCells:
        """The sub-cells with energy in them.

        Arguments:
            streams: The noise of each shower.
            primary: Features of the primaries, shape (n, 7).
            energies: Energies of the layers, in MeV, shape (n, layers).
        """
        n, shape, previous = len(primary), self.grid.shape, self.config.previous
        before = primary.new_zeros(n, previous, *shape)
        found = []
        for layer in range(self.grid.layers):
            which = torch.full((n,), layer, device=primary.device)
            noise = np.stack([random.standard_normal(shape, np.float32) for random in streams])
            constants = self.flows.constants_of(primary, energies, which)
            on_device = torch.from_numpy(noise).to(primary.device)
            value = self.flows.of(layer).to_value(on_device, before, constants)
            before = torch.cat([value[:, None], before[:, :-1]], dim=1)
            energy = self.chain.inverse(value, which.cpu())
            energy = renormalised(energy, energies[:, layer], self.grid.threshold_mev)
            image, row, column = energy.nonzero(as_tuple=True)
            filled = energy[image, row, column]
            parts = (image, torch.full_like(image, layer), row, column, filled)
            found.append([part.cpu().numpy() for part in parts])
        columns = [np.concatenate(parts) for parts in zip(*found, strict=True)]
        order = np.argsort(columns[0], kind="stable")
        return SubCells(*(values[order] for values in columns))
