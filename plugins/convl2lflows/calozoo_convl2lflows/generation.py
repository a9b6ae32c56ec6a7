"""From primaries to filled sub-cells, by whichever flows a configuration has."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from calozoo_convl2lflows.cell_sampling import CellSampler, EnergySampler
from calozoo_convl2lflows.cells import CellFlows
from calozoo_convl2lflows.config import MafConfig
from calozoo_convl2lflows.grid import SubCells
from calozoo_convl2lflows.layer_energies import LayerEnergies
from calozoo_convl2lflows.maf import Maf
from calozoo_convl2lflows.numpy_densities import Array
from calozoo_convl2lflows.postprocess import calibrated
from calozoo_convl2lflows.published import MafSampler, VoxelSampler
from calozoo_convl2lflows.subcell_sampling import SubCellSampler
from calozoo_convl2lflows.subcells import SubCellFlow
from calozoo_convl2lflows.voxel_flow import VoxelFlows
from calozoo_convl2lflows.weights_files import Trained
from calozoo_core.random import stream

__all__ = ["Pipeline", "energy_sampler", "streams"]

Streams = Sequence[np.random.Generator]


class Pipeline:
    """Layer energies, then what fills the layers.

    Arguments:
        trained: The trained flows.
    """

    def __init__(self, trained: Trained) -> None:
        self.config = trained.config
        self.energies = energy_sampler(trained)
        if self.config.voxels is not None:
            flows = trained.networks["voxels"]
            assert isinstance(flows, VoxelFlows)
            self._voxels = VoxelSampler(flows, self.config.grid, self.config.voxels)
            return
        cells, subcells = trained.networks["cells"], trained.networks["subcells"]
        assert isinstance(cells, CellFlows)
        assert isinstance(subcells, SubCellFlow)
        self._cells = CellSampler(cells, self.config.grid)
        self._subcells = SubCellSampler(subcells, self.config.grid)

    @torch.inference_mode()
    def __call__(self, primary: Tensor, seed: int, first: int) -> SubCells:
        """The sub-cells with energy in them.

        Arguments:
            primary: Features of the primaries, shape (n, 7).
            seed: The user's seed.
            first: Number of the first of these showers in the whole sample.
        """
        n = len(primary)
        energies = self.energies(streams(n, seed, first, "energies"), primary)
        if self.config.voxels is not None:
            filled = self._voxels(streams(n, seed, first, "voxels"), primary, energies)
        else:
            cells = self._cells(streams(n, seed, first, "cells"), primary, energies)
            noise = streams(n, seed, first, "subcells")
            filled = self._subcells(noise, cells, primary, energies)
        return self._finished(filled, energies)

    def _finished(self, filled: SubCells, energies: Tensor) -> SubCells:
        """The spectrum put right, and then the layers scaled to their energies."""
        energy = calibrated(filled.energy, self.config.calibration.spectrum)
        layer = filled.shower * self.config.grid.layers + filled.layer
        wanted: Array = energies.cpu().numpy().ravel()
        total = np.bincount(layer, energy, minlength=len(wanted))
        factor = wanted / np.maximum(total, 1e-12)
        return filled._replace(energy=(energy * factor[layer]).astype(np.float32))


def energy_sampler(trained: Trained) -> Callable[[Streams, Tensor], Tensor]:
    """What draws the energies of the layers."""
    flow, config = trained.networks["energies"], trained.config
    if isinstance(config.energies, MafConfig):
        assert isinstance(flow, Maf)
        return MafSampler(flow, config.energies, config.grid.threshold_mev)
    assert isinstance(flow, LayerEnergies)
    return EnergySampler(flow)


def streams(n: int, seed: int, first: int, purpose: str) -> list[np.random.Generator]:
    """The random numbers of n showers, of which the first is number `first` of the sample."""
    return [stream(seed, first + i, purpose) for i in range(n)]
