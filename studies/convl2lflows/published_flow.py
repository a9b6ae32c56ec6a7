"""Generation as published: layer energies from a MAF, then all voxels of layer after layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from calozoo_convl2lflows.grid import SubCells
from calozoo_convl2lflows.model import streams
from studies.convl2lflows.maf import Maf
from studies.convl2lflows.published_config import PublishedConfig
from studies.convl2lflows.voxel_flow import (
    LayerEnergyEncoding,
    VoxelEncoding,
    VoxelFlows,
    primary_constants,
)

__all__ = ["PublishedPipeline", "networks", "renormalised"]


def networks(config: PublishedConfig) -> dict[str, nn.Module]:
    """Untrained flows of a configuration: "energies" and "voxels".

    Example:
        >>> from studies.convl2lflows.published_config import preset
        >>> with torch.device("meta"):  # nothing is allocated
        ...     flows = networks(preset("gh"))
        >>> sum(p.numel() for flow in flows.values() for p in flow.parameters())
        163403252
    """
    grid, voxels = config.grid, config.voxels
    # The energy alone, or the energy and the direction.
    context = 1 if voxels.constants == 2 else 4
    return {
        "energies": Maf(grid.layers, context, config.energies),
        "voxels": VoxelFlows(grid, voxels),
    }


class PublishedPipeline:
    """Generation of sub-cells by the published flows.

    Arguments:
        config: Sizes.
        energies: Flow of the layer energies.
        voxels: Flows of the sub-cells.
    """

    def __init__(self, config: PublishedConfig, energies: Maf, voxels: VoxelFlows) -> None:
        self.config, self.energies, self.voxels = config, energies, voxels
        self._energy_encoding = LayerEnergyEncoding(config.energies.scale_mev)
        self._voxel_encoding = VoxelEncoding(config.grid, config.voxels)

    @torch.inference_mode()
    def __call__(self, primary: Tensor, seed: int, first: int) -> SubCells:
        """The sub-cells with energy in them.

        Arguments:
            primary: Features of the primaries, shape (n, 7).
            seed: The user's seed.
            first: Number of the first of these showers in the whole sample.
        """
        n = len(primary)
        energies = self.layer_energies(streams(n, seed, first, "energies"), primary)
        return self._sub_cells(streams(n, seed, first, "voxels"), primary, energies)

    def layer_energies(self, streams: Sequence[np.random.Generator], primary: Tensor) -> Tensor:
        """Energies of the layers, in MeV, shape (n, layers).

        Arguments:
            streams: Random stream of each shower.
            primary: Features of the primaries, shape (n, 7).
        """
        flow = self.energies
        noise = np.stack([random.standard_normal(flow.layers, np.float32) for random in streams])
        context = primary_constants(primary)[:, : flow.conditions]
        on_device = torch.from_numpy(noise).to(primary.device)
        energy = self._energy_encoding.inverse(flow.to_value(on_device, context))
        return torch.where(energy >= self.config.grid.threshold_mev, energy, 0.0)

    def _sub_cells(
        self, streams: Sequence[np.random.Generator], primary: Tensor, energies: Tensor
    ) -> SubCells:
        n, shape, previous = len(primary), self.config.grid.shape, self.config.voxels.previous
        before = primary.new_zeros(n, previous, *shape)
        found = []
        for layer in range(self.config.grid.layers):
            index = torch.full((n,), layer, device=primary.device)
            noise = np.stack([random.standard_normal(shape, np.float32) for random in streams])
            constants = self.voxels.constants_of(primary, energies, index)
            on_device = torch.from_numpy(noise).to(primary.device)
            value = self.voxels.of(layer).to_value(on_device, before, constants)
            before = torch.cat([value[:, None], before[:, :-1]], dim=1)
            energy = self._voxel_encoding.inverse(value, index.cpu())
            energy = renormalised(energy, energies[:, layer], self.config.grid.threshold_mev)
            image, row, column = energy.nonzero(as_tuple=True)
            filled = energy[image, row, column]
            parts = (image, torch.full_like(image, layer), row, column, filled)
            found.append([part.cpu().numpy() for part in parts])
        columns = [np.concatenate(parts) for parts in zip(*found, strict=True)]
        order = np.argsort(columns[0], kind="stable")
        return SubCells(*(values[order] for values in columns))


def renormalised(energy: Tensor, wanted: Tensor, threshold_mev: float) -> Tensor:
    """Layers scaled to a given energy, without voxels below the threshold.

    The brightest voxels are kept, as many of them as stay above the threshold when one factor makes
    them add up to the energy of their layer.

    References:
        | Convolutional L2LFlows, https://arxiv.org/abs/2405.20407

    Arguments:
        energy: Voxels of each layer, in MeV, shape (n, height, width).
        wanted: Energy of each layer, in MeV, shape (n,).
        threshold_mev: Least energy of a voxel.

    Returns:
        Voxels in MeV, in the shape of `energy`.

    Example:
        >>> layer = torch.tensor([[[1.0, 0.5], [0.01, 0.0]]])
        >>> renormalised(layer, torch.tensor([3.0]), 0.1).tolist()
        [[[2.0, 1.0], [0.0, 0.0]]]
    """
    flat = energy.flatten(1).double()
    ordered, order = flat.sort(dim=1, descending=True)
    sums = ordered.cumsum(dim=1)
    scaled = ordered * wanted[:, None].double() / sums.clamp(min=1e-30)
    stays = (scaled >= threshold_mev) & (ordered > 0)
    number = (stays * torch.arange(1, flat.shape[1] + 1)).amax(dim=1)
    # Where nothing can stay, the brightest takes it all.
    number = torch.where((number == 0) & (wanted > 0), 1, number)
    rank = torch.empty_like(order).scatter_(
        1, order, torch.arange(flat.shape[1]).expand_as(order).contiguous()
    )
    total = sums.gather(1, (number[:, None] - 1).clamp(min=0))
    factor = wanted[:, None].double() / total.clamp(min=1e-30)
    result = torch.where(rank < number[:, None], flat * factor, 0.0)
    return result.view_as(energy).to(energy.dtype)
