"""Hits of events from the deposits of their primaries."""

from __future__ import annotations

import numpy as np

from calozoo.events.deposits import Deposits
from calozoo_core.event_hits import EventHits
from calozoo_core.events import Events
from calozoo_core.hits import Hits
from calozoo_core.io.events import BOTH, FULL, MODEL, NOTHING, SimulatedEvents, TakenParticles
from calozoo_core.particles import INVISIBLE
from calozoo_core.placement import Placement

__all__ = ["simulated_events"]


def simulated_events(
    events: Events, deposits: Deposits, placement: Placement, threshold_mev: float
) -> SimulatedEvents:
    """Simulated events: cells are summed over the primaries first, and cut afterwards.

    Arguments:
        events: The events.
        deposits: Deposits of their primaries.
        placement: Placement of the detector.
        threshold_mev: Cells with less energy are left out.
    """
    by = np.where(deposits.is_known & ~np.isin(events.pdg, list(INVISIBLE)), FULL, NOTHING)
    taken = deposits.taken
    is_taken_whole = np.zeros(len(events.pdg), np.bool_)
    first = taken.primary[taken.number == 0]
    by[first] = BOTH
    # A primary that was itself stopped on the face left nothing else to simulate.
    whole = taken.energy >= (1 - 1e-9) * events.energy[taken.primary]
    is_taken_whole[taken.primary[whole & (taken.pdg == events.pdg[taken.primary])]] = True
    by[is_taken_whole] = MODEL
    particles = TakenParticles(
        events.event[taken.primary],
        events.ordinal[taken.primary].astype(np.int32),
        taken.pdg,
        taken.energy,
        taken.position,
        taken.direction,
        taken.time,
    )
    hits = _hits(events, deposits, placement, threshold_mev)
    return SimulatedEvents(events, by.astype(np.uint8), particles, hits)


def _hits(
    events: Events, deposits: Deposits, placement: Placement, threshold_mev: float
) -> EventHits:
    counts = np.diff(deposits.offsets)
    event, ordinal = np.repeat(events.event, counts), np.repeat(events.ordinal, counts)
    order = np.lexsort([ordinal, deposits.cell, event])
    event, ordinal = event[order], ordinal[order]
    cell, energy = deposits.cell[order], deposits.energy[order]
    is_new = np.ones(len(cell), np.bool_)
    is_new[1:] = (np.diff(cell) != 0) | (np.diff(event) != 0)
    group = np.cumsum(is_new) - 1
    starts = np.flatnonzero(is_new)
    summed = np.bincount(group, weights=energy, minlength=len(starts)).astype(np.float32)
    is_hit = summed >= np.float32(threshold_mev)
    rows = starts[is_hit]
    part, index = np.divmod(cell[rows], placement.cells_per_part)
    layer, centres = placement.middles(part, index)
    # Hits of an event are sorted by layer, then by cell.
    by_layer = np.lexsort([cell[rows], layer, event[rows]])
    x, y, z = centres[by_layer].astype(np.float32).T
    hits = Hits(
        offsets=np.searchsorted(event[rows], np.arange(len(events) + 1)),
        cell=cell[rows][by_layer],
        layer=layer[by_layer].astype(np.uint8),
        x=x,
        y=y,
        z=z,
        energy=summed[is_hit][by_layer],
    )
    sizes = np.diff(np.append(starts, len(cell)))[is_hit][by_layer]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    members = np.repeat(rows[by_layer] - offsets[:-1], sizes) + np.arange(offsets[-1])
    return EventHits(hits, offsets, ordinal[members].astype(np.int32), energy[members])
