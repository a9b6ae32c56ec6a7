"""HTCondor: clusters of jobs with `condor_submit`, and their state from `condor_q`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from calozoo.production.array_job import ArrayJob, generate_command
from calozoo.production.batch_system import SentJob, State, ask
from calozoo.production.errors import ProductionError
from calozoo_core.errors import InputError

__all__ = ["HTCondor"]

_STATES: Final[dict[str, State]] = {"1": "waiting", "2": "running", "5": "held", "6": "running"}


class HTCondor:
    """HTCondor, by its programs; the folder of the plan is shared with the machines that run."""

    name = "htcondor"

    def scripts(self, job: ArrayJob) -> list[str]:
        """Submit description: one job a shard."""
        return [_description(job)]

    def send(self, job: ArrayJob) -> list[SentJob]:
        """Send the description with `condor_submit`.

        Raises:
            ProductionError: If HTCondor refuses it, is not there, or does not answer.
        """
        description = job.log_folder.parent / "condor.sub"
        description.write_text(_description(job), encoding="utf-8")
        answer = ask(["condor_submit", "-terse", str(description)]).strip()
        match = re.match(r"(\d+)\.\d+", answer)
        if match is None:
            msg = f"condor_submit answered {answer!r} instead of the number of a cluster."
            raise ProductionError(msg)
        shards = {str(place): number for place, number in enumerate(job.numbers)}
        return [SentJob(system=self.name, job=match[1], shards=shards)]

    def states(self, jobs: Sequence[SentJob]) -> dict[int, State]:
        """State of the shards that are in the queue, by `condor_q`.

        Raises:
            ProductionError: If HTCondor is not there, or does not answer.
        """
        by_number = {job.job: job.shards for job in jobs if job.system == self.name}
        if not by_number:
            return {}
        found: dict[int, State] = {}
        words = ["condor_q", *by_number, "-af", "ClusterId", "ProcId", "JobStatus"]
        for line in ask(words).splitlines():
            number, task, state = (*line.split(), "", "", "")[:3]
            shard = by_number.get(number, {}).get(task)
            if shard is not None and state in _STATES:
                found[shard] = _STATES[state]
        return found


def _description(job: ArrayJob) -> str:
    if job.setup:
        msg = "HTCondor runs no shell; put the lines of setup into a program of your own."
        raise InputError(msg, argument="setup")
    executable, *arguments = generate_command(job, "$(shard)")
    directives = {
        "universe": "vanilla",
        "batch_name": job.name,
        "executable": executable,
        "arguments": f'"{" ".join(_quoted(word) for word in arguments)}"',
        "environment": '"OMP_NUM_THREADS=1"',
        "should_transfer_files": "NO",
        "request_cpus": "1",
        "request_memory": f"{job.needs.memory_mb}MB",
        "+MaxRuntime": str(job.needs.wall_seconds),
        "max_retries": "2",
        "output": f"{job.log_folder}/$(Cluster)_$(shard).txt",
        "error": f"{job.log_folder}/$(Cluster)_$(shard).txt",
        "log": f"{job.log_folder}/$(Cluster).log",
    }
    if job.at_once is not None:
        directives["max_materialize"] = str(job.at_once)
    lines = [f"{name} = {value}" for name, value in (directives | dict(job.directives)).items()]
    numbers = ", ".join(map(str, job.numbers))
    return "\n".join([*lines, f"queue shard in ({numbers})"]) + "\n"


def _quoted(word: str) -> str:
    """Word of HTCondor's arguments: quotes are doubled, and spaces stand in single quotes."""
    text = word.replace('"', '""').replace("'", "''")
    return f"'{text}'" if re.search(r"[\s']", word) else text
