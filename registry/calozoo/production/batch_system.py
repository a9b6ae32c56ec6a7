"""Batch systems: the programs of a scheduler, asked with a time limit, and the jobs sent to it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, Protocol

from pydantic import TypeAdapter, ValidationError

from calozoo.production.array_job import ArrayJob
from calozoo.production.errors import ProductionError
from calozoo.production.shards import ShardFolder
from calozoo_core.io.atomic import write_atomic
from calozoo_core.strict_model import StrictModel

__all__ = ["BatchSystem", "SentJob", "State", "ask", "read_jobs", "write_jobs"]

State = Literal["running", "waiting", "held"]

TIMEOUT_SECONDS: Final = 60
_MAX_BYTES: Final = 16 << 20


class SentJob(StrictModel):
    """Array job that was sent to a batch system.

    Arguments:
        system: Name of the system.
        job: Number of the job there.
        shards: Shard of each task, by the number of the task.
    """

    system: str
    job: str
    shards: dict[str, int]


class BatchSystem(Protocol):
    """Batch system that runs array jobs."""

    @property
    def name(self) -> str:
        """Name of the system on the command line."""

    def scripts(self, job: ArrayJob) -> list[str]:
        """Texts that are sent, one for each array."""

    def send(self, job: ArrayJob) -> list[SentJob]:
        """Send a job.

        Raises:
            ProductionError: If the system refuses it, is not there, or does not answer.
        """

    def states(self, jobs: Sequence[SentJob]) -> dict[int, State]:
        """State of the shards that are still in the queue, by number.

        Raises:
            ProductionError: If the system is not there, or does not answer.
        """


def ask(words: Sequence[str], text: str = "", *, timeout: float = TIMEOUT_SECONDS) -> str:
    """Output of a program of a batch system.

    Arguments:
        words: The command.
        text: Its standard input.
        timeout: Seconds after which it is given up.

    Raises:
        ProductionError: If it is not installed, fails, or does not answer in time.
    """
    try:
        done = subprocess.run(
            list(words), input=text, capture_output=True, text=True, timeout=timeout, check=False
        )
    except FileNotFoundError as error:
        msg = f"There is no {words[0]} here; type this on a machine that sends jobs."
        raise ProductionError(msg) from error
    except subprocess.TimeoutExpired as error:
        msg = f"{words[0]} did not answer within {timeout:g} s; try again when it does."
        raise ProductionError(msg) from error
    except OSError as error:
        msg = f"{words[0]} cannot be run: {str(error.strerror).lower()}."
        raise ProductionError(msg) from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        msg = f"{words[0]} failed with {done.returncode}: {said or 'it does not say why'}"
        raise ProductionError(msg.rstrip(".") + ".")
    return done.stdout


def read_jobs(folder: ShardFolder) -> list[SentJob]:
    """Jobs that were sent for a plan, from its folder; none if the list is missing or damaged."""
    try:
        with _list(folder).open("rb") as file:
            return _JOBS.validate_json(file.read(_MAX_BYTES))
    except (OSError, ValidationError):
        return []


def write_jobs(folder: ShardFolder, jobs: list[SentJob]) -> None:
    """Keep the list of the jobs that were sent for a plan.

    Raises:
        OSError: If the disk does not allow it.
    """
    write_atomic(_list(folder), _JOBS.dump_json(jobs, indent=2) + b"\n")


_JOBS: Final = TypeAdapter(list[SentJob])


def _list(folder: ShardFolder) -> Path:
    return folder.path / "jobs.json"
