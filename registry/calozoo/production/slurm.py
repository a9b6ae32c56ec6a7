"""SLURM: array jobs with `sbatch`, and their state from `squeue`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from calozoo.production.array_job import ArrayJob, generate_command, shell_line
from calozoo.production.batch_system import SentJob, State, ask
from calozoo.production.errors import ProductionError
from calozoo.production.merge import number_ranges

__all__ = ["Slurm", "wall_time"]

MAX_ARRAY: Final = 1000
"""Tasks of one array; SLURM takes numbers below 1001 unless a site allows more."""

_SIGNAL_SECONDS: Final = 120
_RUNNING: Final = {"RUNNING", "COMPLETING", "CONFIGURING", "STAGE_OUT", "SUSPENDED"}


class Slurm:
    """SLURM, by its programs."""

    name = "slurm"

    def scripts(self, job: ArrayJob) -> list[str]:
        """Batch scripts, one for each thousand shards."""
        return [_script(job, offset, tasks) for offset, tasks in _blocks(job)]

    def send(self, job: ArrayJob) -> list[SentJob]:
        """Send the scripts with `sbatch`.

        Raises:
            ProductionError: If SLURM refuses them, is not there, or does not answer.
        """
        sent = []
        for offset, tasks in _blocks(job):
            answer = ask(["sbatch", "--parsable"], _script(job, offset, tasks)).strip()
            match = re.match(r"\d+", answer)
            if match is None:
                msg = f"sbatch answered {answer!r} instead of the number of a job."
                raise ProductionError(msg)
            shards = {str(task): offset + task for task in tasks}
            sent.append(SentJob(system=self.name, job=match[0], shards=shards))
        return sent

    def states(self, jobs: Sequence[SentJob]) -> dict[int, State]:
        """State of the shards that are in the queue, by `squeue`.

        Raises:
            ProductionError: If SLURM is not there, or does not answer.
        """
        by_number = {job.job: job.shards for job in jobs if job.system == self.name}
        if not by_number:
            return {}
        found: dict[int, State] = {}
        for line in ask(["squeue", "--noheader", "--array", "--format=%F %K %T"]).splitlines():
            number, task, state = (*line.split(), "", "", "")[:3]
            shard = by_number.get(number, {}).get(task)
            if shard is not None:
                found[shard] = "running" if state in _RUNNING else "waiting"
        return found


def wall_time(seconds: int) -> str:
    """Time as SLURM reads it.

    Example:
        >>> wall_time(90_061)
        '1-01:01:01'
    """
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{f'{days}-' if days else ''}{hours:02}:{minutes:02}:{seconds:02}"


def _blocks(job: ArrayJob) -> Iterator[tuple[int, list[int]]]:
    """Offsets, and the tasks from 1 to 1000 that make the shards behind them."""
    for offset in range(0, len(job.plan.shards), MAX_ARRAY):
        tasks = [n - offset for n in job.numbers if offset < n <= offset + MAX_ARRAY]
        if tasks:
            yield offset, tasks


def _script(job: ArrayJob, offset: int, tasks: list[int]) -> str:
    at_once = "" if job.at_once is None else f"%{job.at_once}"
    directives = {
        "job-name": job.name,
        "ntasks": "1",
        "cpus-per-task": "1",
        "time": wall_time(job.needs.wall_seconds),
        "mem": f"{job.needs.memory_mb}M",
        "signal": f"B:TERM@{_SIGNAL_SECONDS}",
        "output": f"{job.log_folder}/%A_%a.txt",
        "array": f"{number_ranges(tasks)}{at_once}",
        **job.directives,
    }
    task = f"$((SLURM_ARRAY_TASK_ID + {offset}))" if offset else "$SLURM_ARRAY_TASK_ID"
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH --{name}={shlex.quote(value)}" for name, value in directives.items()),
        "export OMP_NUM_THREADS=1",
        *job.setup,
        # The signal before the end goes to the shell, whose place the command takes.
        f"exec {shell_line(generate_command(job, task), task)}",
    ]
    return "\n".join(lines) + "\n"
