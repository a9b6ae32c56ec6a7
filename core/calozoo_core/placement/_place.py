"""Showers into hits, as many at once as a processor's cache holds."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from calozoo_core.placement._axis import DEAD
from calozoo_core.placement.hits import Hits, sum_cells
from calozoo_core.showers import Showers

if TYPE_CHECKING:
    from calozoo_core.placement.base import Entry, Placement

__all__ = ["place_showers"]

IntArray = NDArray[np.int64]

POINTS_AT_ONCE = 32768
"""Few enough for what is computed of them to stay in a processor's cache."""


def place_showers(
    placement: Placement, showers: Showers, entry: Entry, threshold_mev: float
) -> Hits:
    """The hits of showers that enter a detector's parts at these places."""
    ends = _runs(showers.offsets, placement.cells_per_part)
    parts = [
        _place_run(placement, showers, entry.of(slice(a, b)), a, threshold_mev)
        for a, b in pairwise(ends)
    ]
    return Hits.concatenate(parts)


def _place_run(
    placement: Placement, showers: Showers, entry: Entry, first: int, threshold_mev: float
) -> Hits:
    """The hits of the showers from `first` on that have an entry."""
    n = len(entry.part)
    offsets = showers.offsets[first : first + n + 1]
    counts = np.diff(offsets)
    points = slice(int(offsets[0]), int(offsets[-1]))
    key = placement.cells_in_part(
        entry.of(np.repeat(np.arange(n), counts)),
        showers.x[points],
        showers.y[points],
        showers.layer[points].astype(np.intp),
    )
    size = placement.cells_per_part
    first_key = size * np.arange(n + 1)
    key += np.repeat(first_key[:-1], counts)
    key, energy = sum_cells(key, showers.energy[points], n * size)
    if threshold_mev > 0:
        kept = np.flatnonzero(energy >= threshold_mev)
        key, energy = key.take(kept), energy.take(kept)
    hit_offsets = np.searchsorted(key, first_key)
    hits = np.diff(hit_offsets)
    part = np.repeat(entry.part, hits)
    index = key - np.repeat(first_key[:-1], hits)
    layer, centres = placement.middles(part, index)
    x, y, z = centres.astype(np.float32).T
    return Hits(
        offsets=hit_offsets,
        cell=part * size + index,
        layer=layer.astype(np.uint8),
        x=x,
        y=y,
        z=z,
        energy=energy.astype(np.float32),
    )


def _runs(offsets: IntArray, cells_per_part: int) -> list[int]:
    """Where to cut a batch: few points at once, and keys too small to bring a dead one to life."""
    most = max(1, -DEAD // (2 * cells_per_part))
    ends = [0]
    while ends[-1] < len(offsets) - 1:
        begin = ends[-1]
        end = int(np.searchsorted(offsets, offsets[begin] + POINTS_AT_ONCE, side="right")) - 1
        ends.append(min(max(end, begin + 1), begin + most, len(offsets) - 1))
    return ends if len(ends) > 1 else [0, 0]
