"""Shards of a production: their files, records and failures in a folder beside the plan.

::

    showers.plan.json            the plan
    showers.shards/00007.h5      showers of shard 7
    showers.shards/00007.json    its record, written after it: sha256, range, host, seconds
    showers.shards/00007.failed.json    why it could not be made, until it is

A shard is written under a name of its own process and renamed when it is whole, so that two
processes may make the same one: the last one wins, with the same bytes.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar

from pydantic import ValidationError

from calozoo.generation.generate_file import FileAttributes, write_batches
from calozoo.production.errors import ProductionError
from calozoo.production.plan import PLAN_SUFFIX, Plan, make_plan
from calozoo.production.processes import is_given_up, own_name
from calozoo_core.strict_model import StrictModel
from calozoo_core.weights import sha256

if TYPE_CHECKING:
    from calozoo_core.generator import Generator

__all__ = ["RunningShard", "ShardFailure", "ShardFolder", "ShardMaker", "ShardRecord"]

_MAX_RECORD_BYTES: Final = 1 << 20
_OWN: Final = re.compile(r"(?P<number>\d{5,})\.(?P<process>.+-\d+)\.h5(\.part)?")

Content = TypeVar("Content", bound=StrictModel)


class ShardRecord(StrictModel):
    """Record of a shard that was made.

    Arguments:
        plan: Identity of its plan.
        number: Number of the shard, from 1.
        first: Its first shower.
        stop: The shower behind its last.
        points: Number of its points.
        bytes: Size of its file.
        sha256: sha256 of its file.
        attributes: Attributes of its file.
        host: Machine that made it.
        seconds: Time it took.
        cpu_seconds: Processor time of the process that made it.
        versions: Versions of Python and of the packages that its bytes depend on.
    """

    plan: str
    number: int
    first: int
    stop: int
    points: int
    bytes: int
    sha256: str
    attributes: FileAttributes
    host: str
    seconds: float
    cpu_seconds: float
    versions: dict[str, str]


class ShardFailure(StrictModel):
    """Failure of a shard: its last error, and how often it was tried."""

    number: int
    first: int
    stop: int
    error: str
    attempts: int
    host: str


@dataclass(frozen=True)
class RunningShard:
    """Shard that a process is writing.

    Arguments:
        number: Number of the shard.
        host: Machine of the process.
        seconds: Time since the process last wrote to it.
    """

    number: int
    host: str
    seconds: float


class ShardFolder:
    """Folder of the shards of a plan.

    Arguments:
        plan_path: File of the plan.
        plan: The plan.
    """

    def __init__(self, plan_path: Path, plan: Plan) -> None:
        stem = plan_path.name.removesuffix(PLAN_SUFFIX).removesuffix(".json")
        self.path = plan_path.with_name(f"{stem}.shards")
        self.plan_path, self.plan = plan_path, plan
        self._identity = plan.identity
        self._failures: dict[int, ShardFailure] = {}

    def file(self, number: int) -> Path:
        """File of a shard."""
        return self.path / f"{number:05}.h5"

    def record(self, number: int, *, verify: bool = False) -> ShardRecord | None:
        """Record of a shard that is there and of this plan; None for any other.

        Arguments:
            number: Number of the shard.
            verify: Compare the sha256 of the file, too, and not only its size.
        """
        record = _read(self._record_path(number), ShardRecord)
        if record is None or record.plan != self._identity or record.number != number:
            return None
        file = self.file(number)
        try:
            sound = file.stat().st_size == record.bytes
            sound = sound and (not verify or sha256(file) == record.sha256)
        except OSError:
            return None
        return record if sound else None

    def check_owner(self) -> None:
        """Refuse a folder with shards of another plan.

        Raises:
            ProductionError: If a record in it is of another plan.
        """
        for path in sorted(self.path.glob("*.json")) if self.path.is_dir() else []:
            record = _read(path, ShardRecord)
            if record is not None and record.plan != self._identity:
                msg = (
                    f"{path} is of a shard of another plan; delete the folder {self.path}, or give "
                    "the plan another name."
                )
                raise ProductionError(msg)

    def missing(self, *, verify: bool = False) -> list[int]:
        """Numbers of the shards that are not there.

        Arguments:
            verify: As for `record`.
        """
        numbers = range(1, len(self.plan.shards) + 1)
        return [number for number in numbers if self.record(number, verify=verify) is None]

    def failure(self, number: int) -> ShardFailure | None:
        """Reason why a shard could not be made; None if nothing is known of it."""
        return _read(self._failure_path(number), ShardFailure) or self._failures.get(number)

    def running(self) -> list[RunningShard]:
        """Shards that some process is writing, in order."""
        found: dict[int, RunningShard] = {}
        now = time.time()
        for path in sorted(self.path.glob("*.h5*")) if self.path.is_dir() else []:
            match = _OWN.fullmatch(path.name)
            if match is None or is_given_up(path, match["process"]):
                continue
            with suppress(OSError):
                seconds = max(0.0, now - path.stat().st_mtime)
                number = int(match["number"])
                found[number] = RunningShard(number, match["process"].rpartition("-")[0], seconds)
        return [found[number] for number in sorted(found)]

    def write_record(self, record: ShardRecord) -> None:
        """Write the record of a shard, and forget its failures.

        Raises:
            OSError: If the disk does not allow it.
        """
        _write(self._record_path(record.number), record)
        with suppress(OSError):
            self._failure_path(record.number).unlink(missing_ok=True)

    def note_failure(self, number: int, error: str) -> ShardFailure:
        """Note that a shard could not be made; if the disk is full, in memory only."""
        first, stop = self.plan.range_of(number)
        before = self.failure(number)
        attempts = 1 if before is None else before.attempts + 1
        failure = ShardFailure(
            number=number,
            first=first,
            stop=stop,
            error=error,
            attempts=attempts,
            host=socket.gethostname(),
        )
        self._failures[number] = failure
        with suppress(OSError):
            self.path.mkdir(parents=True, exist_ok=True)
            _write(self._failure_path(number), failure)
        return failure

    def remove_abandoned(self) -> None:
        """Remove what processes that are no longer there have left half-written."""
        for path in self.path.glob("*.h5*") if self.path.is_dir() else []:
            match = _OWN.fullmatch(path.name)
            if match is not None and is_given_up(path, match["process"]):
                with suppress(OSError):
                    path.unlink()

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _record_path(self, number: int) -> Path:
        return self.path / f"{number:05}.json"

    def _failure_path(self, number: int) -> Path:
        return self.path / f"{number:05}.failed.json"


class ShardMaker:
    """Model of a plan, loaded once, and the shards it makes.

    Arguments:
        plan_path: File of the plan.
        plan: The plan.
        offline: Use no network.
        workers: Processes of a model that simulates.

    Raises:
        ProductionError: If the plan was made by another version, for other weights or for other
            files than are here.
        CalozooError: If the model cannot be loaded.
    """

    def __init__(
        self, plan_path: Path, plan: Plan, *, offline: bool = False, workers: int | None = None
    ) -> None:
        self.plan, self.folder = plan, ShardFolder(plan_path, plan)
        check_plan(plan, plan_path, offline=offline)
        self._prepared = plan.request.prepared(offline=offline)
        self.generator: Generator = plan.request.load(offline=offline, workers=workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.generator.close()

    def make(self, number: int, on_batch: Callable[[int], None] | None = None) -> ShardRecord:
        """Make a shard, unless it is there.

        Arguments:
            number: Number of the shard, from 1.
            on_batch: Called with the number of showers of each batch; what it raises ends the
                shard, and nothing of it stays.

        Raises:
            InputError: If there is no such shard.
            ShowerFileError: If its file cannot be written.
            OSError: If its record cannot be written.
        """
        first, stop = self.plan.range_of(number)
        kept = self.folder.record(number, verify=True)
        if kept is not None:
            return kept
        start, cpu_start = time.perf_counter(), time.process_time()
        self.folder.path.mkdir(parents=True, exist_ok=True)
        request, placer = self.plan.request, self._prepared.placer
        attributes = FileAttributes.of(self.generator, request.seed, placer)
        own = self.folder.path / f"{own_name(f'{number:05}')}.h5"
        try:
            with attributes.writer(own, overwrite=True) as writer:
                write_batches(
                    writer,
                    self.generator,
                    self._prepared.source.batches(self.plan.batch_size, first, stop),
                    seed=request.seed,
                    extrapolate=request.extrapolate,
                    placer=placer,
                    on_batch=on_batch,
                )
            record = ShardRecord(
                plan=self.plan.identity,
                number=number,
                first=first,
                stop=stop,
                points=writer.n_points,
                bytes=own.stat().st_size,
                sha256=sha256(own),
                attributes=attributes,
                host=socket.gethostname(),
                seconds=round(time.perf_counter() - start, 3),
                cpu_seconds=round(time.process_time() - cpu_start, 3),
                versions=_versions(),
            )
            own.replace(self.folder.file(number))
        finally:
            with suppress(OSError):
                own.unlink(missing_ok=True)
        self.folder.write_record(record)
        return record


def check_plan(plan: Plan, path: Path, *, offline: bool = False) -> None:
    """Refuse a plan that would make other showers here than where it was written.

    Raises:
        ProductionError: If a version, the weights or a file differ.
    """
    here = make_plan(
        plan.request, path.parent / plan.out, path, n_shards=len(plan.shards), offline=offline
    )
    difference = plan.difference(here)
    if difference is not None:
        msg = (
            f"{path} cannot be continued here: {difference}. Make it as it was, or begin a plan of "
            "another name."
        )
        raise ProductionError(msg)


def _versions() -> dict[str, str]:
    """Versions that the bytes of a file may depend on."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in ("numpy", "h5py", "torch"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _read(path: Path, kind: type[Content]) -> Content | None:
    """Content of a record; None if it is missing, damaged or of another kind."""
    try:
        with path.open("rb") as file:
            return kind.model_validate_json(file.read(_MAX_RECORD_BYTES))
    except (OSError, ValidationError):
        return None


def _write(path: Path, content: StrictModel) -> None:
    """Write a record whole; several processes may, and the last one wins."""
    own = path.with_name(own_name(path.name))
    try:
        own.write_text(json.dumps(content.model_dump(), indent=2) + "\n", encoding="utf-8")
        own.replace(path)
    finally:
        with suppress(OSError):
            own.unlink(missing_ok=True)
