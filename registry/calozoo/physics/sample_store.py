"""Store of simulated samples on disk, made once in chunks and reused by every comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from calozoo.events.chunks import add_model, simulate_fully, take_at_start
from calozoo.events.deposits import Deposits
from calozoo.events.hit_building import simulated_events
from calozoo.physics.digests import primaries_digest
from calozoo.physics.shared_source import SharedSource
from calozoo_core.detector import Detector
from calozoo_core.errors import CalozooError
from calozoo_core.event_hits import EventHits
from calozoo_core.events import Events
from calozoo_core.full_simulation import FaceTrigger, FullSimulation
from calozoo_core.generator import Generator
from calozoo_core.io.atomic import write_atomic
from calozoo_core.placement import load_placement

__all__ = ["THRESHOLD_MEV", "Sample", "SampleStore"]

THRESHOLD_MEV = 0.1
_NOTE = "events.txt"
_DIGITS = 16


@dataclass(frozen=True)
class Sample:
    """Events whose primaries all start on the face and are left to a model.

    Arguments:
        name: Name of the folder.
        events: The events.
        chunk: Events that are simulated, and kept, together.
    """

    name: str
    events: Events
    chunk: int


class SampleStore:
    """Simulated samples in a folder, one folder for each sample, model and seed.

    Chunks that are there are not made again, also for a sample that has grown or shrunk; but those
    of a model are that makes other showers now, of other weights or in another version. The folder
    of a sample notes its events, and is refused for others.

    Arguments:
        folder: The folder.
        detector: Detector that the samples are simulated in.
        trigger: Choice of the particles for a model; all primaries of a sample must be accepted.
        on_events: Called with the number of events of each chunk that is made or found.
    """

    def __init__(
        self,
        folder: Path,
        detector: Detector,
        trigger: FaceTrigger,
        on_events: Callable[[int], None] = lambda n: None,
    ) -> None:
        self.folder, self.detector, self.trigger = folder, detector, trigger
        self._placement = load_placement(detector)
        self._on_events = on_events

    def truth(
        self, sample: Sample, name: str, seed: int, simulation: Callable[[], FullSimulation]
    ) -> EventHits:
        """Hits of a sample by the full simulation.

        Arguments:
            sample: The sample.
            name: Name of the simulation.
            seed: Seed of the simulation.
            simulation: Maker of the simulation; called if something is to be made.
        """
        self.simulate(sample, name, seed, simulation)
        return self._hits(self._folder(sample, name, seed), _chunks(sample))

    def simulate(
        self,
        sample: Sample,
        name: str,
        seed: int,
        simulation: Callable[[], FullSimulation],
        start: int = 0,
    ) -> None:
        """Make the chunks of a sample by the full simulation that are missing.

        Arguments:
            sample: The sample.
            name: Name of the simulation.
            seed: Seed of the simulation.
            simulation: Maker of the simulation; called if something is to be made.
            start: Event whose chunk is the first that is needed.
        """
        folder = self._folder(sample, name, seed)
        for chunk in _chunks(sample, start):
            path = folder / chunk.file
            if not _is_there(path, chunk.events):
                simulate_fully(simulation(), chunk.events, chunk.first, seed).write(path)
            self._on_events(len(chunk.events))

    def models(
        self,
        sample: Sample,
        models: Mapping[str, Generator],
        seed: int,
        sources: Iterable[SharedSource] = (),
    ) -> dict[str, EventHits]:
        """Hits of a sample by models.

        Arguments:
            sample: The sample.
            models: Models by name.
            seed: Seed of the showers.
            sources: Sources that some of them share.
        """
        folders = {name: self._folder(sample, name, seed) for name in models}
        for name, model in models.items():
            self._remove_outdated(sample, model, folders[name], seed)
        for chunk in _chunks(sample):
            for name, model in models.items():
                path = folders[name] / chunk.file
                if not _is_there(path, chunk.events):
                    self._made(sample, chunk.events, chunk.first, model, seed).write(path)
                self._on_events(len(chunk.events))
            for source in sources:
                source.forget()
        return {name: self._hits(folder, _chunks(sample)) for name, folder in folders.items()}

    def stored(self, sample: Sample, name: str, seed: int, start: int = 0) -> EventHits | None:
        """Hits of the events of a sample that are there without a gap; nothing is written.

        Arguments:
            sample: The sample.
            name: Name of the simulation, or of a model.
            seed: Seed of the showers.
            start: The first of these events.

        Returns:
            Hits of as many events from `start` on as there are; None for none.

        Raises:
            CalozooError: If the folder holds a sample of other events.
        """
        above = self.folder / sample.name
        if not above.exists():
            return None
        _digests(above, sample, _noted(above))
        folder = _seed_folder(above, name, seed)
        there = list(
            takewhile(lambda c: _is_there(folder / c.file, c.events), _chunks(sample, start))
        )
        if not there:
            return None
        return self._hits(folder, there)[start - there[0].first :]

    def check(self, sample: Sample) -> None:
        """Refuse a sample that is not wholly left to a model.

        Raises:
            CalozooError: If it has a primary that the trigger does not take on the face.
        """
        self._taken(sample, sample.events)

    def _remove_outdated(self, sample: Sample, model: Generator, folder: Path, seed: int) -> None:
        """Remove chunks of a model that makes another first event of the sample now."""
        first, path = sample.events[:1], folder / _chunks(sample)[0].file
        if not _is_there(path, first):
            return
        stored = Deposits.read(path)[: first.n_primaries]
        made = self._made(sample, first, 0, model, seed)
        if not all(
            np.array_equal(getattr(stored, name), getattr(made, name))
            for name in ("offsets", "cell", "energy")
        ):
            for chunk in folder.glob("*.npz"):
                chunk.unlink()

    def _made(
        self, sample: Sample, events: Events, first: int, model: Generator, seed: int
    ) -> Deposits:
        """Deposits of a model for some events of a sample, from number `first` on."""
        taken = self._taken(sample, events)
        return add_model(taken, events, first, model, self._placement, seed=seed)

    def _taken(self, sample: Sample, events: Events) -> Deposits:
        taken = take_at_start(events, self.trigger, self._placement)
        if taken is None:
            msg = (
                f"The sample {sample.name} has a primary that is no photon of 5 GeV or more on the "
                "face, within the barrel's trigger; leave such events out."
            )
            raise CalozooError(msg)
        return taken

    def _folder(self, sample: Sample, name: str, seed: int) -> Path:
        """Folder of a sample of these events; another sample of its name is refused."""
        above = self.folder / sample.name
        above.mkdir(parents=True, exist_ok=True)
        noted = _noted(above)
        digests = _digests(above, sample, noted)
        if len(digests) > len(noted):
            # Another process that writes it notes the same events.
            with suppress(BlockingIOError):
                write_atomic(above / _NOTE, "\n".join(digests) + "\n")
        folder = _seed_folder(above, name, seed)
        folder.mkdir(exist_ok=True)
        return folder

    def _hits(self, folder: Path, chunks: list[_Chunk]) -> EventHits:
        runs = []
        for chunk in chunks:
            deposits, events = Deposits.read(folder / chunk.file), chunk.events
            if len(deposits) > events.n_primaries:  # the last chunk of a sample that was larger
                deposits = deposits[: events.n_primaries]
            run = simulated_events(events, deposits, self._placement, THRESHOLD_MEV)
            runs.append(run.hits)
        return EventHits.concatenate(runs)


def _seed_folder(above: Path, name: str, seed: int) -> Path:
    return above / f"{name}-seed{seed}"


def _noted(above: Path) -> list[str]:
    """Hashes of the events that the folder of a sample is of; none if it has no note."""
    try:
        return (above / _NOTE).read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return []


def _digests(above: Path, sample: Sample, noted: list[str]) -> list[str]:
    """Hashes of the events of a sample for its folder, which is refused if it is of others."""
    digests = [
        primaries_digest(sample.events[i : i + 1])[:_DIGITS] for i in range(len(sample.events))
    ]
    if any(one != other for one, other in zip(digests, noted, strict=False)):
        msg = f"{above} holds a sample of other events; give another folder, or remove it."
        raise CalozooError(msg)
    return digests


def _is_there(path: Path, events: Events) -> bool:
    """`True` if a chunk is there with all its events; one that is damaged or shorter is not."""
    try:
        return len(Deposits.read(path)) >= events.n_primaries
    except OSError:
        return False


class _Chunk(NamedTuple):
    """Events that are simulated together, the first of them, and the name of their file."""

    events: Events
    first: int
    file: str


def _chunks(sample: Sample, start: int = 0) -> list[_Chunk]:
    """Chunks of a sample from that of an event on."""
    firsts = range(start - start % sample.chunk, len(sample.events), sample.chunk)
    return [
        _Chunk(
            sample.events[first : first + sample.chunk], first, f"{first // sample.chunk:05d}.npz"
        )
        for first in firsts
    ]
