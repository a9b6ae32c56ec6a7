"""Sums from which the correlations between layers, and between voxels, are found."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from calozoo_core.observables.deposits import Deposits
from calozoo_core.typing import FloatArray

__all__ = ["RING_EDGES_CELLS", "SECTORS", "CorrelationSums"]

RING_EDGES_CELLS = np.array([0.0, 1, 2, 3, 4, 6, 8, 12])
"""Edges of the rings of voxels, in cells from the axis."""

SECTORS = 8
"""Voxels around a ring, from x' on."""


@dataclass(eq=False)
class CorrelationSums:
    """Sums over showers, block by block, of energies and of products of two energies.

    A voxel is a sector of a ring about the shower axis in one layer; its partner is the voxel at
    the same place one layer deeper.

    Arguments:
        n_blocks: Blocks of showers that are kept apart.
        n_layers: Sensitive layers.

    Attributes:
        showers: Number of showers of each block, shape (n_blocks,).
        layer: Sums of layer energies, shape (n_blocks, n_layers).
        layers: Sums of products of two, shape (n_blocks, n_layers, n_layers).
        voxel: Sums of voxel energies, shape (n_blocks, n_layers, n_voxels).
        squares: Sums of their squares.
        pairs: Sums of products with the partner, shape (n_blocks, n_layers - 1, n_voxels).
    """

    n_blocks: int
    n_layers: int
    showers: FloatArray = field(init=False)
    layer: FloatArray = field(init=False)
    layers: FloatArray = field(init=False)
    voxel: FloatArray = field(init=False)
    squares: FloatArray = field(init=False)
    pairs: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        k, n, v = self.n_blocks, self.n_layers, (len(RING_EDGES_CELLS) - 1) * SECTORS
        self.showers = np.zeros(k)
        self.layer, self.layers = np.zeros((k, n)), np.zeros((k, n, n))
        self.voxel, self.squares = np.zeros((k, n, v)), np.zeros((k, n, v))
        self.pairs = np.zeros((k, n - 1, v))

    def add(self, deposits: Deposits, block: NDArray[np.int64]) -> None:
        """Take in showers, each into its block, shape (n,)."""
        n, layer = len(deposits), deposits.layer.astype(np.int64)
        row = deposits.owner * self.n_layers + layer
        energy = _filled(row, deposits.energy, (n, self.n_layers))
        voxels = self._voxels(deposits, row)
        belongs = np.zeros((self.n_blocks, n))
        belongs[block, np.arange(n)] = 1
        self.showers += belongs.sum(axis=1)
        self.layer += belongs @ energy
        self.layers += _summed(belongs, energy[:, :, None] * energy[:, None, :])
        self.voxel += _summed(belongs, voxels)
        self.squares += _summed(belongs, voxels**2)
        self.pairs += _summed(belongs, voxels[:, :-1] * voxels[:, 1:])

    def _voxels(self, deposits: Deposits, row: NDArray[np.int64]) -> FloatArray:
        """Voxel energies of each shower, shape (n, n_layers, n_voxels)."""
        edges = RING_EDGES_CELLS * deposits.detector.cell_mm
        ring = np.searchsorted(edges, deposits.radius, side="right") - 1
        turn = np.arctan2(deposits.dy, deposits.dx) / (2 * np.pi)
        sector = np.floor(turn * SECTORS).astype(np.int64) % SECTORS
        n_voxels = (len(edges) - 1) * SECTORS
        near = ring < len(edges) - 1
        index = (row * n_voxels + ring * SECTORS + sector)[near]
        return _filled(index, deposits.energy[near], (len(deposits), self.n_layers, n_voxels))

    def __iadd__(self, other: CorrelationSums) -> CorrelationSums:
        for name in ("showers", "layer", "layers", "voxel", "squares", "pairs"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


def _filled(index: NDArray[np.int64], energy: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    sums = np.bincount(index, energy, minlength=math.prod(shape))
    return sums.astype(np.float64).reshape(shape)


def _summed(belongs: FloatArray, values: FloatArray) -> FloatArray:
    flat = belongs @ values.reshape(len(values), -1)
    return flat.reshape(len(belongs), *values.shape[1:])
