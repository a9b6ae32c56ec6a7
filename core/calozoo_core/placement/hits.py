"""What a detector reads out: energies of cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calozoo_core._grouping import sort_order
from calozoo_core.typing import FloatArray, IntArray

__all__ = ["Hits", "sum_cells"]


@dataclass(frozen=True, eq=False)
class Hits:
    """Energies of the readout cells that n showers hit, one shower after the other.

    The hits of shower i are rows `offsets[i]:offsets[i + 1]`, sorted by layer and cell. A cell
    appears once a shower.

    Arguments:
        offsets: Where each shower begins, and the end, shape (n + 1,), int64.
        cell: Index of the cell, unique in the detector, shape (N,), int64.
        layer: Index of the sensitive layer, from 0 at the face, shape (N,), uint8.
        x: Global position of the cell's middle, in mm, shape (N,), float32.
        y: Likewise.
        z: Likewise, along the beam.
        energy: Energy in the cell, in MeV, shape (N,), float32.
    """

    offsets: IntArray
    cell: IntArray
    layer: NDArray[np.uint8]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    z: NDArray[np.float32]
    energy: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def concatenate(cls, batches: Sequence[Hits]) -> Hits:
        """The hits of several batches of showers, one batch after the other."""
        counts = [np.diff(batch.offsets) for batch in batches]
        return cls(
            offsets=np.concatenate([[0], *counts]).cumsum(),
            cell=np.concatenate([batch.cell for batch in batches]),
            layer=np.concatenate([batch.layer for batch in batches]),
            x=np.concatenate([batch.x for batch in batches]),
            y=np.concatenate([batch.y for batch in batches]),
            z=np.concatenate([batch.z for batch in batches]),
            energy=np.concatenate([batch.energy for batch in batches]),
        )


def sum_cells(
    key: IntArray, energy: NDArray[np.float32], n_keys: int
) -> tuple[IntArray, FloatArray]:
    """The energy of each key that occurs; rows whose key is negative are left out.

    Arguments:
        key: Shape (N,), below `n_keys`.
        energy: Shape (N,).
        n_keys: One more than the largest key.

    Returns:
        The keys in order, shape (M,), and the sum of the energies of each, shape (M,).
    """
    # Read without a sign, a negative number is large: cut to n_keys, it is sorted to the end.
    cut = np.minimum(key.view(np.uint64), np.uint64(n_keys)).view(np.int64)
    order = sort_order(cut, n_keys)
    in_order = cut.take(order)
    n_live = int(np.searchsorted(in_order, n_keys))
    if n_live == 0:
        return np.zeros(0, np.int64), np.zeros(0)
    in_order = in_order[:n_live]
    starts = np.concatenate([[0], np.flatnonzero(in_order[1:] != in_order[:-1]) + 1])
    in_order_energy = energy.take(order[:n_live]).astype(np.float64)
    return in_order.take(starts), np.add.reduceat(in_order_energy, starts)
