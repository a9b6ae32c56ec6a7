"""Hits of events, and the energy that each primary left in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import InputError
from calozoo_core.hits import Hits
from calozoo_core.ragged import Rows, equal_arrays, point_rows, row_selection
from calozoo_core.typing import IntArray

__all__ = ["EventHits"]


@dataclass(frozen=True, eq=False)
class EventHits:
    """Hits of events, each with its contributions by primary.

    The contributions to hit j are rows `offsets[j]:offsets[j + 1]`; their energies add up to that
    of the hit.

    Arguments:
        hits: Hits of n events, N altogether.
        offsets: Beginning of the contributions to each hit, and the end, shape (N + 1,).
        primary: Number within its event of the primary, shape (M,).
        energy: Energy in MeV that it left in the cell, shape (M,).
    """

    hits: Hits
    offsets: IntArray
    primary: NDArray[np.int32]
    energy: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.hits)

    def __getitem__(self, rows: Rows) -> EventHits:
        """Events of a slice, of numbers in a list, or of a mask."""
        selected = row_selection(rows, len(self), "event", has_single=False)
        offsets, part = point_rows(self.offsets, point_rows(self.hits.offsets, selected)[1])
        return EventHits(self.hits[selected], offsets, self.primary[part], self.energy[part])

    def __eq__(self, other: object) -> bool:
        """True if the other has the same hits and contributions, value by value."""
        if not isinstance(other, EventHits):
            return NotImplemented
        return self.hits == other.hits and equal_arrays(
            self, other, ("offsets", "primary", "energy")
        )

    __hash__ = None  # type: ignore[assignment]  # as of an array, whose values may change

    def of_primary(self, primary: int, threshold_mev: float = 0.0) -> Hits:
        """Hits that one primary of each event would leave alone.

        Complete for thresholds from that of the hits on: a cell that reaches it with one primary
        reaches it with all.

        Arguments:
            primary: Number of the primary within its event.
            threshold_mev: Cells with less energy are left out.
        """
        hit = np.repeat(np.arange(len(self.hits.cell)), np.diff(self.offsets))
        kept = np.flatnonzero((self.primary == primary) & (self.energy >= threshold_mev))
        rows = hit[kept]
        columns = {n: getattr(self.hits, n)[rows] for n in ("cell", "layer", "x", "y", "z")}
        offsets = np.searchsorted(rows, self.hits.offsets)
        return Hits(offsets=offsets, **columns, energy=self.energy[kept])

    @classmethod
    def concatenate(cls, parts: Iterable[EventHits]) -> EventHits:
        """Several runs of events, one after the other.

        Raises:
            InputError: If there are none.
        """
        parts = list(parts)
        if not parts:
            msg = "There are no events to put together."
            raise InputError(msg)
        counts = [np.diff(part.offsets) for part in parts]
        return cls(
            Hits.concatenate([part.hits for part in parts]),
            np.concatenate([[0], *counts]).cumsum(),
            np.concatenate([part.primary for part in parts]),
            np.concatenate([part.energy for part in parts]),
        )
