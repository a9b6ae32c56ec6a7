"""Submission of a plan to a batch system: only the shards that nobody makes or has in a queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from calozoo.production.array_job import ArrayJob
from calozoo.production.batch_system import BatchSystem, State, read_jobs, write_jobs
from calozoo.production.errors import ProductionError
from calozoo.production.htcondor import HTCondor
from calozoo.production.plan import Plan
from calozoo.production.shards import ShardFolder
from calozoo.production.slurm import Slurm
from calozoo.production.status import production_status

__all__ = ["SYSTEMS", "queue_states", "shards_to_submit", "submit"]

SYSTEMS: Final[Mapping[str, Callable[[], BatchSystem]]] = MappingProxyType(
    {"slurm": Slurm, "htcondor": HTCondor}
)


def queue_states(path: Path, plan: Plan) -> dict[int, State]:
    """State of the shards of a plan that are in the queue of a batch system, by number.

    Raises:
        ProductionError: If a system to which jobs were sent is not there, or does not answer.
    """
    jobs = read_jobs(ShardFolder(path, plan))
    states: dict[int, State] = {}
    for name in sorted({job.system for job in jobs} & SYSTEMS.keys()):
        states |= SYSTEMS[name]().states(jobs)
    return states


def shards_to_submit(path: Path, plan: Plan) -> list[int]:
    """Numbers of the shards that are not there, not being made, and in no queue.

    Raises:
        ProductionError: If a system to which jobs were sent is not there, or does not answer.
    """
    in_queue = queue_states(path, plan)
    status = production_status(path, plan, in_queue)
    return list(status.to_do)


def submit(job: ArrayJob, system: BatchSystem) -> list[str]:
    """Send an array job, and note it in the folder of the shards.

    Returns:
        The numbers of the jobs there.

    Raises:
        ProductionError: If the system refuses it, is not there, or does not answer; or if the
            folder cannot be written.
    """
    folder = ShardFolder(job.path, job.plan)
    try:
        job.log_folder.mkdir(parents=True, exist_ok=True)
        known = read_jobs(folder)
        write_jobs(folder, known)  # a folder that cannot be written is found before they are sent
        sent = system.send(job)
        write_jobs(folder, [*known, *sent])
    except OSError as error:
        msg = f"{folder.path} cannot be written: {str(error.strerror).lower()}."
        raise ProductionError(msg) from error
    return [one.job for one in sent]
