"""Simulation of a run of events: the full simulation, then a model for what it left."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from calozoo.events.deposits import Deposits
from calozoo.events.numbering import primary_seeds, shower_numbers
from calozoo_core.events import Events
from calozoo_core.full_simulation import (
    ON_FACE_MM,
    FaceTrigger,
    FullSimulation,
    PrimaryDeposits,
    TakenParticle,
)
from calozoo_core.generator import Generator
from calozoo_core.hits import Hits
from calozoo_core.incident import Incident
from calozoo_core.placement import Placement
from calozoo_core.typing import IntArray

__all__ = ["add_model", "incident_on_face", "simulate_fully", "take_at_start"]


def simulate_fully(simulation: FullSimulation, events: Events, first: int, seed: int) -> Deposits:
    """Deposits of the primaries of events by the full simulation, and what it left to a model.

    Arguments:
        simulation: Full simulation, which has a trigger or none.
        events: Events.
        first: Number of the first of them in the sample.
        seed: The user's seed.
    """
    names = [
        f"{events.label(row, first)} ({primary})" for row, primary in enumerate(events.primaries)
    ]
    seeds = primary_seeds(events, first, seed)
    return Deposits.of(list(simulation.run(events.primaries, seeds, names)))


def take_at_start(
    events: Events, trigger: FaceTrigger | None, placement: Placement
) -> Deposits | None:
    """Deposits of events whose primaries all start on the face and are left to a model.

    Such events need no full simulation.

    Arguments:
        events: Events.
        trigger: Choice of the particles that are left to the model; None leaves none.
        placement: Placement of the detector.

    Returns:
        Deposits without any energy; None if a primary must be simulated.
    """
    if trigger is None or np.any(np.abs(placement.depth(events.vertex)) > ON_FACE_MM):
        return None
    deposits: list[PrimaryDeposits] = []
    for primary in events.primaries:
        particle = TakenParticle.at_start(primary)
        if not trigger.accepts(placement, particle):
            return None
        deposits.append(PrimaryDeposits(taken=(particle,)))
    return Deposits.of(deposits)


def incident_on_face(events: Events, placement: Placement) -> Incident:
    """Incident particles of events whose primaries are photons that start on the face.

    Arguments:
        events: Events.
        placement: Placement of the detector.
    """
    direction = events.momentum / np.linalg.norm(events.momentum, axis=1, keepdims=True)
    local = placement.local_direction(events.vertex, direction)
    return Incident(events.energy, local, "gamma", events.vertex)


def add_model(
    deposits: Deposits,
    events: Events,
    first: int,
    model: Generator,
    placement: Placement,
    *,
    seed: int,
    batch_size: int | None = None,
    on_batch: Callable[[], None] = lambda: None,
) -> Deposits:
    """These deposits with those of a model, for the particles that were left to it.

    Arguments:
        deposits: Deposits by the full simulation.
        events: The events.
        first: Number of the first of them in the sample.
        model: Model that simulates the particles.
        placement: Placement of its showers.
        seed: The user's seed.
        batch_size: Showers at a time; the deposits do not depend on it.
        on_batch: Called after each of these batches.
    """
    taken = deposits.taken
    size = model.default_batch_size if batch_size is None else batch_size
    numbers = shower_numbers(
        events.event[taken.primary] + first, events.ordinal[taken.primary], taken.number
    )
    rows: list[IntArray] = []
    hits: list[Hits] = []
    for particle in model.spec.conditions.particles:
        of_particle = taken.of_particle(particle)
        for some in _batches(of_particle, size):
            position = taken.position[some]
            incident = Incident(
                taken.energy[some],
                placement.local_direction(position, taken.direction[some]),
                particle,
                position,
            )
            showers = model.sample_numbers(incident, seed, numbers[some])
            rows.append(some)
            hits.append(placement.place(showers, position))
            on_batch()
    if not rows:
        return deposits
    return deposits.with_model(np.concatenate(rows), Hits.concatenate(hits))


def _batches(rows: IntArray, size: int) -> Sequence[IntArray]:
    return [rows[i : i + size] for i in range(0, len(rows), size)]
