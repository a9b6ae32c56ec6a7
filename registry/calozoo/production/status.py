"""Status of a production: what is made, being made, failed and missing, and the rate so far."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from calozoo.production.plan import MergeRecord, Plan
from calozoo.production.shards import RunningShard, ShardFailure, ShardFolder, ShardRecord

__all__ = ["ProductionStatus", "production_status"]


@dataclass(frozen=True)
class ProductionStatus:
    """State of each shard of a plan.

    Arguments:
        plan: The plan.
        done: Shards that are there.
        running: Shards that some process is writing.
        failed: Shards whose last attempt failed.
        missing: Numbers of the shards that nobody has begun.
        merged: The merged file, if it is written.
    """

    plan: Plan
    done: tuple[ShardRecord, ...]
    running: tuple[RunningShard, ...]
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
        """Numbers of the shards that nobody is making: failed and missing."""
        return tuple(sorted([*self.missing, *(failure.number for failure in self.failed)]))


def production_status(path: Path, plan: Plan) -> ProductionStatus:
    """Status of a production, from its folder; files are compared by size, not by sha256.

    Arguments:
        path: File of the plan.
        plan: The plan.

    Raises:
        ProductionError: If the folder has shards of another plan.
    """
    folder = ShardFolder(path, plan)
    if plan.merged is None:
        folder.check_owner()
    numbers = range(1, len(plan.shards) + 1)
    records = {number: folder.record(number) for number in numbers}
    done = tuple(record for record in records.values() if record is not None)
    running = tuple(shard for shard in folder.running() if records.get(shard.number) is None)
    busy = {shard.number for shard in running}
    rest = [n for n in numbers if records[n] is None and n not in busy]
    failures = {number: folder.failure(number) for number in rest}
    failed = tuple(failure for failure in failures.values() if failure is not None)
    missing = tuple(number for number in rest if failures[number] is None)
    return ProductionStatus(plan, done, running, failed, missing, plan.merged)
