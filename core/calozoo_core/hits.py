"""Hits: energies of the readout cells of a detector."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import InputError
from calozoo_core.ragged import (
    Rows,
    equal_arrays,
    import_awkward,
    is_number,
    point_rows,
    row_number,
    row_selection,
    sort_order,
)
from calozoo_core.shower_plot import energy_by_layer
from calozoo_core.typing import AnyFloatArray, FloatArray, IntArray

if TYPE_CHECKING:
    import awkward

__all__ = ["Hits", "sum_cells"]

_COLUMNS = ("cell", "layer", "x", "y", "z", "energy")


@dataclass(frozen=True, eq=False, repr=False)
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

    Example:
        >>> columns = {name: np.arange(3) for name in ("cell", "layer", "x", "y", "z", "energy")}
        >>> hits = Hits(offsets=np.array([0, 1, 3]), **columns)
        >>> hits
        <Hits: 2 showers, 3 cells, 3 MeV>
        >>> hits[-1].cell.tolist(), hits[hits.n_hits > 1] == hits[1:]
        ([1, 2], True)
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

    def __getitem__(self, rows: int | np.integer[Any] | Rows) -> Hits:
        """Hits of some of the showers; a single number gives the Hits of one shower.

        Arguments:
            rows: A whole number, counted from the end if negative; or a slice, whole numbers of
                shape (m,), or a mask of shape (n,).

        Raises:
            RowIndexError: If there is no such shower.
            InputError: If `rows` is none of these.
        """
        if is_number(rows):
            number = row_number(rows, len(self))
            return self[number : number + 1]
        offsets, hits = point_rows(self.offsets, row_selection(rows, len(self)))  # type: ignore[arg-type]
        return Hits(offsets, **{name: getattr(self, name)[hits] for name in _COLUMNS})

    def __iter__(self) -> Iterator[Hits]:
        return (self[number] for number in range(len(self)))

    def __eq__(self, other: object) -> bool:
        """True if the other has the same hits, value by value."""
        if not isinstance(other, Hits):
            return NotImplemented
        return equal_arrays(self, other, ("offsets", *_COLUMNS))

    __hash__ = None  # type: ignore[assignment]  # as of an array, whose values may change

    def __repr__(self) -> str:
        energy = float(self.energy.sum(dtype=np.float64))
        return f"<Hits: {len(self)} showers, {len(self.cell)} cells, {energy:.4g} MeV>"

    def _repr_html_(self) -> str:
        picture = energy_by_layer(self.layer, self.energy / max(len(self), 1))
        return f"<div>{escape(repr(self))}<br/>{picture}</div>"

    @property
    def n_hits(self) -> IntArray:
        """Number of hits of each shower, shape (n,)."""
        return np.diff(self.offsets)

    def to_awkward(self) -> awkward.Array:
        """Hits as an Awkward array of records, one list a shower.

        Returns:
            Array of type `n * var * {cell, layer, x, y, z, energy}`.

        Raises:
            CalozooError: If awkward is not installed (`pip install calozoo-core[awkward]`).
        """
        awkward = import_awkward()
        fields = {name: getattr(self, name) for name in _COLUMNS}
        return awkward.unflatten(awkward.zip(fields), self.n_hits)

    @classmethod
    def concatenate(cls, batches: Iterable[Hits]) -> Hits:
        """Hits of several batches of showers, one batch after the other.

        Raises:
            InputError: If there are none.
        """
        batches = list(batches)
        if not batches:
            msg = "There are no hits to put together."
            raise InputError(msg)
        columns = {
            name: np.concatenate([getattr(batch, name) for batch in batches]) for name in _COLUMNS
        }
        counts = [batch.n_hits for batch in batches]
        return cls(offsets=np.concatenate([[0], *counts]).cumsum(), **columns)


def sum_cells(key: IntArray, energy: AnyFloatArray, n_keys: int) -> tuple[IntArray, FloatArray]:
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
