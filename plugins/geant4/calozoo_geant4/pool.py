"""Worker processes that run Geant4, and what becomes of their crashes."""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from queue import SimpleQueue

from calozoo_core.detector import Detector
from calozoo_core.errors import CalozooError
from calozoo_geant4.data_sets import data_environment
from calozoo_geant4.worker import Answer, Setup, Shot

__all__ = ["Pool"]

# What G4Exception prints before it aborts: a code, a place, and a message.
_FATAL = re.compile(
    r"EEEE -+ G4Exception-START.*?G4Exception : (\S+)\s+issued by : (.+?)\n(.*?)\s*\*\*\* Fatal",
    re.DOTALL,
)


class Pool:
    """Worker processes with one detector, alive from the first showers to `close`.

    The workers are fresh interpreters, not forks, and do not import the user's main module. They
    are started when they are first needed.

    Arguments:
        detector: What they build.
        n_workers: How many.

    Raises:
        CalozooError: If Geant4's data sets are not to be found.
    """

    def __init__(self, detector: Detector, n_workers: int) -> None:
        self.n_workers = n_workers
        self.cpu_s = 0.0
        self._detector = detector
        self._environment = os.environ | data_environment()
        self._workers: list[_Worker] = []
        self._owner = os.getpid()

    def run(self, shots: Sequence[Shot], names: Sequence[str]) -> list[Answer]:
        """The answers to some shots, in their order, whichever worker gave them.

        Long showers go first, so that no worker is left with a long one while the others wait.

        Arguments:
            shots: What to simulate.
            names: What to call each in an error message.

        Raises:
            CalozooError: If Geant4 stopped, or a worker died; it names the shower. All workers are
                ended then, and the next call starts new ones.
        """
        idle: SimpleQueue[_Worker] = SimpleQueue()
        answers: list[Answer | None] = [None] * len(shots)

        def shoot(i: int) -> None:
            worker = idle.get()
            try:
                answers[i] = worker.ask(shots[i], f"at {names[i]}")
            finally:
                idle.put(worker)

        order = sorted(range(len(shots)), key=lambda i: -shots[i].energy_gev)
        try:
            for worker in self._started():
                idle.put(worker)
            _on_threads(shoot, order, self.n_workers, self._kill)
        except BaseException:
            self._kill()
            self.close()
            raise
        done = [answer for answer in answers if answer is not None]
        self.cpu_s += sum(answer.cpu_s for answer in done)
        return done

    def close(self) -> None:
        """End the workers; a fork of the process that started them leaves them alone."""
        if os.getpid() == self._owner:
            while self._workers:
                self._workers.pop().close()

    def _started(self) -> list[_Worker]:
        missing = self.n_workers - len(self._workers)
        self._workers += [_Worker(self._environment) for _ in range(missing)]
        new = self._workers[self.n_workers - missing :]
        what = f"while it built detector {self._detector.name}"
        setup = Setup(self._detector)
        _on_threads(lambda i: new[i].ask(setup, what), range(missing), missing, self._kill)
        return self._workers

    def _kill(self) -> None:
        for worker in self._workers:
            worker.kill()


class _Worker:
    """One process, and the file that Geant4 prints to."""

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

    def ask(self, task: Setup | Shot, what: str) -> Answer:
        """The answer to a task; `what` says in an error message when it happened."""
        assert self._process.stdin
        assert self._process.stdout
        try:
            pickle.dump(task, self._process.stdin, protocol=5)
            self._process.stdin.flush()
            answer: Answer = pickle.load(self._process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            msg = f"Geant4 stopped {what}: {self._last_words()}"
            raise CalozooError(msg) from error
        if isinstance(answer.error, CalozooError):
            raise answer.error
        if answer.error is not None:
            msg = f"Geant4 failed {what}: {answer.error}."
            raise CalozooError(msg) from answer.error
        return answer

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

    def _last_words(self) -> str:
        """Why the process is gone, as one clause with its full stop."""
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
    """Do the work for all items, n at a time; if one fails, or on Ctrl-C, stop and raise it."""
    if not items:
        return
    threads = ThreadPoolExecutor(n)
    futures = [threads.submit(work, item) for item in items]
    try:
        wait(futures, return_when=FIRST_EXCEPTION)
        # What fails later on a worker that is gone stands behind what ended the worker.
        for future in futures:
            if future.done():
                future.result()
    except BaseException:
        threads.shutdown(wait=False, cancel_futures=True)
        stop()
        raise
    finally:
        threads.shutdown()
