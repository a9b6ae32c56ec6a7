"""Showers on the grid, and the training batches made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from calozoo_convl2lflows.cells import log_energy_map
from calozoo_convl2lflows.config import ConvL2LConfig
from calozoo_convl2lflows.contexts import primary_features
from calozoo_convl2lflows.grid import POSITION_ROUNDING_MM, SubCells, fill
from calozoo_convl2lflows.subcell_sampling import PREVIOUS_LAYERS
from calozoo_convl2lflows.subcells import HitCells
from calozoo_core.detector import load_detector
from calozoo_core.frames import axis_offsets
from calozoo_core.random import stream
from calozoo_core.showers import Showers

__all__ = [
    "GriddedShowers",
    "UprightShowers",
    "cell_batch",
    "cell_energies",
    "energy_batch",
    "gridded_layer_energies",
    "n_hit_cells",
    "on_grid",
    "random_layers",
    "split_cells",
    "subcell_batch",
    "subcell_energies",
]

SHOWERS_AT_ONCE = 500
P_X = [2, 5]
"""Features of a primary that change sign when x' is mirrored: p_x and p_x / p_z."""


@dataclass(frozen=True, eq=False)
class UprightShowers:
    """Geant4 showers with positions in the upright frame.

    Arguments:
        showers: The showers in the local frame.
        x: Positions along x' in the upright frame, in mm, shape (N,).
        y: Positions along y'.
    """

    showers: Showers
    x: NDArray[np.float32]
    y: NDArray[np.float32]

    @classmethod
    def from_showers(cls, showers: Showers) -> UprightShowers:
        """Showers with the shear along their axes removed."""
        axis_x, axis_y = axis_offsets(showers, load_detector(showers.detector))
        x = (showers.x - axis_x).astype(np.float32)
        y = (showers.y - axis_y).astype(np.float32)
        return cls(showers, x, y)

    def __len__(self) -> int:
        return len(self.showers)


@dataclass(frozen=True, eq=False)
class GriddedShowers:
    """Showers on the grid.

    Arguments:
        filled: Sub-cells with energy.
        primary: Features of the primaries, shape (n, 7).
        energies: Energies of the layers inside the box, in MeV, shape (n, layers).
    """

    filled: SubCells
    primary: Tensor
    energies: Tensor


def on_grid(
    sample: UprightShowers,
    rows: NDArray[np.int64],
    config: ConvL2LConfig,
    random: np.random.Generator,
    *,
    mirrored: bool = True,
) -> GriddedShowers:
    """Showers of a sample on the grid, their positions spread over the rounding of the files.

    Half of them, at random, are mirrored at x' = 0, which is exact: the field lies along x' and is
    an axial vector.

    Arguments:
        sample: The sample.
        rows: Indices of the showers, shape (n,).
        config: Configuration of the model.
        random: Random numbers of the mirroring and the rounding.
        mirrored: `False` mirrors none.
    """
    offsets = sample.showers.offsets
    counts = (offsets[1:] - offsets[:-1])[rows]
    shower = np.repeat(np.arange(len(rows)), counts)
    start = np.cumsum(counts) - counts
    index = np.arange(counts.sum()) + np.repeat(offsets[rows] - start, counts)
    jitter = (random.random((2, len(index)), np.float32) - 0.5) * np.float32(POSITION_ROUNDING_MM)
    signs = np.array([-1, 1] if mirrored else [1], np.float32)
    mirror = random.choice(signs, len(rows))
    showers = sample.showers
    filled = fill(
        (sample.x[index] + jitter[0]) * mirror[shower],
        sample.y[index] + jitter[1],
        showers.layer[index],
        showers.energy[index],
        shower,
        config.grid,
    )
    layers = config.grid.layers
    energies = np.bincount(
        filled.shower * layers + filled.layer, filled.energy, minlength=len(rows) * layers
    )
    direction = showers.incident.direction[rows].copy()
    direction[:, 0] *= mirror
    primary = torch.from_numpy(primary_features(showers.incident.energy[rows], direction))
    shaped = energies.reshape(len(rows), layers).astype(np.float32)
    return GriddedShowers(filled, primary, torch.from_numpy(shaped))


