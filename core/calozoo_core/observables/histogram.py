"""A histogram of a sample, kept in blocks of showers so that its errors can be found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calozoo_core.observables.definitions import Observable
from calozoo_core.typing import FloatArray

__all__ = ["Histogram"]


@dataclass(frozen=True, eq=False)
class Histogram:
    """What a sample's showers filled into the bins of an observable.

    Arguments:
        observable: What was filled, and into which bins.
        blocks: Contents, with both flow bins, by block of showers, shape (n_blocks, bins + 2).
        showers: Showers of each block, shape (n_blocks,).
        left_out: Showers that do not have this quantity, such as the centre of an empty one.
    """

    observable: Observable
    blocks: FloatArray
    showers: FloatArray
    left_out: int

    @property
    def edges(self) -> FloatArray:
        """Edges of the bins, shape (bins + 1,)."""
        return self.observable.binning.edges

    @property
    def n_showers(self) -> int:
        """Showers that have this quantity."""
        return int(self.showers.sum()) - self.left_out

    @property
    def contents(self) -> FloatArray:
        """Contents without the flow bins, shape (bins,)."""
        contents: FloatArray = self.blocks.sum(axis=0)[1:-1]
        return contents

    @property
    def per_shower(self) -> FloatArray:
        """Mean contents of a shower, shape (bins,); zero if there is none."""
        mean: FloatArray = self.contents / max(self.showers.sum(), 1)
        return mean

    @property
    def error(self) -> FloatArray:
        """Standard error of `per_shower`, from the scatter between blocks, shape (bins,).

        Deposits of one shower go together, so that the root of their number would be too small.
        """
        total = max(self.showers.sum(), 1)
        filled = self.showers > 0
        if filled.sum() < 2:
            return np.zeros_like(self.per_shower)
        # Of a ratio of sums: how far each block is from what its showers would have on average.
        away = self.blocks[filled, 1:-1] - self.showers[filled, None] * self.per_shower
        factor = filled.sum() / (filled.sum() - 1)
        error: FloatArray = np.sqrt(factor * (away**2).sum(axis=0)) / total
        return error
