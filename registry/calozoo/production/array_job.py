"""Array job of a production: the shards that are to be made, and what each of them needs."""

from __future__ import annotations

import math
import os
import re
import resource
import shlex
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from calozoo.generation.generate_file import FileAttributes, write_batches
from calozoo.production.plan import Plan
from calozoo.production.shards import ShardFolder
from calozoo_core.errors import InputError

__all__ = ["ArrayJob", "Needs", "generate_command", "measured_needs", "parse_directives"]

_START_SECONDS: Final = 120
_SAFETY: Final = 2.0
_STEP_SECONDS: Final = 600
_TRIAL_SECONDS: Final = 10.0
_STEP_MB: Final = 100
_SPARE_MB: Final = 250
_DIRECTIVE: Final = re.compile(r"[A-Za-z+][\w.+-]*")


@dataclass(frozen=True)
class Needs:
    """Time and memory of one shard on one core.

    Arguments:
        seconds_per_shower: Mean time of a shower.
        wall_seconds: Time to ask for: twice the largest shard's, and two minutes to start.
        memory_mb: Memory to ask for.
        origin: Where the figures come from, for people to read.
    """

    seconds_per_shower: float
    wall_seconds: int
    memory_mb: int
    origin: str


@dataclass(frozen=True)
class ArrayJob:
    """Shards of a plan for a batch system, one thread each.

    Arguments:
        path: File of the plan.
        plan: The plan.
        numbers: Numbers of the shards, in order.
        needs: Time and memory of one.
        at_once: Most of them that run at the same time; None for as many as the system likes.
        directives: Further lines for the batch system; they replace ours of the same name.
        setup: Lines of shell before the command.
    """

    path: Path
    plan: Plan
    numbers: Sequence[int]
    needs: Needs
    at_once: int | None = None
    directives: Mapping[str, str] = field(default_factory=dict)
    setup: Sequence[str] = ()

    @property
    def name(self) -> str:
        """Name of the job: that of the plan."""
        return self.path.name.removesuffix(".json").removesuffix(".plan")

    @property
    def log_folder(self) -> Path:
        """Folder of what the jobs print."""
        return ShardFolder(self.path.absolute(), self.plan).path / "log"


def generate_command(job: ArrayJob, number: str) -> list[str]:
    """Command that makes a shard.

    Arguments:
        job: The job.
        number: Number of the shard, as the batch system writes it.
    """
    shard = f"{number}/{len(job.plan.shards)}"
    plan = str(job.path.absolute())
    words = [sys.executable, "-m", "calozoo", "generate", "--plan", plan]
    return [*words, "--shard", shard, "--threads", "1", "--quiet"]


def parse_directives(words: Sequence[str]) -> dict[str, str]:
    """Further lines for a batch system from texts `name=value`.

    Raises:
        InputError: If one is not that.

    Example:
        >>> parse_directives(["account=physics", "partition=long"])
        {'account': 'physics', 'partition': 'long'}
    """
    directives = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not _DIRECTIVE.fullmatch(name) or "\n" in value:
            msg = f"Cannot read the option {word!r}; write name=value, as account=physics."
            raise InputError(msg)
        directives[name] = value
    return directives


def measured_needs(path: Path, plan: Plan, *, offline: bool = False) -> Needs:
    """Time and memory of a shard: time of those that are there, or else a trial of ten seconds.

    Arguments:
        path: File of the plan.
        plan: The plan.
        offline: Use no network.

    Raises:
        CalozooError: If the model cannot be loaded.
    """
    folder = ShardFolder(path, plan)
    records = [folder.record(number) for number in range(1, len(plan.shards) + 1)]
    rates = [r.seconds / (r.stop - r.first) for r in records if r is not None]
    if rates:
        rate, origin = max(rates), f"the slowest of {len(rates)} shards"
        _load_once(plan, offline=offline)
    else:
        rate, origin = _trial(plan, offline=offline)
    largest = max(stop - first for first, stop in plan.shards)
    seconds = _START_SECONDS + _SAFETY * rate * largest
    wall = _STEP_SECONDS * math.ceil(seconds / _STEP_SECONDS)
    used = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    used_mb = used / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    memory = _STEP_MB * math.ceil((1.25 * used_mb + _SPARE_MB) / _STEP_MB)
    return Needs(rate, wall, memory, origin)


def shell_line(words: Sequence[str], unquoted: str) -> str:
    """Command as a line of shell, in which one word is left to the shell to fill in."""
    return " ".join(word if unquoted in word else shlex.quote(word) for word in words)


def _load_once(plan: Plan, *, offline: bool) -> None:
    plan.request.load(offline=offline).close()


def _trial(plan: Plan, *, offline: bool) -> tuple[float, str]:
    """Seconds a shower of the first batches, generated and written; and what was measured."""
    request = plan.request
    prepared = request.prepared(offline=offline)
    generator = request.load(offline=offline)
    n_showers = 0
    try:
        with tempfile.TemporaryDirectory() as scratch:
            attributes = FileAttributes.of(generator, request.seed, prepared.placer)
            with attributes.writer(Path(scratch) / "trial.h5") as writer:
                start = time.perf_counter()
                batches = prepared.source.batches(plan.batch_size, 0, plan.shards[0][1])
                for batch in batches:
                    write_batches(
                        writer,
                        generator,
                        [batch],
                        seed=request.seed,
                        extrapolate=request.extrapolate,
                        placer=prepared.placer,
                    )
                    n_showers += len(batch[1])
                    if time.perf_counter() - start > _TRIAL_SECONDS:
                        break
                seconds = time.perf_counter() - start
    finally:
        generator.close()
    return seconds / n_showers, f"a trial of {n_showers} showers on {os.uname().nodename}"