def gridded_layer_energies(
    sample: UprightShowers, config: ConvL2LConfig, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Layer energies inside the box, in MeV, shape (n, layers), and features of the primaries."""
    chunks = np.array_split(np.arange(len(sample)), -(-len(sample) // SHOWERS_AT_ONCE))
    parts = [on_grid(sample, rows, config, random, mirrored=False) for rows in chunks]
    energies = torch.cat([part.energies for part in parts])
    return energies, torch.cat([part.primary for part in parts])


def energy_batch(
    energies: Tensor, primary: Tensor, size: int, seed: int, step: int
) -> tuple[Tensor, Tensor]:
    """Layer energies and features of the primaries of the showers of one optimiser step."""
    random = stream(seed, step, "energy batch")
    rows = torch.from_numpy(random.integers(len(primary), size=size))
    mirrored = primary[rows]
    flip = torch.from_numpy(random.choice(np.array([-1, 1], np.float32), size))
    mirrored[:, P_X] *= flip[:, None]
    return energies[rows], mirrored


def cell_batch(
    sample: UprightShowers, config: ConvL2LConfig, showers: int, layers: int, seed: int, step: int
) -> tuple[Tensor, ...]:
    """Cells of random layers of random showers, the batch of one optimiser step.

    Returns:
        Arguments of `CellFlow.log_prob`: cell energies, maps of the layers before, features of the
        primaries, energies of the layers, and indices of the layers.
    """
    random = stream(seed, step, "cells batch")
    previous = config.cells.previous
    batch = on_grid(sample, random.integers(len(sample), size=showers), config, random)
    cells = cell_energies(batch.filled, showers, config, before=previous)
    shower, layer = random_layers(batch, layers, random)
    window = layer[:, None] + previous - torch.arange(1, previous + 1)
    own = cells[shower, layer + previous]
    before = log_energy_map(cells[shower[:, None], window])
    return own, before, batch.primary[shower], batch.energies[shower], layer


def subcell_batch(
    sample: UprightShowers, config: ConvL2LConfig, showers: int, layers: int, seed: int, step: int
) -> tuple[Tensor, ...]:
    """Sub-cells of random layers of random showers, the batch of one optimiser step.

    Returns:
        Sub-cell energies of the layers, shape (images, side, side), maps of the sub-cells of the
        two layers before, features of the primaries, energies of the layers, indices of the layers.
    """
    random = stream(seed, step, "subcells batch")
    batch = on_grid(sample, random.integers(len(sample), size=showers), config, random)
    fine = subcell_energies(batch.filled, showers, config, before=PREVIOUS_LAYERS)
    shower, layer = random_layers(batch, layers, random)
    window = layer[:, None] + PREVIOUS_LAYERS - torch.arange(1, PREVIOUS_LAYERS + 1)
    own = fine[shower, layer + PREVIOUS_LAYERS]
    before = log_energy_map(fine[shower[:, None], window])
    return own, before, batch.primary[shower], batch.energies[shower], layer


def cell_energies(filled: SubCells, showers: int, config: ConvL2LConfig, before: int) -> Tensor:
    """Cell energies of whole showers, in MeV, shape (n, before + layers, cells, cells).

    Arguments:
        filled: Sub-cells with energy.
        showers: Number of showers n.
        config: Configuration of the model.
        before: Number of empty layers to put before the first.
    """
    split = config.grid.split
    return _dense(filled, showers, config, before, split, config.grid.cells)


def subcell_energies(filled: SubCells, showers: int, config: ConvL2LConfig, before: int) -> Tensor:
    """Sub-cell energies of whole showers, shape (n, before + layers, side, side).

    The arguments are those of `cell_energies`.
    """
    return _dense(filled, showers, config, before, 1, config.grid.side)


def _dense(
    filled: SubCells, showers: int, config: ConvL2LConfig, before: int, merge: int, side: int
) -> Tensor:
    layers = config.grid.layers + before
    index = (filled.shower * layers + filled.layer + before) * side + filled.row // merge
    index = index * side + filled.column // merge
    dense = torch.zeros(showers * layers * side * side)
    dense.index_add_(0, torch.from_numpy(index), torch.from_numpy(filled.energy))
    return dense.view(showers, layers, side, side)


def random_layers(
    batch: GriddedShowers, layers: int, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Indices of showers and of layers, random ones that are not empty, shapes (images,)."""
    order = random.random(batch.energies.shape) * (batch.energies.numpy() > 0)
    indices = np.argsort(-order, axis=1)[:, :layers]
    shower = np.repeat(np.arange(len(indices)), indices.shape[1])
    layer = indices.ravel()
    filled = batch.energies.numpy()[shower, layer] > 0
    return torch.from_numpy(shower[filled]), torch.from_numpy(layer[filled])


def split_cells(fine: Tensor, config: ConvL2LConfig) -> tuple[HitCells, Tensor]:
    """Hit cells of layers, and the share of each sub-cell in its cell's energy.

    Arguments:
        fine: Energies of the sub-cells, shape (images, side, side).
        config: Configuration of the model.

    Returns:
        Cells, and shares of shape (cells, split^2).
    """
    blocks = _blocks(fine, config)
    energy = blocks.sum(dim=-1)
    image, row, column = (energy > 0).nonzero(as_tuple=True)
    own = energy[image, row, column]
    return HitCells(image, row, column, own), blocks[image, row, column] / own[:, None]


def n_hit_cells(fine: Tensor, config: ConvL2LConfig) -> int:
    """Number of hit cells of layers.

    Arguments:
        fine: Energies of the sub-cells, shape (images, side, side).
        config: Configuration of the model.
    """
    return int((_blocks(fine, config).sum(dim=-1) > 0).sum())


def _blocks(fine: Tensor, config: ConvL2LConfig) -> Tensor:
    """Energies of the sub-cells of each cell, shape (images, cells, cells, split^2)."""
    split, cells = config.grid.split, config.grid.cells
    return fine.view(-1, cells, split, cells, split).permute(0, 1, 3, 2, 4).flatten(3)
