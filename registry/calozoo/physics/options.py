"""Options of a physics benchmark."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from calozoo import api
from calozoo.events.request import FULL_SIMULATION
from calozoo_core.errors import InputError

__all__ = ["PhysicsRun"]


@dataclass(frozen=True)
class PhysicsRun:
    """Options of a physics benchmark.

    Arguments:
        models: Names of the models.
        folder: Folder of the samples, which are kept and reused.
        n: Number of events: one for all samples, or of pairs one for each energy; empty for the
            benchmark's own.
        n_close: Number of close pairs, likewise; empty for as many as other pairs.
        seeds: Number of seeds of each model.
        floor: Whether Geant4 is also compared with itself, by another seed.
        simulate_truth: Whether Geant4 is also run where calozoo brings its measurements.
        workers: Number of processes of Geant4.
        offline: Use no network.
        on_truth: Called with a sentence on where Geant4's part comes from.
        on_start: Called with the number of events that are to be made or found.
        on_events: Called with the number of events of each chunk.
    """

    models: tuple[str, ...]
    folder: Path
    n: tuple[int, ...] = ()
    n_close: tuple[int, ...] = ()
    seeds: int = 1
    floor: bool = True
    simulate_truth: bool = False
    workers: int | None = None
    offline: bool = False
    on_truth: Callable[[str], None] = lambda sentence: None
    on_start: Callable[[int], None] = lambda n: None
    on_events: Callable[[int], None] = lambda n: None

    def __post_init__(self) -> None:
        if min(*self.n, *self.n_close, 2, 2) < 2:
            msg = f"The number of events must be at least 2, not {min(*self.n, *self.n_close, 2)}."
            raise InputError(msg, argument="n")
        if self.seeds < 1:
            msg = f"seeds must be at least 1, not {self.seeds}."
            raise InputError(msg, argument="seeds")
        full_names: set[str] = set()
        for name in self.models:
            full_name = api.find_model(name, offline=self.offline).name
            if full_name.startswith(FULL_SIMULATION):
                msg = f"{name} is what models are compared with; name a model."
                raise InputError(msg)
            if full_name in full_names:
                msg = f"{full_name} is named twice; name each model once."
                raise InputError(msg)
            full_names.add(full_name)
