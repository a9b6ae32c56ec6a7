"""Pool of worker processes that run Geant4, with readable errors when they crash."""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from queue import SimpleQueue

from calozoo_core.detector import Detector
from calozoo_core.errors import CalozooError
from calozoo_geant4.data_sets import data_environment
from calozoo_geant4.worker import DetectorTask, WorkerReply, WorkerTask

__all__ = ["WorkerPool"]

# Output of G4Exception before it aborts: a code, a function, and a message.
_FATAL = re.compile(
    r"EEEE -+ G4Exception-START.*?G4Exception : (\S+)\s+issued by : (.+?)\n(.*?)\s*\*\*\* Fatal",
    re.DOTALL,
)


class WorkerPool:
    """Pool of worker processes with one detector, alive from the first showers to `close`.

    The workers are new interpreters, not forks, and do not import the user's main module. They are
    started when they are first needed, no more than there are tasks. Threads that share a pool take
    turns; a forked child has no workers until it starts its own.

    Arguments:
        detector: Detector to build.
        n_workers: Largest number of workers.
        first_task: Task that builds the detector; by default one for showers.

    Raises:
        CalozooError: If Geant4's data sets are not found.
    """

    def __init__(
        self, detector: Detector, n_workers: int, first_task: DetectorTask | None = None
    ) -> None:
        self.n_workers = n_workers
        self.cpu_s = 0.0
        self._first_task = first_task or DetectorTask(detector)
        self._environment = os.environ | data_environment()
        self._workers: list[_Worker] = []
        self._turn = threading.Lock()
        _pools.add(self)

    def run(self, tasks: Sequence[WorkerTask], names: Sequence[str]) -> list[WorkerReply]:
        """Replies to tasks, in their order, whichever worker they come from.

        Showers of high energy go first, so that no worker has a long one left when the others are
        done.

        Arguments:
            tasks: Showers to simulate.
            names: Names of the showers in error messages.

        Raises:
            CalozooError: If Geant4 stopped, or a worker died; it names the shower. All workers are
                ended then, and the next call starts new ones.
        """
        with self._turn:
            return self._run(tasks, names)

    def close(self) -> None:
        """End the workers, after the call of another thread that uses them."""
        with self._turn:
            self._end()

    def abandon(self) -> None:
        """End the workers now; a thread that still uses them is a daemon of a process that ends."""
        if self._turn.acquire(blocking=False):
            try:
                self._end()
            finally:
                self._turn.release()
        else:
            self._kill()

    def forget(self) -> None:
        """Leave the workers to the parent, in a child that was forked."""
        self._turn = threading.Lock()
        while self._workers:
            self._workers.pop().forget()

    def _run(self, tasks: Sequence[WorkerTask], names: Sequence[str]) -> list[WorkerReply]:
        idle: SimpleQueue[_Worker] = SimpleQueue()
        replies: list[WorkerReply | None] = [None] * len(tasks)

        def run_task(i: int) -> None:
            worker = idle.get()
            try:
                replies[i] = worker.run(tasks[i], f"at {names[i]}")
            finally:
                idle.put(worker)

        order = sorted(range(len(tasks)), key=lambda i: -tasks[i].energy_gev)
        try:
            for worker in self._started_workers(min(self.n_workers, len(tasks))):
                idle.put(worker)
            _on_threads(run_task, order, idle.qsize(), self._kill)
        except BaseException:
            self._kill()
            self._end()
            raise
        done = [reply for reply in replies if reply is not None]
        self.cpu_s += sum(reply.cpu_s for reply in done)
        return done

    def _end(self) -> None:
        while self._workers:
            self._workers.pop().close()

    def _started_workers(self, n: int) -> list[_Worker]:
        """Workers, n of them or more."""
        missing = max(0, n - len(self._workers))
        new = [_Worker(self._environment) for _ in range(missing)]
        self._workers += new
        task = self._first_task
        doing = f"while it built detector {task.detector.name}"
        _on_threads(lambda i: new[i].run(task, doing), range(missing), missing, self._kill)
        return self._workers

    def _kill(self) -> None:
        for worker in self._workers:
            worker.kill()


_pools: weakref.WeakSet[WorkerPool] = weakref.WeakSet()
"""Pools of this process, which a forked child has to let go of."""


def _forget_all() -> None:
    for pool in list(_pools):
        pool.forget()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_all)


class _Worker:
    """Worker process, and the file with Geant4's output."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the process
        # -P: a file in the working directory must not pass for a module.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", "from calozoo_geant4.worker import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
        )

    def run(self, task: DetectorTask | WorkerTask, doing: str) -> WorkerReply:
        """Reply to a task.

        Arguments:
            task: The task.
            doing: Its description in error messages.
        """
        assert self._process.stdin
        assert self._process.stdout
        try:
            pickle.dump(task, self._process.stdin, protocol=5)
            self._process.stdin.flush()
            reply: WorkerReply = pickle.load(self._process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            msg = f"Geant4 stopped {doing}: {self._exit_reason()}"
            raise CalozooError(msg) from error
        if isinstance(reply.error, CalozooError):
            raise reply.error
        if reply.error is not None:
            msg = f"Geant4 failed {doing}: {reply.error}."
            raise CalozooError(msg) from reply.error
        return reply

    def kill(self) -> None:
        """End the process now."""
        self._process.kill()

    def close(self) -> None:
        """Let the process end, and wait until it has."""
        with contextlib.suppress(OSError), self._process:
            assert self._process.stdin
            self._process.stdin.close()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._log.close()

    def forget(self) -> None:
        """Let go of the pipes, in a forked child: open here, they would keep the process alive.

        They are not closed, since that would send the process what the parent was about to write.
        """
        nowhere = os.open(os.devnull, os.O_RDWR)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            os.dup2(nowhere, pipe.fileno())
        os.close(nowhere)
        self._process.returncode = 0  # it is the parent's to wait for

    def _exit_reason(self) -> str:
        """Reason of the end of the process, a clause with its full stop."""
        code = self._process.wait()
        self._log.seek(0)
        text = self._log.read().decode(errors="replace")
        fatal = _FATAL.findall(text)
        if fatal:
            name, where, message = fatal[-1]
            reason = " ".join(message.split()).rstrip(".")
            return f"{reason} ({name} from {where.strip().removesuffix('()')})."
        if code < 0:
            return f"its process was ended by {signal.Signals(-code).name}; run the command again."
        lines = text.strip().splitlines()
        last = f" after {lines[-1].strip()!r}" if lines else ""
        return f"its process ended with code {code}{last}."


def _on_threads(
    work: Callable[[int], object], items: Sequence[int], n: int, stop: Callable[[], None]
) -> None:
    """Run a function on all items, n at a time; on an error or Ctrl-C, stop and raise it."""
    if not items:
        return
    threads = ThreadPoolExecutor(n)
    futures = [threads.submit(work, item) for item in items]
    try:
        wait(futures, return_when=FIRST_EXCEPTION)
        # The error that ended a worker comes before those of later tasks on that worker.
        for future in futures:
            if future.done():
                future.result()
    except BaseException:
        threads.shutdown(wait=False, cancel_futures=True)
        stop()
        raise
    finally:
        threads.shutdown()
