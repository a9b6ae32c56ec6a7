"""Execution of a plan on this machine: shards in this process, or in several beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

from calozoo.production.errors import ProductionError
from calozoo.production.plan import Plan
from calozoo.production.shards import ShardFailure, ShardFolder, ShardMaker
from calozoo_core.cores import check_processes
from calozoo_core.errors import CalozooError

__all__ = [
    "MAX_ATTEMPTS",
    "Executor",
    "LocalExecutor",
    "OnShard",
    "SerialExecutor",
    "one_line",
    "produce",
]

MAX_ATTEMPTS: Final = 3
"""Attempts at a shard, after which its failure is reported and the others go on."""

_POLL_SECONDS: Final = 0.1
_STOP_SECONDS: Final = 60

OnShard = Callable[[int], None]
"""Called with a number of showers that are done, which may be 0, often enough to stop there."""


class Executor(Protocol):
    """Way to make the shards of a plan."""

    def run(self, folder: ShardFolder, numbers: list[int], on_shard: OnShard) -> None:
        """Make these shards; one that fails is noted in the folder of the shards."""


def produce(path: Path, plan: Plan, executor: Executor, on_shard: OnShard) -> list[ShardFailure]:
    """Make all shards of a plan that are not there.

    Arguments:
        path: File of the plan.
        plan: The plan.
        executor: Where they are made.
        on_shard: Called with each number of showers that are done; what it raises stops all.

    Returns:
        The shards that could not be made, each with its range and its error.

    Raises:
        ProductionError: If the folder has shards of another plan, or no worker can be started.
    """
    folder = ShardFolder(path, plan)
    folder.check_owner()
    folder.remove_abandoned()
    missing = folder.missing(verify=True)
    on_shard(plan.n_showers - _n_showers(plan, missing))
    elsewhere = {shard.number for shard in folder.running()}
    executor.run(folder, sorted(missing, key=lambda n: (n in elsewhere, n)), on_shard)
    failures = []
    for number in folder.missing():
        failure = folder.failure(number)
        first, stop = plan.range_of(number)
        failures.append(
            failure
            or ShardFailure(
                number=number, first=first, stop=stop, error="it is missing", attempts=0, host=""
            )
        )
    return failures


class SerialExecutor:
    """Shards one after the other in this process.

    Arguments:
        offline: Use no network.
        workers: Processes of a model that simulates.
        on_loaded: Called with the model when it is loaded.
    """

    def __init__(
        self,
        *,
        offline: bool = False,
        workers: int | None = None,
        on_loaded: Callable[[Any], None] | None = None,
    ) -> None:
        self._offline, self._workers, self._on_loaded = offline, workers, on_loaded

    def run(self, folder: ShardFolder, numbers: list[int], on_shard: OnShard) -> None:
        if not numbers:
            return
        with ShardMaker(
            folder.plan_path, folder.plan, offline=self._offline, workers=self._workers
        ) as maker:
            if self._on_loaded is not None:
                self._on_loaded(maker.generator)
            queue = ShardQueue(numbers, folder)
            while (number := queue.take()) is not None:
                done = _Counted(on_shard)
                try:
                    record = maker.make(number, done)
                except Exception as error:
                    queue.fail(number, one_line(error))
                    done.take_back()
                else:
                    queue.finish(number)
                    on_shard(record.stop - record.first - done.n_showers)


class LocalExecutor:
    """Shards in several processes on this machine, with one thread each.

    A process that dies is started again, and its shard made anew.

    Arguments:
        jobs: Number of processes.
        threads: Threads of each.
        offline: Use no network.
        workers: Processes that a model which simulates starts beside each.

    Raises:
        InputError: If there are more jobs than `MOST_PROCESSES`.
    """

    def __init__(
        self, jobs: int, *, threads: int = 1, offline: bool = False, workers: int | None = None
    ) -> None:
        check_processes(jobs, "jobs")
        check_processes(jobs * (workers or 1), "workers")
        self._jobs, self._threads = jobs, threads
        self._options = {"offline": offline, "workers": workers}

    def run(self, folder: ShardFolder, numbers: list[int], on_shard: OnShard) -> None:
        plan, queue = folder.plan, ShardQueue(numbers, folder)
        processes = [
            WorkerProcess(folder.plan_path, queue, self._threads, self._options)
            for _ in range(min(self._jobs, len(numbers)))
        ]
        for process in processes:
            process.start()
        try:
            while any(process.is_alive() for process in processes):
                for number in queue.take_finished():
                    first, stop = plan.range_of(number)
                    on_shard(stop - first)
                on_shard(0)
                processes[0].join(_POLL_SECONDS)
                processes.sort(key=lambda process: not process.is_alive())
        except BaseException:
            for process in processes:
                process.stop()
            raise
        finally:
            for process in processes:
                process.join(_STOP_SECONDS)
        for number in queue.take_finished():
            first, stop = plan.range_of(number)
            on_shard(stop - first)
        if queue.broken:
            raise ProductionError(queue.broken)


class ShardQueue:
    """Shards that are still to be made, with their attempts; several threads take from it.

    Arguments:
        numbers: Numbers of the shards, in the order in which they are made.
        folder: Folder of the shards.

    Attributes:
        broken: Why no worker can be started; empty if they can.
    """

    def __init__(self, numbers: Iterable[int], folder: ShardFolder) -> None:
        self._waiting = list(numbers)
        self._attempts = dict.fromkeys(self._waiting, 0)
        self._folder = folder
        self._in_hand = 0
        self._finished: list[int] = []
        self._changed = threading.Condition()
        self.broken = ""

    def take(self) -> int | None:
        """Next shard; waits while one in hand may come back, and is None when all are made.

        A shard that a process of somebody else is writing comes last.
        """
        with self._changed:
            while not self._waiting and self._in_hand:
                self._changed.wait()
            if not self._waiting:
                return None
            elsewhere = {shard.number for shard in self._folder.running()}
            free = [number for number in self._waiting if number not in elsewhere]
            number = (free or self._waiting)[0]
            self._waiting.remove(number)
            self._in_hand += 1
            return number

    def finish(self, number: int) -> None:
        """Note that a shard is made."""
        with self._changed:
            self._in_hand -= 1
            self._finished.append(number)
            self._changed.notify_all()

    def fail(self, number: int, error: str) -> None:
        """Note an attempt that failed; the shard comes back until it has failed too often."""
        with self._changed:
            self._in_hand -= 1
            self._folder.note_failure(number, error)
            self._attempts[number] += 1
            if self._attempts[number] < MAX_ATTEMPTS:
                self._waiting.append(number)
            self._changed.notify_all()

    def close(self, broken: str = "") -> None:
        """Give out no more shards."""
        with self._changed:
            self._waiting.clear()
            self.broken = self.broken or broken
            self._changed.notify_all()

    def take_finished(self) -> list[int]:
        """Shards that were made since the last call."""
        with self._changed:
            finished, self._finished = self._finished, []
            return finished


class WorkerProcess(threading.Thread):
    """Thread that starts a worker process, hands it shards, and starts it again when it dies.

    Arguments:
        path: File of the plan.
        queue: The shards.
        threads: Threads of the process.
        options: Options of `ShardMaker`.
    """

    def __init__(
        self, path: Path, queue: ShardQueue, threads: int, options: Mapping[str, Any]
    ) -> None:
        super().__init__(daemon=True)
        self._path, self._queue = path, queue
        self._options = json.dumps(options)
        self._environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        self._process: subprocess.Popen[str] | None = None
        self._is_stopping = False
        self._failed_starts = 0

    def run(self) -> None:
        """Make shards until there are none."""
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
            while not self._is_stopping and (number := self._queue.take()) is not None:
                try:
                    error = self._make(number, log)
                except OSError as failed:  # a pipe to a process that has just died
                    error = one_line(failed)
                if error is None:
                    self._queue.finish(number)
                elif not self._is_stopping:
                    self._queue.fail(number, error)
                    if self._failed_starts >= MAX_ATTEMPTS:
                        self._queue.close(f"No worker can be started: {error}")
            self._end()

    def stop(self) -> None:
        """Stop the process at the end of the batch that it is in."""
        self._is_stopping = True
        self._queue.close()
        if self._process is not None:
            with suppress(OSError):
                self._process.terminate()

    def _make(self, number: int, log: Any) -> str | None:
        """Have a shard made; the error if it could not be."""
        if self._process is None or self._process.poll() is not None:
            log.seek(0)
            log.truncate()
            self._process = self._start_process(log)
            self._failed_starts += 1
            if self._answer(self._process, log) != "ready":
                return self._death(self._process, log)
            self._failed_starts = 0
        process = self._process
        assert process.stdin is not None
        process.stdin.write(f"{number}\n")
        process.stdin.flush()
        answer = self._answer(process, log)
        if answer is None:
            return self._death(process, log)
        error: str | None = json.loads(answer)["error"]
        return error

    def _start_process(self, log: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "calozoo.production.worker", str(self._path), self._options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=self._environment,
            start_new_session=True,  # Ctrl-C is for the driver, which stops its workers
        )

    def _answer(self, process: subprocess.Popen[str], log: Any) -> str | None:
        assert process.stdout is not None
        line = process.stdout.readline()
        return line.strip() if line.endswith("\n") else None

    def _death(self, process: subprocess.Popen[str], log: Any) -> str:
        """Reason of the end of a process."""
        code = process.wait()
        self._close_pipes(process)
        if code < 0:
            return f"its process was killed by {signal.Signals(-code).name}"
        log.seek(0)
        lines = [line.strip() for line in log.read().splitlines() if line.strip()]
        return lines[-1].removeprefix("calozoo: ") if lines else f"its process ended with {code}"

    def _end(self) -> None:
        process = self._process
        if process is None:
            return
        self._close_pipes(process)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _close_pipes(self, process: subprocess.Popen[str]) -> None:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


class _Counted:
    """Count of the showers of a shard that is being made, handed on to a progress bar."""

    def __init__(self, on_shard: OnShard) -> None:
        self._on_shard = on_shard
        self.n_showers = 0

    def __call__(self, n: int) -> None:
        self.n_showers += n
        self._on_shard(n)

    def take_back(self) -> None:
        self._on_shard(-self.n_showers)


def one_line(error: BaseException) -> str:
    """An error in one line; with its class, unless its message is a sentence of ours.

    Example:
        >>> one_line(ValueError("no such\\nthing"))
        'ValueError: no such thing'
    """
    text = " ".join(str(error).split())
    return text if isinstance(error, CalozooError) else f"{type(error).__name__}: {text}"


def _n_showers(plan: Plan, numbers: Iterable[int]) -> int:
    return sum(stop - first for first, stop in map(plan.range_of, numbers))
