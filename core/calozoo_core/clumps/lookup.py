"""Lookup of patches in a table of clumps, by class and energy."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calozoo_core.ragged import row_blocks
from calozoo_core.typing import Float32Array, IntArray

__all__ = ["BLOCK", "GRID_MM", "LEVELS", "Lookup", "energy_level", "sort_patches"]

GRID_MM: Final = np.float32(1 / 32)
"""Grid of stored positions; 16 bits reach to 1 m."""

LEVELS: Final = 1 << 13
"""Energies a lookup tells apart: steps of 0.2 % from 0.1 keV to 1 GeV."""

BLOCK: Final = 1 << 16
"""Patches sorted together, so that what is in between takes little memory."""

_LOG_RANGE: Final = (float(np.log(1e-4)), float(np.log(1e3)))


class Lookup(NamedTuple):
    """Patches by class and energy: runs of entries, sorted by energy, one or more a class.

    Arguments:
        runs: Run of each class, then those of wider classes, shape (3, n_classes).
        most: Largest energy of a patch in the widest class, in MeV, shape (n_classes,).
        start: First entry of each run, and the number of all, shape (n_runs + 1,).
        level: Energy level of each entry, growing in a run, shape (n_entries,).
        patch: Patch of each entry but the first n_patches, which are the patches in their own
            order, shape (n_entries - n_patches,).
        first: First point of each patch, and the number of all, shape (n_patches + 1,).
        energy: Energy of each patch, in MeV, shape (n_patches,).
        points: Position of each point in 1/32 mm, its patch in the first sector of its ring, and
            the bits of its energy as a float16, in MeV, shape (N, 3).
    """

    runs: NDArray[np.int32]
    most: Float32Array
    start: NDArray[np.int32]
    level: NDArray[np.uint16]
    patch: NDArray[np.int32]
    first: NDArray[np.int32]
    energy: Float32Array
    points: NDArray[np.int16]

    def draw(
        self,
        classes: IntArray,
        energy: Float32Array,
        shift: NDArray[np.int8],
        most_apart: float,
    ) -> NDArray[np.int32]:
        """Patches of given classes with energies near given ones.

        Arguments:
            classes: Shape (m,).
            energy: In MeV, shape (m,).
            shift: Places in the order of energies to go up or down, shape (m,).
            most_apart: Ratio of energies beyond which a wider class is tried.

        Returns:
            Numbers of patches, shape (m,).
        """
        patch = self._nearest(self.runs[0], classes, energy, shift)
        for runs in self.runs[1:]:
            ratio = energy / self.energy.take(patch)
            apart = np.flatnonzero(np.maximum(ratio, 1 / ratio) > np.float32(most_apart))
            patch[apart] = self._nearest(runs, classes[apart], energy[apart], shift[apart])
        return patch

    def _nearest(
        self,
        runs: NDArray[np.int32],
        classes: IntArray,
        energy: Float32Array,
        shift: NDArray[np.int8],
    ) -> NDArray[np.int32]:
        run = runs.take(classes)
        start, last = self.start.take(run), self.start.take(run + 1) - 1
        level = energy_level(energy)
        low, high = start, last + 1
        while (low < high).any():
            middle = (low + high) // 2
            # Where the search has ended, `middle` may lie behind the last entry.
            is_below = (low < high) & (self.level.take(middle, mode="clip") < level)
            low = np.where(is_below, middle + 1, low)
            high = np.where(is_below, high, middle)
        at = np.clip(low + shift, start, last)
        own = len(self.energy)
        patch: NDArray[np.int32] = np.where(at < own, at, self.patch.take(at - own, mode="clip"))
        return patch


def energy_level(energy: Float32Array) -> NDArray[np.uint32]:
    """Level of each energy, shape (m,), from 0 to `LEVELS` - 1."""
    low, high = _LOG_RANGE
    scaled = (np.log(energy) - np.float32(low)) * np.float32((LEVELS - 1) / (high - low))
    level: NDArray[np.uint32] = np.clip(scaled, 0, LEVELS - 1).astype(np.uint32)
    return level


def sort_patches(
    energy: Float32Array,
    held: IntArray,
    level: NDArray[np.uint16],
    patch: NDArray[np.int32],
) -> None:
    """Sort the patches of each class by energy level; equal ones stay in their order.

    Arguments:
        energy: Energy of each patch, in MeV, shape (n,).
        held: Number of patches of each class, in the order of patches; each has one at least.
        level: Energy level of each place, written, shape (n,).
        patch: Number of the patch of each place, written, shape (n,).
    """
    for runs, part in row_blocks(np.concatenate([[0], np.cumsum(held)]), BLOCK):
        run = np.repeat(np.arange(runs.start, runs.stop, dtype=np.uint64), held[runs])
        # Class, level and number in one, whose sort takes no more memory.
        joined = run * np.uint64(LEVELS) + energy_level(energy[part]) << np.uint64(32)
        joined |= np.arange(part.start, part.stop, dtype=np.uint64)
        joined.sort()
        level[part] = (joined >> np.uint64(32)) % np.uint64(LEVELS)
        patch[part] = joined & np.uint64(0xFFFFFFFF)
