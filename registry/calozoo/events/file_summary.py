"""Summary of a file of events: primaries and hits in numbers, read chunk by chunk."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from calozoo.generation.file_summary import RunningMean, Summary
from calozoo_core.io.events import BOTH, MODEL, EventFile
from calozoo_core.particles import particle_name

__all__ = ["EventFileSummary", "summarise_events"]

CHUNK = 256


@dataclass
class EventFileSummary(Summary):
    """Contents of a file of events in numbers.

    Arguments:
        file: Name of the file.
        n_bytes: Size of the file.
        n_events: Number of events.
        particles: Number of primaries of each kind.
        energy_gev: Lowest and highest energy of a primary, in GeV; None without primaries.
        event_energy_gev: Mean sum of the energies of an event's primaries, in GeV.
        model: Name of the model; None for events that were not simulated.
        detector: Detector of the hits; None without hits.
        seed: Seed of the simulation; None without hits.
        hits_threshold_mev: Energy below which hits were left out.
        n_by_model: Number of primaries that the model simulated, at least in part.
        hits_per_event: Mean number of hits.
        hit_energy_mev: Mean sum of an event's hits, in MeV.
    """

    file: str
    n_bytes: int
    n_events: int
    particles: dict[str, int] = field(default_factory=dict)
    energy_gev: tuple[float, float] | None = None
    event_energy_gev: RunningMean = field(default_factory=RunningMean)
    model: str | None = None
    detector: str | None = None
    seed: str | None = None
    hits_threshold_mev: float = 0.0
    n_by_model: int = 0
    hits_per_event: RunningMean = field(default_factory=RunningMean)
    hit_energy_mev: RunningMean = field(default_factory=RunningMean)


def summarise_events(path: Path) -> EventFileSummary:
    """Summary of a file of events, read chunk by chunk.

    Raises:
        ShowerFileError: If the file is missing, damaged, or not one of events.
    """
    with EventFile(path) as file:
        summary = EventFileSummary(
            file=str(path),
            n_bytes=path.stat().st_size,
            n_events=len(file),
            model=file.model,
            detector=file.detector,
            seed=file.text("seed"),
            hits_threshold_mev=file.threshold_mev,
        )
        if file.is_simulated:
            file.check_taken()
        particles = Counter[str]()
        for first in range(0, len(file), CHUNK):
            rows = slice(first, first + CHUNK)
            events = file.events(rows)
            particles.update(particle_name(int(pdg)) for pdg in events.pdg)
            if events.n_primaries:
                low, high = summary.energy_gev or (math.inf, -math.inf)
                energy = events.energy
                summary.energy_gev = min(low, float(energy.min())), max(high, float(energy.max()))
            sums = np.bincount(events.event, weights=events.energy, minlength=len(events))
            summary.event_energy_gev.add(sums)
            if file.is_simulated:
                hits = file.hits(rows).hits
                running = np.concatenate([[0.0], np.cumsum(hits.energy, dtype=np.float64)])
                summary.hits_per_event.add(hits.n_hits)
                summary.hit_energy_mev.add(np.diff(running[hits.offsets]))
                summary.n_by_model += int(np.isin(file.simulated_by(rows), (MODEL, BOTH)).sum())
        summary.particles = dict(particles.most_common())
    return summary
