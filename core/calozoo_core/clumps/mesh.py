"""Voxels of a shower: layer, ring about the axis, sector of the ring."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import Annotated, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from calozoo_core.clumps.linking import Linking, link_clumps
from calozoo_core.detector import load_detector
from calozoo_core.showers import Showers
from calozoo_core.strict_model import StrictModel
from calozoo_core.typing import AnyFloatArray, BoolArray, Float32Array, FloatArray, IntArray

__all__ = ["Neighbours", "VoxelMesh", "voxel_energies"]

MAX_SECTORS: Final = 64
MAX_RINGS: Final = 64

_BLOCK: Final = 200
"""Showers linked together, so that a large sample fits in memory."""


class Neighbours(NamedTuple):
    """Cells beside each cell; the number of cells stands for none.

    Arguments:
        before: Previous sector of the ring, shape (n_cells,).
        after: Next sector of the ring, shape (n_cells,).
        inner: Cell of the next ring inwards; of the innermost ring, the cell across the axis.
        outer: Cell of the next ring outwards.
        outer_too: Second cell outwards, where the middle of this one lies between two.
        inner_too: The same, inwards.
    """

    before: IntArray
    after: IntArray
    inner: IntArray
    inner_too: IntArray
    outer: IntArray
    outer_too: IntArray


class VoxelMesh(StrictModel):
    """Rings about the axis of a shower, each cut into equal sectors; the same in every layer.

    Radius and azimuth are measured in the plane at right angles to the axis
    (`frames.perpendicular_positions`), azimuth from x' towards y'. The last ring is open. Cells are
    numbered ring by ring, from the axis outwards, in a ring by azimuth.

    Arguments:
        edges_mm: Radii between the rings, growing.
        sectors: Sectors of each ring, one ring more than there are edges; even numbers, so that the
            mirror image of a sector is one, and divisors of the largest, so that their edges meet.

    Raises:
        pydantic.ValidationError: If the edges do not grow or the sectors do not fit.

    Example:
        >>> mesh = VoxelMesh(edges_mm=(5.0,), sectors=(4, 8))
        >>> mesh.n_cells, mesh.cell(np.array([3.0, 0.0]), np.array([-1.0, 9.0])).tolist()
        (12, [3, 6])
    """

    edges_mm: Annotated[tuple[float, ...], Field(max_length=MAX_RINGS - 1)] = (
        *(1.5, 3.0, 4.5, 6.0, 8.0),
        *(9.6, 11.5, 13.8, 16.6, 19.9),
        *(23.9, 28.7, 34.4, 41.3, 49.6),
        *(59.5, 71.4, 85.7, 102.8),
    )
    sectors: Annotated[tuple[int, ...], Field(min_length=1, max_length=MAX_RINGS)] = (
        *(8, 16, 16, 16, 16),
        *(32, 32, 32, 32, 32),
        *(32, 32, 32, 32, 32),
        *(32, 32, 32, 32, 32),
    )

    @model_validator(mode="after")
    def _rings_and_sectors_fit(self) -> VoxelMesh:
        if any(low >= high for low, high in pairwise((0.0, *self.edges_mm))):
            msg = f"edges_mm must be lengths that grow from above 0, not {self.edges_mm}"
            raise ValueError(msg)
        if len(self.sectors) != len(self.edges_mm) + 1:
            msg = f"{len(self.edges_mm)} edges make {len(self.edges_mm) + 1} rings, and sectors "
            raise ValueError(msg + f"has {len(self.sectors)} numbers")
        most = max(self.sectors)
        wrong = [k for k in self.sectors if not 2 <= k <= MAX_SECTORS or k % 2 or most % k]
        if wrong:
            msg = f"sectors must be even numbers up to {MAX_SECTORS} that divide the largest, "
            raise ValueError(msg + f"not {wrong[0]}")
        return self

    def __eq__(self, other: object) -> bool:
        # Of a pydantic model the cached arrays below would be compared as well.
        if not isinstance(other, VoxelMesh):
            return NotImplemented
        return (self.edges_mm, self.sectors) == (other.edges_mm, other.sectors)

    def __hash__(self) -> int:
        return hash((self.edges_mm, self.sectors))

    @property
    def n_rings(self) -> int:
        """Number of rings."""
        return len(self.sectors)

    @property
    def n_cells(self) -> int:
        """Number of voxels of a layer."""
        return sum(self.sectors)

    @cached_property
    def ring_start(self) -> IntArray:
        """First cell of each ring, shape (n_rings,)."""
        return np.cumsum((0, *self.sectors[:-1]))

    @cached_property
    def ring(self) -> IntArray:
        """Ring of each cell, shape (n_cells,)."""
        return np.repeat(np.arange(self.n_rings), self.sectors)

    @cached_property
    def sector(self) -> IntArray:
        """Sector of each cell, shape (n_cells,)."""
        return np.arange(self.n_cells) - self.ring_start[self.ring]

    @cached_property
    def mirror(self) -> IntArray:
        """Cell that the mirror image x' -> -x' of each cell is, shape (n_cells,).

        With a field along x' that is a symmetry of showers: `energies[..., mesh.mirror]` are the
        voxels of the mirrored ones.
        """
        k = np.array(self.sectors)[self.ring]
        return np.asarray(self.ring_start[self.ring] + (k // 2 - 1 - self.sector) % k)

    @cached_property
    def neighbours(self) -> Neighbours:
        """Cells beside each cell."""
        k = np.array(self.sectors)[self.ring]
        start = self.ring_start[self.ring]
        inner, inner_too = self._beside(-1)
        outer, outer_too = self._beside(1)
        across = start + (self.sector + k // 2) % k
        innermost = self.ring == 0
        return Neighbours(
            start + (self.sector - 1) % k,
            start + (self.sector + 1) % k,
            np.where(innermost, across, inner),
            np.where(innermost, across, inner_too),
            outer,
            outer_too,
        )

    @cached_property
    def turns(self) -> FloatArray:
        """Matrices that turn the first sector of a ring to others, shape (2, 2, 2, k).

        As it is and mirrored in its middle line, by any number of the k narrowest sectors.
        """
        angle = 2 * np.pi / max(self.sectors) * np.arange(max(self.sectors))
        cos, sin = np.cos(angle), np.sin(angle)
        return np.array([[[cos, -sin], [sin, cos]], [[cos, sin], [sin, -cos]]])

    @cached_property
    def tables(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Cells and rings as compiled kernels read them.

        Returns:
            The neighbours in their order, ring and mirror image of each cell, shape (8, n_cells);
            first cell and sectors of each ring, shape (2, n_rings).
        """
        cells = np.stack([*self.neighbours, self.ring, self.mirror])
        rings = np.stack([self.ring_start, np.array(self.sectors)])
        return cells.astype(np.int32), rings.astype(np.int32)

    def cell(self, x: AnyFloatArray, y: AnyFloatArray) -> IntArray:
        """Cell of positions about the axis, in the plane at right angles to it.

        Arguments:
            x: Positions along x', in mm, shape (N,).
            y: Likewise along y'.

        Returns:
            Numbers of cells, below `n_cells`, shape (N,).
        """
        ring = np.searchsorted(np.array(self.edges_mm), np.hypot(x, y), side="right")
        k = np.array(self.sectors)[ring]
        turn = np.arctan2(y, x) / (2 * np.pi) % 1
        # A turn of just below a whole one may be rounded to it.
        return np.asarray(self.ring_start[ring] + np.minimum((turn * k).astype(np.int64), k - 1))

    def ring_energies(self, energies: Float32Array) -> Float32Array:
        """Sums over sectors: shape (..., n_cells) to (..., n_rings)."""
        return np.add.reduceat(energies, self.ring_start, axis=-1)

    def _beside(self, step: int) -> tuple[IntArray, IntArray]:
        """Cells at the same azimuth, `step` rings on: one twice, or the two that meet there."""
        ring = self.ring + step
        there: BoolArray = (ring >= 0) & (ring < self.n_rings)
        ring = np.clip(ring, 0, self.n_rings - 1)
        k, own = np.array(self.sectors)[ring], np.array(self.sectors)[self.ring]
        # Twice the azimuth of this cell's middle, in sectors of the other ring.
        low, rest = np.divmod((2 * self.sector + 1) * k, 2 * own)
        start = self.ring_start[ring]
        one, two = start + low, start + low - (rest == 0)
        return np.where(there, one, self.n_cells), np.where(there, two, self.n_cells)


