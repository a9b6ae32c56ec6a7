"""Status of a production: what is made, being made, failed and missing, and the rate so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from calozoo.production.batch_system import State
from calozoo.production.plan import MergeRecord, Plan
from calozoo.production.shards import ShardFailure, ShardFolder, ShardRecord

__all__ = ["ProductionStatus", "production_status"]


@dataclass(frozen=True)
class ProductionStatus:
    """State of each shard of a plan.

    Arguments:
        plan: The plan.
        done: Shards that are there.
        running: Shards that are being made, with the machine, or the word "queue" if only a batch
            system says so.
        waiting: Numbers of the shards that wait in the queue of a batch system.
        held: Numbers of the shards that a batch system holds until somebody releases them.
        failed: Shards whose last attempt failed.
        missing: Numbers of the shards that nobody has begun.
        merged: The merged file, if it is written.
    """

    plan: Plan
    done: tuple[ShardRecord, ...]
    running: tuple[tuple[int, str], ...]
    waiting: tuple[int, ...]
    held: tuple[int, ...]
    failed: tuple[ShardFailure, ...]
    missing: tuple[int, ...]
    merged: MergeRecord | None

    @property
    def n_done(self) -> int:
        """Showers of the shards that are there."""
        return sum(record.stop - record.first for record in self.done)

    @property
    def seconds_per_shower(self) -> float | None:
        """Mean time a shower took; None if no shard is there yet."""
        return sum(record.seconds for record in self.done) / self.n_done if self.done else None

    @property
    def to_do(self) -> tuple[int, ...]:
        """Numbers of the shards that nobody is making and no queue holds: failed and missing."""
        return tuple(sorted([*self.missing, *(failure.number for failure in self.failed)]))


def production_status(
    path: Path, plan: Plan, in_queue: Mapping[int, State] | None = None
) -> ProductionStatus:
    """Status of a production, from its folder; files are compared by size, not by sha256.

    Arguments:
        path: File of the plan.
        plan: The plan.
        in_queue: State of the shards in the queue of a batch system.

    Raises:
        ProductionError: If the folder has shards of another plan.
    """
    folder, in_queue = ShardFolder(path, plan), in_queue or {}
    if plan.merged is None:
        folder.check_owner()
    numbers = range(1, len(plan.shards) + 1)
    records = {number: folder.record(number) for number in numbers}
    hosts = {number: "queue" for number, state in in_queue.items() if state == "running"}
    hosts |= {shard.number: shard.host for shard in folder.running()}
    rest = [n for n in numbers if records[n] is None]
    idle = [n for n in rest if n not in hosts and n not in in_queue]
    failures = {number: folder.failure(number) for number in idle}
    return ProductionStatus(
        plan=plan,
        done=tuple(record for record in records.values() if record is not None),
        running=tuple((n, hosts[n]) for n in rest if n in hosts),
        waiting=tuple(n for n in rest if n not in hosts and in_queue.get(n) == "waiting"),
        held=tuple(n for n in rest if n not in hosts and in_queue.get(n) == "held"),
        failed=tuple(failure for failure in failures.values() if failure is not None),
        missing=tuple(number for number in idle if failures[number] is None),
        merged=plan.merged,
    )
