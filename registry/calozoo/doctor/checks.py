"""Checks: their findings, and jobs that may hang or crash, run in a process of their own."""

from __future__ import annotations

import importlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, Any, Literal

__all__ = ["Answer", "Finding", "Job", "Status", "run_jobs", "work"]

Status = Literal["ok", "warning", "broken", "skipped"]


@dataclass(frozen=True)
class Finding:
    """Result of a check.

    Arguments:
        check: Name of the check: `plugin`, `cache`, ...
        subject: The thing that was checked; empty where there is only one.
        status: "broken" if something does not work, "warning" if it may not.
        detail: What was found.
        advice: What to type or do; empty if nothing.
    """

    check: str
    subject: str
    status: Status
    detail: str
    advice: str = ""


START = 30.0
"""Seconds that Python itself may take to start, on a disk that is slow or far away."""

WORK = "from calozoo.doctor.checks import work; work()"


@dataclass(frozen=True)
class Job:
    """Call of a function.

    Arguments:
        function: As `module:function`; it returns data that JSON has.
        arguments: Its arguments by name; data that JSON has.
    """

    function: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """Result of a job.

    Arguments:
        value: What the function returned; None if it did not.
        trouble: Why it did not return, as the end of a sentence; empty if it did.
        wrote_stdout: Whether anything was written to the process's standard output.
        goes_on: Whether the process lives to do the next job.
    """

    value: Any = None
    trouble: str = ""
    wrote_stdout: bool = False
    goes_on: bool = True


def run_jobs(jobs: Sequence[Job], limit: float) -> Iterator[Answer]:
    """The answers to jobs, in order, each as soon as it is there.

    One process works on all jobs. If a job takes too long, or ends the process, that is its answer,
    and another process goes on with the next job.

    Arguments:
        jobs: The jobs.
        limit: Seconds that each may take, besides the start of a process.
    """
    done = 0
    while done < len(jobs):
        with _worker(jobs[done:]) as lines:
            answer = _next(lines, max(limit, START))  # an empty one: Python has started
            while done < len(jobs):
                if answer.goes_on:
                    answer = _next(lines, limit)
                yield answer
                done += 1
                if not answer.goes_on:
                    break


def work() -> None:
    """Do the jobs in `sys.argv[1]`, and write an answer in JSON, a line each, to standard output.

    The first line is empty, as a sign that Python has started. Whatever else is written to standard
    output, by Python or below it, goes to a temporary file.
    """
    with (
        os.fdopen(os.dup(1), "w", encoding="utf-8") as answers,
        tempfile.TemporaryFile() as written,
    ):
        os.dup2(written.fileno(), 1)
        answers.write("\n")
        answers.flush()
        for path, arguments in json.loads(sys.argv[1]):
            answer: dict[str, object] = {"value": None}
            module, _, function = path.partition(":")
            before = os.fstat(written.fileno()).st_size
            try:
                answer["value"] = getattr(importlib.import_module(module), function)(**arguments)
            except (Exception, SystemExit) as error:
                answer["trouble"] = f"raised {type(error).__name__}: {' '.join(str(error).split())}"
            sys.stdout.flush()
            answer["wrote_stdout"] = os.fstat(written.fileno()).st_size > before
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


def _next(lines: queue.Queue[str | None], limit: float) -> Answer:
    try:
        line = lines.get(timeout=limit)
    except queue.Empty:
        return Answer(trouble=f"did not end within {limit:g} s", goes_on=False)
    if line is None:
        return Answer(trouble="ended the process it ran in", goes_on=False)
    return Answer(**json.loads(line or "{}"))


@contextmanager
def _worker(jobs: Sequence[Job]) -> Iterator[queue.Queue[str | None]]:
    """A process that works on jobs; yields its lines as they come, and None at their end."""
    listed = json.dumps([[job.function, job.arguments] for job in jobs])
    process = subprocess.Popen(
        [sys.executable, "-c", WORK, listed],
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
