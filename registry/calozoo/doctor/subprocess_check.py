"""Runs what may hang or crash in a process of its own, with a limit on its time."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, Any

__all__ = ["Answer", "Job", "run_jobs"]

START = 30.0
"""Seconds that Python itself may take to start, on a disk that is slow or far away."""


@dataclass(frozen=True)
class Job:
    """A call of a function.

    Arguments:
        function: As `module:function`; it returns data that JSON has.
        arguments: What it is given, by name; data that JSON has.
    """

    function: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What came of a job.

    Arguments:
        value: What the function returned; None if it did not.
        trouble: Why not, as the end of a sentence; empty if it did.
        goes_on: Whether its process lives to do the next.
    """

    value: Any = None
    trouble: str = ""
    goes_on: bool = True


def run_jobs(jobs: Sequence[Job], limit: float) -> Iterator[Answer]:
    """The answers to jobs, in order, each as soon as it is there.

    One process after another works on them: a job that takes too long, or takes its process with
    it, is answered by that, and the next process goes on behind it.

    Arguments:
        jobs: What to do.
        limit: Seconds that each may take, besides the start of a process.
    """
    done = 0
    while done < len(jobs):
        with _worker(jobs[done:]) as lines:
            answer = _next(lines, max(limit, START))  # an empty one: Python is up
            while done < len(jobs):
                if answer.goes_on:
                    answer = _next(lines, limit)
                yield answer
                done += 1
                if not answer.goes_on:
                    break


def _next(lines: queue.Queue[str | None], limit: float) -> Answer:
    try:
        line = lines.get(timeout=limit)
    except queue.Empty:
        return Answer(None, f"did not end within {limit:g} s", goes_on=False)
    if line is None:
        return Answer(None, "ended the process it ran in", goes_on=False)
    return Answer(**json.loads(line or "{}"))


@contextmanager
def _worker(jobs: Sequence[Job]) -> Iterator[queue.Queue[str | None]]:
    """A process that works on these, and its lines as they come; None is the end of them."""
    listed = json.dumps([[job.function, job.arguments] for job in jobs])
    process = subprocess.Popen(
        [sys.executable, "-m", "calozoo.doctor.worker", listed],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    assert process.stdout is not None
    lines: queue.Queue[str | None] = queue.Queue()
    reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    reader.start()
    try:
        yield lines
    finally:
        _end(process)
        reader.join(timeout=1)


def _read(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    with stream:
        for line in stream:
            lines.put(line.rstrip("\n"))
    lines.put(None)


def _end(process: subprocess.Popen[str]) -> None:
    """End a process, with those that it started."""
    if hasattr(os, "killpg"):  # not on Windows
        with suppress(ProcessLookupError):  # it has ended, and nobody is left of its group
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
