"""Shower files looked at run by run, by one process or by several, with the same result."""

from __future__ import annotations

import multiprocessing
import os
import resource
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

import numpy as np

from calozoo_core.detector import Detector
from calozoo_core.errors import CalozooError
from calozoo_core.io import ShowerFile
from calozoo_core.observables import LEVELS, ObservableAccumulator
from calozoo_core.placement import Placement, load_placement
from calozoo_core.showers import Showers

__all__ = ["Look", "Tallied", "peak_mb", "tally_files"]

POINTS_AT_ONCE = 1_000_000
SHOWERS_AT_ONCE = 500
"""Sums over voxels take 50 kB a shower, however few points it has."""


@dataclass(frozen=True)
class Look:
    """How a shower file is looked at.

    Arguments:
        path: The file.
        detector: The one its showers were made for.
        readout: The one whose cells they are summed in; None for their own, as if without gaps.
        use_hits: Whether the hits in the file are used instead of placing its points.
        threshold_mev: Cells with less are left out.
        seed: Of the grids of cells, where there is no readout.
        levels: Points and cells, or cells alone.
    """

    path: Path
    detector: Detector
    readout: Detector | None
    use_hits: bool
    threshold_mev: float
    seed: int = 0
    levels: tuple[str, ...] = LEVELS

    @property
    def needs_points(self) -> bool:
        """Whether its points must be read."""
        return "points" in self.levels or not self.use_hits

    def runs(self, file: ShowerFile) -> Iterator[slice]:
        """The rows that are read at once."""
        return file.runs(POINTS_AT_ONCE, SHOWERS_AT_ONCE, of_hits=not self.needs_points)

    def placement(self) -> Placement | None:
        """What puts its showers into the readout, or put its hits there."""
        return None if self.readout is None else load_placement(self.readout)

    def tally(self, placement: Placement | None, first: int = 0) -> ObservableAccumulator:
        """A tally of no showers yet."""
        return ObservableAccumulator(
            self.detector,
            placement=placement,
            threshold_mev=self.threshold_mev,
            seed=self.seed,
            first=first,
            levels=self.levels,
        )

    def add(self, tally: ObservableAccumulator, file: ShowerFile, rows: slice) -> None:
        """Take some showers of the file into a tally."""
        showers = file[rows] if self.needs_points else _without_points(file, rows)
        tally.add(showers, file.hits(rows) if self.use_hits else None)


class Tallied(NamedTuple):
    """The tallies of some files, and the memory of the processes that helped.

    Arguments:
        tallies: One a file.
        workers_mb: Peak resident memory of all worker processes together, in 10^6 bytes.
    """

    tallies: list[ObservableAccumulator]
    workers_mb: float


def tally_files(
    looks: Sequence[Look],
    *,
    workers: int = 1,
    on_batch: Callable[[int], None] = lambda n: None,
) -> Tallied:
    """Look at shower files; memory does not grow with them.

    The sums are the same for any number of workers, to the last bit: each run of showers is summed
    by itself and the sums are joined in order.

    Arguments:
        looks: The files, and how to look at them.
        workers: Processes. With more than one, a script that calls this must do so behind
            `if __name__ == "__main__":`, as always with processes.
        on_batch: Called with the number of showers of each run.

    Raises:
        CalozooError: If a file is damaged, holds what no detector measures, or a process is killed.
    """
    if workers == 1:
        return Tallied([_tallied(look, on_batch) for look in looks], 0.0)
    return _tallied_by_workers(looks, workers, on_batch)


def peak_mb() -> float:
    """Peak resident memory of this process, in 10^6 bytes."""
    # Linux counts in 1024 bytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _tallied(look: Look, on_batch: Callable[[int], None]) -> ObservableAccumulator:
    placement = look.placement()
    tally = look.tally(placement)
    with ShowerFile(look.path) as file:
        for rows in look.runs(file):
            look.add(tally, file, rows)
            on_batch(rows.stop - rows.start)
    return tally


def _without_points(file: ShowerFile, rows: slice) -> Showers:
    incident = file.incident(rows)
    none = np.zeros(0, np.float32)
    return Showers(
        np.zeros(len(incident) + 1, np.int64),
        none,
        none,
        np.zeros(0, np.uint8),
        none,
        incident,
        file.representation,
        file.detector,
    )


class _Part(NamedTuple):
    """What a worker hands back."""

    tally: ObservableAccumulator
    process: int
    peak_mb: float


def _tallied_by_workers(
    looks: Sequence[Look], workers: int, on_batch: Callable[[int], None]
) -> Tallied:
    tallies = [look.tally(look.placement()) for look in looks]
    peaks: dict[int, float] = {}
    tasks = ((i, rows) for i, look in enumerate(looks) for rows in _runs(look))
    waiting: deque[tuple[int, slice, Future[_Part]]] = deque()
    # Fresh interpreters, not forks: torch and HDF5 have threads that a fork would cut.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _ignore_interrupts) as pool:
        try:
            while True:
                # Two tasks a worker lie ready, and no more: what is done waits in memory.
                for i, rows in islice(tasks, 2 * workers - len(waiting)):
                    waiting.append((i, rows, pool.submit(_part, looks[i], rows)))
                if not waiting:
                    break
                i, rows, future = waiting.popleft()
                part = future.result()
                tallies[i] += part.tally
                peaks[part.process] = part.peak_mb
                on_batch(rows.stop - rows.start)
        except BrokenProcessPool as error:
            msg = "A worker process was killed; run again, with --workers 1 if memory is short."
            raise CalozooError(msg) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return Tallied(tallies, sum(peaks.values()))


def _runs(look: Look) -> Iterator[slice]:
    with ShowerFile(look.path) as file:
        yield from look.runs(file)


def _ignore_interrupts() -> None:
    """Ctrl-C goes to all processes; the one that started the others ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


_open: dict[tuple[Path, str | None], tuple[ShowerFile, Placement | None]] = {}


def _part(look: Look, rows: slice) -> _Part:
    """The tally of some showers; what it opens stays open as long as the process lives."""
    file, placement = _opened(look)
    tally = look.tally(placement, rows.start)
    look.add(tally, file, rows)
    return _Part(tally, os.getpid(), peak_mb())


def _opened(look: Look) -> tuple[ShowerFile, Placement | None]:
    key = look.path, None if look.readout is None else look.readout.name
    if key not in _open:
        _open[key] = ShowerFile(look.path), look.placement()
    return _open[key]
