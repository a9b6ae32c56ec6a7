"""Training batches: layer energies, cells of layers, and how cells are split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from calozoo_convl2lflows.cells import cell_map
from calozoo_convl2lflows.config import ConvL2LConfig
from calozoo_convl2lflows.grid import SubCells, fill
from calozoo_convl2lflows.layer_energies import primary_features
from calozoo_convl2lflows.subcells import LAYERS_SEEN, HitCells
from calozoo_convl2lflows.voxel_encoding import VoxelChain
from calozoo_core.detector import load_detector
from calozoo_core.frames import axis_offsets
from calozoo_core.random import stream
from calozoo_core.showers import Showers

__all__ = [
    "Gridded",
    "Sample",
    "cell_energies",
    "cells_batch",
    "energy_batch",
    "gridded",
    "layer_energies",
    "measured",
    "read_onto_grid",
    "split_cells",
    "subcell_energies",
    "subcells_batch",
    "voxels_batch",
]

#: Positions in training files are rounded to this; spread again, or they gather in sub-cells.
POSITION_ROUNDING_MM = 0.25
SHOWERS_AT_ONCE = 500
P_X = [2, 5]
"""The features of a primary that change their sign with x': p_x and p_x / p_z."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Geant4 showers made upright.

    Arguments:
        showers: As they were read.
        x: Positions about the shower axis, in mm, shape (N,).
        y: The same, the other way.
    """

    showers: Showers
    x: NDArray[np.float32]
    y: NDArray[np.float32]

    @classmethod
    def of(cls, showers: Showers) -> Sample:
        """The showers, each layer moved back to where the axis crosses the face."""
        axis_x, axis_y = axis_offsets(showers, load_detector(showers.detector))
        x = (showers.x - axis_x).astype(np.float32)
        y = (showers.y - axis_y).astype(np.float32)
        return cls(showers, x, y)

    def __len__(self) -> int:
        return len(self.showers)


@dataclass(frozen=True, eq=False)
class Gridded:
    """Showers on the grid.

    Arguments:
        filled: The sub-cells with energy in them.
        primary: Features of the primaries, shape (n, 7).
        energies: Energies of the layers inside the box, in MeV, shape (n, layers).
    """

    filled: SubCells
    primary: Tensor
    energies: Tensor


def gridded(
    sample: Sample,
    rows: NDArray[np.int64],
    config: ConvL2LConfig,
    random: np.random.Generator,
    *,
    mirrored: bool = True,
) -> Gridded:
    """Some showers of a sample on the grid.

    Every other one is mirrored at x' = 0, which is exact: the field lies along x' and is an axial
    vector.

    Arguments:
        sample: The showers.
        rows: Which of them.
        config: Of the model.
        random: Draws the mirroring, and where inside its rounding a position lies.
        mirrored: Whether to mirror.
    """
    offsets = sample.showers.offsets
    counts = (offsets[1:] - offsets[:-1])[rows]
    which = np.repeat(np.arange(len(rows)), counts)
    start = np.cumsum(counts) - counts
    index = np.arange(counts.sum()) + np.repeat(offsets[rows] - start, counts)
    jitter = (random.random((2, len(index)), np.float32) - 0.5) * np.float32(POSITION_ROUNDING_MM)
    signs = np.array([-1, 1] if mirrored else [1], np.float32)
    mirror = random.choice(signs, len(rows))
    showers = sample.showers
    filled = fill(
        (sample.x[index] + jitter[0]) * mirror[which],
        sample.y[index] + jitter[1],
        showers.layer[index],
        showers.energy[index],
        which,
        config.grid,
    )
    layers = config.grid.layers
    energies = np.bincount(
        filled.shower * layers + filled.layer, filled.energy, minlength=len(rows) * layers
    )
    direction = showers.incident.direction[rows].copy()
    direction[:, 0] *= mirror
    primary = primary_features(
        torch.from_numpy(showers.incident.energy[rows]), torch.from_numpy(direction)
    )
    shaped = energies.reshape(len(rows), layers).astype(np.float32)
    return Gridded(filled, primary, torch.from_numpy(shaped))


def read_onto_grid(
    sample: Sample, config: ConvL2LConfig, random: np.random.Generator, limit: int
) -> Gridded:
    """The first showers of a sample on the grid, none of them mirrored."""
    rows = np.arange(min(limit, len(sample)))
    return gridded(sample, rows, config, random, mirrored=False)


def layer_energies(
    sample: Sample, config: ConvL2LConfig, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Energies of the layers inside the box, and features of the primaries, of a whole sample."""
    rows = np.array_split(np.arange(len(sample)), -(-len(sample) // SHOWERS_AT_ONCE))
    parts = [gridded(sample, part, config, random, mirrored=False) for part in rows]
    energies = torch.cat([part.energies for part in parts])
    return energies, torch.cat([part.primary for part in parts])


def energy_batch(
    energies: Tensor, primary: Tensor, size: int, seed: int, step: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Layer energies, primaries and noise of some showers, the batch of one optimiser step."""
    random = stream(seed, step, "energy batch")
    rows = torch.from_numpy(random.integers(len(primary), size=size))
    mirrored = primary[rows]
    flip = torch.from_numpy(random.choice(np.array([-1, 1], np.float32), size))
    mirrored[:, P_X] *= flip[:, None]
    noise = torch.from_numpy(random.standard_normal((size, energies.shape[1]), np.float32))
    return energies[rows], mirrored, noise


def cells_batch(
    sample: Sample, config: ConvL2LConfig, showers: int, layers: int, seed: int, step: int
) -> tuple[Tensor, ...]:
    """Cells of some layers of some showers, the batch of one optimiser step.

    Returns:
        Cell energies, maps of the layers before, features of the primaries, energies of the
        layers, and which layer it is: what `CellFlow.log_prob` takes.
    """
    random = stream(seed, step, "cells batch")
    assert config.cells is not None
    previous = config.cells.previous
    batch = gridded(sample, random.integers(len(sample), size=showers), config, random)
    cells = cell_energies(batch.filled, showers, config, before=previous)
    shower, layer = _images(batch, layers, random)
    window = layer[:, None] + previous - torch.arange(1, previous + 1)
    own = cells[shower, layer + previous]
    before = cell_map(cells[shower[:, None], window])
    return own, before, batch.primary[shower], batch.energies[shower], layer


def subcells_batch(
    sample: Sample, config: ConvL2LConfig, showers: int, layers: int, seed: int, step: int
) -> tuple[Tensor, ...]:
    """How the cells of some layers of some showers are split, the batch of one optimiser step.

    Returns:
        Sub-cell energies of the layers, shape (images, side, side), maps of the sub-cells of the
        two layers before, features of the primaries, energies of the layers, which layer it is.
    """
    random = stream(seed, step, "subcells batch")
    batch = gridded(sample, random.integers(len(sample), size=showers), config, random)
    fine = subcell_energies(batch.filled, showers, config, before=LAYERS_SEEN)
    shower, layer = _images(batch, layers, random)
    window = layer[:, None] + LAYERS_SEEN - torch.arange(1, LAYERS_SEEN + 1)
    own = fine[shower, layer + LAYERS_SEEN]
    before = cell_map(fine[shower[:, None], window])
    return own, before, batch.primary[shower], batch.energies[shower], layer


def voxels_batch(
    sample: Sample,
    config: ConvL2LConfig,
    chain: VoxelChain,
    showers: int,
    layers: int,
    seed: int,
    step: int,
) -> tuple[Tensor, ...]:
    """Transformed voxels of some layers of some showers, the batch of one optimiser step.

    Returns:
        Voxels of the layers, shape (images, height, width), those of the layers before, features
        of the primaries, energies of the layers, and which layer it is.
    """
    assert config.voxels is not None
    previous = config.voxels.previous
    random = stream(seed, step, "voxels batch")
    batch = gridded(sample, random.integers(len(sample), size=showers), config, random)
    energy = subcell_energies(batch.filled, showers, config, before=0)
    noise = [
        torch.from_numpy(draw(energy.shape, np.float32))
        for draw in (random.random, random.standard_normal)
    ]
    which = torch.arange(config.grid.layers).repeat(showers)
    noised = chain.noised(energy, noise[0], noise[1]).flatten(0, 1)
    values = chain.forward(noised, which).view_as(energy)
    padded = torch.cat([values.new_zeros(showers, previous, *values.shape[2:]), values], dim=1)
    shower, layer = _images(batch, layers, random)
    window = layer[:, None] + previous - torch.arange(1, previous + 1)
    before = padded[shower[:, None], window]
    return values[shower, layer], before, batch.primary[shower], batch.energies[shower], layer


def measured(config: ConvL2LConfig, sample: Sample) -> ConvL2LConfig:
    """The configuration with the largest deposit of each layer, which only voxels need."""
    if config.voxels is None:
        return config
    random = stream(0, 0, "maxima")
    maxima = np.zeros(config.grid.layers, np.float32)
    for rows in np.array_split(np.arange(len(sample)), -(-len(sample) // SHOWERS_AT_ONCE)):
        filled = gridded(sample, rows, config, random).filled
        np.maximum.at(maxima, filled.layer, filled.energy)
    least = config.grid.threshold_mev
    rounded = tuple(float(f"{max(maximum, least):.4g}") for maximum in maxima)
    return config.model_copy(
        update={"voxels": config.voxels.model_copy(update={"maxima_mev": rounded})}
    )


def cell_energies(filled: SubCells, showers: int, config: ConvL2LConfig, before: int) -> Tensor:
    """Cells of whole showers, with empty layers before the first: (n, before + layers, c, c)."""
    split = config.grid.split
    return _dense(filled, showers, config, before, split, config.grid.cells)


def subcell_energies(filled: SubCells, showers: int, config: ConvL2LConfig, before: int) -> Tensor:
    """Sub-cells of whole showers, with empty layers before the first."""
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


def _images(batch: Gridded, layers: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Which layers of which showers to learn from: some at random, none of them empty."""
    order = random.random(batch.energies.shape) * (batch.energies.numpy() > 0)
    chosen = np.argsort(-order, axis=1)[:, :layers]
    shower = np.repeat(np.arange(len(chosen)), chosen.shape[1])
    layer = chosen.ravel()
    filled = batch.energies.numpy()[shower, layer] > 0
    return torch.from_numpy(shower[filled]), torch.from_numpy(layer[filled])


def split_cells(fine: Tensor, config: ConvL2LConfig) -> tuple[HitCells, Tensor]:
    """The cells of some layers that were hit, and what each sub-cell has of its cell's energy.

    Arguments:
        fine: Energies of the sub-cells, shape (images, side, side).
        config: Of the model.
    """
    split, cells = config.grid.split, config.grid.cells
    blocks = fine.view(-1, cells, split, cells, split).permute(0, 1, 3, 2, 4).flatten(3)
    energy = blocks.sum(dim=-1)
    image, row, column = (energy > 0).nonzero(as_tuple=True)
    own = energy[image, row, column]
    return HitCells(image, row, column, own), blocks[image, row, column] / own[:, None]