def voxel_energies(
    showers: Showers, mesh: VoxelMesh | None = None, linking: Linking | None = None
) -> Float32Array:
    """Energies of the voxels of showers, where whole clumps go to the voxel of their centre.

    That is what a model of voxels trains on and draws, and what `fill` turns into points again.

    Arguments:
        showers: Showers of any representation.
        mesh: Rings and sectors; by default those of `VoxelMesh()`.
        linking: Distances that make a clump; by default those of `Linking()`.

    Returns:
        In MeV, shape (n, n_layers, mesh.n_cells).

    Raises:
        DetectorError: If a layer is beyond the detector's last.
    """
    mesh = mesh or VoxelMesh()
    shape = (load_detector(showers.detector).n_layers, mesh.n_cells)
    energies = np.zeros((len(showers), *shape), np.float32)
    for start in range(0, len(showers), _BLOCK):
        block = showers[start : start + _BLOCK]
        clumps = link_clumps(block, linking)
        rows = clumps.shower * shape[0] + clumps.layer
        voxel = rows * mesh.n_cells + mesh.cell(clumps.x, clumps.y)
        sums = np.bincount(voxel, clumps.energy, len(block) * shape[0] * shape[1])
        energies[start : start + len(block)] = sums.reshape(len(block), *shape)
    return energies
