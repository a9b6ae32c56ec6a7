"""Simulation of events into a file: by a full simulation, with a model for what it is good at."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final

from calozoo.events.chunks import add_model, simulate_fully, take_at_start
from calozoo.events.deposits import Deposits
from calozoo.events.hit_building import simulated_events
from calozoo.events.request import CHUNK, FULL_SIMULATION, EventRequest
from calozoo.output_files import check_output_file
from calozoo_core.errors import CalozooError, InputError
from calozoo_core.events import Events
from calozoo_core.full_simulation import FullSimulation
from calozoo_core.generator import Generator
from calozoo_core.io.atomic import write_atomic
from calozoo_core.io.events import EventWriter, SimulatedEvents
from calozoo_core.weights import sha256

__all__ = ["SimulationResult", "check_output", "simulate_to_file"]

_REQUEST = "request.txt"
_WRITTEN_AT_ONCE = 64
_POLL_SECONDS: Final = 0.1


@dataclass
class SimulationResult:
    """Summary of a simulation of events.

    Arguments:
        path: The file.
        n_events: Number of events.
        n_primaries: Number of primaries.
        n_taken: Number of particles that the model simulated.
        taken_gev: Their energy.
        n_hits: Number of hits.
        visible_mev: Energy of the hits.
        n_kept: Events that were there from an earlier, stopped run.
        seconds: Time that it took.
    """

    path: Path
    n_events: int = 0
    n_primaries: int = 0
    n_taken: int = 0
    taken_gev: float = 0.0
    n_hits: int = 0
    visible_mev: float = 0.0
    n_kept: int = 0
    seconds: float = field(default=0.0, compare=False)

    def add(self, run: SimulatedEvents) -> None:
        """Count a run of events."""
        self.n_events += len(run.events)
        self.n_primaries += run.events.n_primaries
        self.n_taken += len(run.taken.energy)
        self.taken_gev += float(run.taken.energy.sum())
        self.n_hits += len(run.hits.hits.energy)
        self.visible_mev += float(run.hits.hits.energy.sum(dtype="f8"))


def check_output(out: Path, *, overwrite: bool) -> None:
    """Refuse an output that cannot be written, before the events are simulated.

    Raises:
        OutputExistsError: If the file is there and `overwrite` is not set.
        InputError: If the name is not of an HDF5 file.
        CalozooError: If its folder or the disk does not allow it.
    """
    if out.suffix not in (".h5", ".hdf5") and not out.is_dir():
        msg = f"{out} is to be an HDF5 file; call it {out.with_suffix('.h5').name}."
        raise InputError(msg)
    check_output_file(out, overwrite=overwrite)


def simulate_to_file(
    request: EventRequest,
    out: Path,
    *,
    simulation: Callable[[], FullSimulation],
    model: Generator | None,
    model_digest: str = "",
    overwrite: bool = False,
    batch_size: int | None = None,
    chunk: int = CHUNK,
    on_events: Callable[[int], None] = lambda n: None,
) -> SimulationResult:
    """Simulate all events of a request, and write their hits.

    Deposits are kept by chunk in the folder `NAME.parts` beside the file until it is complete, so
    that the same call goes on after an interruption. The file does not depend on the sizes of
    chunks and batches, nor on the number of workers. One process at a time simulates for a file.

    Arguments:
        request: The request.
        out: The file.
        simulation: Maker of the full simulation; called when a primary needs it.
        model: Model; None for a full simulation of everything.
        model_digest: Hash of the model's weights.
        overwrite: Replace a file that is already there.
        batch_size: Showers of the model at a time.
        chunk: Events simulated, and kept, together.
        on_events: Called with the number of events of each chunk, and often with 0 between; what it
            raises ends the simulation there, and the chunks that are finished are kept.

    Raises:
        InputError: If a number is impossible.
        CalozooError: If the simulation, the model or the file fails, or another process simulates
            for this file; the message says which events are kept.
    """
    began = time.perf_counter()
    check_output(out, overwrite=overwrite)
    _check_sizes(chunk, batch_size)
    attributes = _provenance(request, model, model_digest)
    result = SimulationResult(out)
    # The writer locks the file, and so the folder beside it, from the first event on.
    with EventWriter(out, overwrite=overwrite, attributes=attributes) as writer:
        parts = _Parts(out.with_name(f"{out.name}.parts"), request.digest(chunk, model_digest))
        with parts.kept_after_errors():
            runner = _ChunkRunner(request, simulation, model, batch_size)
            try:
                result.n_kept = _make_parts(request, parts, runner, chunk, on_events)
            finally:
                runner.close()
            for events, deposits in _regrouped(request, parts, chunk):
                run = simulated_events(events, deposits, request.placement, request.threshold_mev)
                writer.append(run)
                result.add(run)
    parts.remove()
    result.seconds = time.perf_counter() - began
    return result


def _check_sizes(chunk: int, batch_size: int | None) -> None:
    if chunk < 1:
        msg = f"chunk must be 1 event or more, not {chunk}."
        raise InputError(msg, argument="chunk")
    if batch_size is not None and batch_size < 1:
        msg = f"A batch holds at least one shower, not {batch_size}."
        raise InputError(msg)


def _provenance(
    request: EventRequest, model: Generator | None, digest: str
) -> dict[str, str | int | float]:
    """Attributes of the file: what was simulated, by what, and how it was shared out."""
    attributes: dict[str, str | int | float] = {
        "model": request.model.name,
        "full_simulation": FULL_SIMULATION,
        "detector": request.detector.name,
        "physics": request.detector.physics,
        "threshold_mev": float(request.threshold_mev),
        "seed": request.seed,
        "events": request.source.name,
        "events_sha256": request.source.digest(),
        "calozoo": version("calozoo"),
    }
    if request.trigger is not None:
        attributes["trigger"] = repr(request.trigger)
    if model is not None:
        attributes |= {**model.provenance, "model_weights": digest}
    return attributes


class _Parts:
    """Folder of the chunks that are finished."""

    def __init__(self, folder: Path, digest: str) -> None:
        self.folder = folder
        note = folder / _REQUEST
        if note.is_file() and note.read_text() == digest:
            return
        if folder.exists() and any(folder.iterdir()):
            msg = (
                f"{folder} holds parts of another simulation; remove it, or finish that one with "
                "the command that it was begun with."
            )
            raise CalozooError(msg)
        folder.mkdir(exist_ok=True)
        write_atomic(note, digest)

    def path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.npz"

    def record(self, number: int) -> Path:
        """Place of the sha256 of a chunk, written after it."""
        return self.path(number).with_suffix(".sha256")

    def keep(self, number: int, deposits: Deposits) -> None:
        """Write a finished chunk, and its record."""
        deposits.write(self.path(number))
        write_atomic(self.record(number), sha256(self.path(number)))

    def is_there(self, number: int, events: Events) -> bool:
        """`True` if a chunk is finished and as its record says; another one is made again.

        The last chunk of a run of fewer events of the same file has fewer primaries.
        """
        try:
            path = self.path(number)
            is_sound = self.record(number).read_text() == sha256(path)
            return is_sound and len(Deposits.read(path)) == events.n_primaries
        except (OSError, UnicodeDecodeError):
            return False

    def remove(self) -> None:
        shutil.rmtree(self.folder)

    @contextmanager
    def kept_after_errors(self) -> Iterator[None]:
        """Leave finished chunks behind after an error, which says so; nothing if there is none."""
        try:
            yield
        except BaseException as error:
            if not any(self.folder.glob("*.npz")):
                with suppress(OSError):
                    self.remove()
                raise
            where = f"events are kept in {self.folder}, and the same command goes on there"
            if isinstance(error, CalozooError):
                error.args = (f"{error} Finished {where}.",)
            elif isinstance(error, OSError) and error.strerror:
                error.strerror = f"{error.strerror}; finished {where}"
            raise


class _ChunkRunner:
    """Simulation of chunks: the full simulation of the next one runs beside the model."""

    def __init__(
        self,
        request: EventRequest,
        simulation: Callable[[], FullSimulation],
        model: Generator | None,
        batch_size: int | None,
    ) -> None:
        self._request, self._model, self._batch_size = request, model, batch_size
        self._make_simulation = simulation
        self._simulation: FullSimulation | None = None

    def left_to_model(self, events: Events, first: int) -> Deposits:
        """Deposits by the full simulation, and what it left to the model."""
        at_start = take_at_start(events, self._request.trigger, self._request.placement)
        if at_start is not None:
            return at_start
        if self._simulation is None:
            self._simulation = self._make_simulation()
        return simulate_fully(self._simulation, events, first, self._request.seed)

    def finished(
        self, deposits: Deposits, events: Events, first: int, on_batch: Callable[[], None]
    ) -> Deposits:
        """These deposits with those of the model."""
        if self._model is None:
            return deposits
        return add_model(
            deposits,
            events,
            first,
            self._model,
            self._request.placement,
            seed=self._request.seed,
            batch_size=self._batch_size,
            on_batch=on_batch,
        )

    def close(self) -> None:
        if self._simulation is not None:
            self._simulation.close()


def _make_parts(
    request: EventRequest,
    parts: _Parts,
    runner: _ChunkRunner,
    chunk: int,
    on_events: Callable[[int], None],
) -> int:
    """Make the missing chunks; returns the number of events that were there."""
    n_kept = 0
    begun: list[_BegunChunk] = []  # one at most: while it is simulated, the one before is finished

    def finish() -> None:
        for one in begun:
            while not wait([one.running], _POLL_SECONDS).done:
                on_events(0)
            simulated = one.running.result()
            deposits = runner.finished(simulated, one.events, one.first, lambda: on_events(0))
            parts.keep(one.number, deposits)
            on_events(len(one.events))
        begun.clear()

    with ThreadPoolExecutor(1) as beside:
        try:
            for number, events in enumerate(request.source.chunks(chunk)):
                first = number * chunk
                if parts.is_there(number, events):
                    n_kept += len(events)
                    on_events(len(events))
                    continue
                running = beside.submit(runner.left_to_model, events, first)
                finish()
                begun.append(_BegunChunk(number, first, events, running))
            finish()
        except BaseException:
            runner.close()
            beside.shutdown(cancel_futures=True)
            raise
    return n_kept


@dataclass(frozen=True)
class _BegunChunk:
    """Chunk whose full simulation has begun."""

    number: int
    first: int
    events: Events
    running: Future[Deposits]


def _regrouped(
    request: EventRequest, parts: _Parts, chunk: int
) -> Iterator[tuple[Events, Deposits]]:
    """Events and their deposits in runs whose lengths do not depend on the chunks."""
    events: list[Events] = []
    deposits: list[Deposits] = []
    for number, of_chunk in enumerate(request.source.chunks(chunk)):
        events.append(of_chunk)
        deposits.append(Deposits.read(parts.path(number)))
        if sum(map(len, events)) >= _WRITTEN_AT_ONCE:
            together, all_deposits = Events.concatenate(events), Deposits.concatenate(deposits)
            whole = len(together) // _WRITTEN_AT_ONCE * _WRITTEN_AT_ONCE
            for begin in range(0, whole, _WRITTEN_AT_ONCE):
                yield _run(together, all_deposits, begin, begin + _WRITTEN_AT_ONCE)
            rest, rest_deposits = _run(together, all_deposits, whole, len(together))
            events, deposits = [rest], [rest_deposits]
    together, all_deposits = Events.concatenate(events), Deposits.concatenate(deposits)
    if len(together):
        yield together, all_deposits


def _run(events: Events, deposits: Deposits, begin: int, end: int) -> tuple[Events, Deposits]:
    first, stop = int(events.offsets[begin]), int(events.offsets[end])
    return events[begin:end], deposits[first:stop]
