"""Accumulation of observables over shower files, by one process or several, with the same sums."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from calozoo_core.detector import Detector
from calozoo_core.errors import CalozooError
from calozoo_core.io import ShowerFile
from calozoo_core.observables import LEVELS, ObservableAccumulator
from calozoo_core.placement import Placement, load_placement
from calozoo_core.representation import Representation
from calozoo_core.showers import Showers

__all__ = ["AccumulatedFiles", "FileReadout", "accumulate_files", "peak_mb"]


@dataclass(frozen=True)
class FileReadout:
    """Readout of a shower file: which cells its showers are summed in.

    Arguments:
        path: The file.
        detector: Detector the showers were made for.
        readout: Detector whose cells they are summed in; None for their own, as if without gaps.
        use_hits: Whether the hits in the file are used instead of placing its points.
        threshold_mev: Energy below which cells are left out.
        seed: Seed of the grids of cells, where there is no readout.
        levels: Points and cells, or cells alone.
        merge_to: Representation that its points are merged to; None to leave them as they are.
    """

    path: Path
    detector: Detector
    readout: Detector | None
    use_hits: bool
    threshold_mev: float
    seed: int = 0
    levels: tuple[str, ...] = LEVELS
    merge_to: str | None = None

    @property
    def needs_points(self) -> bool:
        """True if the points of the file must be read."""
        return "points" in self.levels or not self.use_hits

    def runs(self, file: ShowerFile) -> Iterator[slice]:
        """Rows that are read at once."""
        return file.runs(of_hits=not self.needs_points)

    def placement(self) -> Placement | None:
        """Placement into the readout; None for cells without gaps."""
        return None if self.readout is None else load_placement(self.readout)

    def accumulator(self, placement: Placement | None, first: int = 0) -> ObservableAccumulator:
        """Empty accumulator for showers first, first + 1, ... of the file."""
        return ObservableAccumulator(
            self.detector,
            placement=placement,
            threshold_mev=self.threshold_mev,
            seed=self.seed,
            first=first,
            levels=self.levels,
        )

    def add(self, accumulator: ObservableAccumulator, file: ShowerFile, rows: slice) -> None:
        """Add some showers of the file to an accumulator."""
        if self.needs_points:
            showers = self._merged(file[rows], rows.start)
        else:
            incident = file.incident(rows)
            showers = Showers.without_points(incident, file.representation, file.detector)
        accumulator.add(showers, file.hits(rows) if self.use_hits else None)

    def _merged(self, showers: Showers, first: int) -> Showers:
        if self.merge_to is None:
            return showers
        # Of another seed than the cells: else the squares would lie in them.
        seed = (self.seed + 1) % 2**64
        return Representation.named(self.merge_to, self.detector.cell_mm)(showers, seed, first)


class AccumulatedFiles(NamedTuple):
    """Accumulated observables of some files, and the memory of the worker processes.

    Arguments:
        accumulators: One of each file.
        workers_mb: Peak resident memory of all worker processes together, in 10^6 bytes.
    """

    accumulators: list[ObservableAccumulator]
    workers_mb: float


def accumulate_files(
    readouts: Sequence[FileReadout],
    *,
    workers: int = 1,
    on_batch: Callable[[int], None] = lambda n: None,
) -> AccumulatedFiles:
    """Accumulate the observables of shower files; memory does not grow with the files.

    The sums are the same for any number of workers, to the last bit: each run of showers is summed
    by itself and the sums are joined in order.

    Arguments:
        readouts: The files, and how they are read out.
        workers: Processes. With more than one, a script that calls this must do so behind
            `if __name__ == "__main__":`, as always with processes.
        on_batch: Called with the number of showers of each run.

    Raises:
        CalozooError: If a file is damaged, holds what no detector measures, or a process is killed.
    """
    if workers == 1:
        return AccumulatedFiles([_accumulated(readout, on_batch) for readout in readouts], 0.0)
    return _accumulated_by_workers(readouts, workers, on_batch)


def peak_mb() -> float:
    """Peak resident memory of this process, in 10^6 bytes; 0 on Windows."""
    if sys.platform == "win32":
        return 0.0
    import resource

    # Linux counts in 1024 bytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _accumulated(readout: FileReadout, on_batch: Callable[[int], None]) -> ObservableAccumulator:
    accumulator = readout.accumulator(readout.placement())
    with ShowerFile(readout.path) as file:
        for rows in readout.runs(file):
            readout.add(accumulator, file, rows)
            on_batch(rows.stop - rows.start)
    return accumulator


class _WorkerResult(NamedTuple):
    """Observables of some showers, and the memory of the worker."""

    accumulator: ObservableAccumulator
    process: int
    peak_mb: float


def _accumulated_by_workers(
    readouts: Sequence[FileReadout], workers: int, on_batch: Callable[[int], None]
) -> AccumulatedFiles:
    accumulators = [readout.accumulator(readout.placement()) for readout in readouts]
    peaks: dict[int, float] = {}
    tasks = ((i, rows) for i, readout in enumerate(readouts) for rows in _runs(readout))
    waiting: deque[tuple[int, slice, Future[_WorkerResult]]] = deque()
    # Fresh interpreters, not forks: torch and HDF5 have threads that a fork would cut.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _ignore_interrupts) as pool:
        try:
            while True:
                # Two tasks a worker lie ready, and no more: what is done waits in memory.
                for i, rows in islice(tasks, 2 * workers - len(waiting)):
                    waiting.append((i, rows, pool.submit(_work, readouts[i], rows)))
                if not waiting:
                    break
                i, rows, future = waiting.popleft()
                result = future.result()
                accumulators[i] += result.accumulator
                peaks[result.process] = result.peak_mb
                on_batch(rows.stop - rows.start)
        except BrokenProcessPool as error:
            msg = "A worker process was killed; run again, with workers=1 if memory is short."
            raise CalozooError(msg, argument="workers=1") from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return AccumulatedFiles(accumulators, sum(peaks.values()))


def _runs(readout: FileReadout) -> Iterator[slice]:
    with ShowerFile(readout.path) as file:
        yield from readout.runs(file)


def _ignore_interrupts() -> None:
    """Ctrl-C and the like go to all processes; the one that started the others ends them."""
    for name in ("SIGINT", "SIGHUP", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


_open: dict[tuple[Path, str | None], tuple[ShowerFile, Placement | None]] = {}


def _work(readout: FileReadout, rows: slice) -> _WorkerResult:
    """Observables of some showers; files stay open as long as the process lives."""
    file, placement = _opened(readout)
    accumulator = readout.accumulator(placement, rows.start)
    readout.add(accumulator, file, rows)
    return _WorkerResult(accumulator, os.getpid(), peak_mb())


def _opened(readout: FileReadout) -> tuple[ShowerFile, Placement | None]:
    key = readout.path, None if readout.readout is None else readout.readout.name
    if key not in _open:
        _open[key] = ShowerFile(readout.path), readout.placement()
    return _open[key]
