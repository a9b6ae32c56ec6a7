"""Neighbourhoods of filled voxels: which of the voxels around hold energy, and how much."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from calozoo_core.clumps.mesh import VoxelMesh
from calozoo_core.typing import BoolArray, Float32Array, IntArray

__all__ = ["N_NEIGHBOURHOODS", "FilledVoxels", "filled_voxels"]

# Energies of the two sectors beside a voxel, the larger over the smaller.
_RATIOS: Final = (1.5, 3.3)
# Energy of a voxel over the mean of its ring.
_SHARES: Final = (0.4, 0.75, 1.2, 2.0)

_SURROUNDED: Final = 11  # the first 11 lack a neighbour
N_NEIGHBOURHOODS: Final = _SURROUNDED + (len(_RATIOS) + 1) * (len(_SHARES) + 1)
"""Number of classes."""


class FilledVoxels(NamedTuple):
    """Voxels with energy, in the order of showers, layers and cells, and what is around them.

    A voxel and its mirror image are of one class: in the first, the sector with more energy
    comes before it.

    Arguments:
        row: Shower times the number of layers, plus the layer, shape (m,).
        cell: Cell of the mesh, shape (m,).
        energy: In MeV, shape (m,).
        neighbourhood: Class of what is around, below `N_NEIGHBOURHOODS`, shape (m,).
        is_mirrored: The sector with more energy comes after it, shape (m,).
        is_symmetric: Both sides are about alike, shape (m,).
    """

    row: IntArray
    cell: IntArray
    energy: Float32Array
    neighbourhood: IntArray
    is_mirrored: BoolArray
    is_symmetric: BoolArray

    def divided(self, parts: IntArray) -> FilledVoxels:
        """The voxels, each as often as `parts` says and with as small a part of the energy."""
        return FilledVoxels(
            np.repeat(self.row, parts),
            np.repeat(self.cell, parts),
            np.repeat(self.energy / parts.astype(np.float32), parts),
            np.repeat(self.neighbourhood, parts),
            np.repeat(self.is_mirrored, parts),
            np.repeat(self.is_symmetric, parts),
        )


def filled_voxels(energies: Float32Array, mesh: VoxelMesh) -> FilledVoxels:
    """Find the filled voxels of showers, and class what is around them.

    Arguments:
        energies: In MeV, shape (n, n_layers, mesh.n_cells); what is not positive is empty.
        mesh: Rings and sectors.
    """
    cells = mesh.n_cells
    rows = np.ascontiguousarray(energies, np.float32).reshape(-1, cells)
    # A cell more, which is always empty, for neighbours that do not exist.
    filled = np.zeros((len(rows), cells + 1), bool)
    np.greater(rows, 0, out=filled[:, :cells])
    count = np.count_nonzero(filled, axis=1)
    row = np.repeat(np.arange(len(rows)), count)
    at = np.flatnonzero(filled)
    start = row * (cells + 1)
    cell = at - start
    flat, occupied = rows.ravel(), filled.ravel()
    energy = flat.take(at - row)

    def holds(neighbour: IntArray) -> BoolArray:
        return occupied.take(start + neighbour.take(cell))

    near = mesh.neighbours
    before, after = holds(near.before), holds(near.after)
    inner = holds(near.inner) | holds(near.inner_too)
    outer = holds(near.outer) | holds(near.outer_too)
    # Which neighbours are filled: none, one or both of the sides, inside, outside.
    kind = np.add(before, after, dtype=np.int64) * 4 + inner * np.int64(2) + outer
    is_mirrored = after & ~before
    is_symmetric = before == after

    full = np.flatnonzero(kind == _SURROUNDED)
    place, here, own = row[full], cell[full], energy[full]
    left = flat.take(place * cells + near.before.take(here))
    right = flat.take(place * cells + near.after.take(here))
    more, less = np.maximum(left, right), np.minimum(left, right)
    ring_mean = np.add.reduceat(np.where(filled[:, :cells], rows, 0), mesh.ring_start, axis=1)
    ring_mean /= np.array(mesh.sectors, np.float32)
    mean = ring_mean.ravel().take(place * mesh.n_rings + mesh.ring.take(here))
    ratio = sum((more > less * np.float32(edge)).astype(np.int64) for edge in _RATIOS)
    share = sum((own > mean * np.float32(edge)).astype(np.int64) for edge in _SHARES)
    kind[full] += ratio * (len(_SHARES) + 1) + share
    is_mirrored[full] = (right > left) & (ratio > 0)
    is_symmetric[full] = ratio == 0
    return FilledVoxels(row, cell, energy, kind, is_mirrored, is_symmetric)
