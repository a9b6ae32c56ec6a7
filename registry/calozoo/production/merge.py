"""Merging of the shards of a production into one file, streaming, in the order of the showers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from calozoo.generation.generate_file import check_output
from calozoo.production.errors import ProductionError
from calozoo.production.plan import MergeRecord, Plan, mark_merged, read_plan
from calozoo.production.processes import is_given_up, process_name
from calozoo.production.shards import ShardFolder, ShardRecord
from calozoo_core.errors import ShowerFileError
from calozoo_core.io import ShowerFile, ShowerWriter
from calozoo_core.weights import sha256

__all__ = ["merge_shards", "merged_file", "number_ranges", "whole_record"]

LOCK: Final = "merging"
_AGAIN: Final = "again.h5"
_POLL_SECONDS: Final = 0.5


def merge_shards(
    path: Path,
    plan: Plan,
    *,
    overwrite: bool = False,
    keep_shards: bool = False,
    on_batch: Callable[[int], None] | None = None,
) -> MergeRecord:
    """Merge all shards of a plan into its file, which has the bytes that one process writes.

    Each shard is compared with its record first. Memory does not grow with the number of showers.
    If another process is merging, this waits until it has done so.

    Arguments:
        path: File of the plan.
        plan: The plan.
        overwrite: Replace a file that is already there.
        keep_shards: Leave the shards in their folder.
        on_batch: Called with the number of showers of each batch that was written.

    Raises:
        ProductionError: If a shard is missing, damaged or of another plan.
        OutputExistsError: If the file is there and `overwrite` is not set.
        ShowerFileError: If the file cannot be written.
    """
    folder = ShardFolder(path, plan)
    while True:
        done = whole_record(path, read_plan(path))
        if done is not None:
            if not keep_shards:
                folder.remove()  # a merge may have been stopped before it did so
            return done
        with _merge_lock(folder) as is_ours:
            if is_ours:
                return _merge(path, plan, folder, overwrite, keep_shards, on_batch)
        time.sleep(_POLL_SECONDS)
        if on_batch is not None:
            on_batch(0)


def merged_file(path: Path, plan: Plan) -> Path:
    """File into which the shards of a plan are merged."""
    out = path.parent / plan.out
    return Path(plan.out) if path.parent == Path() else out


def whole_record(path: Path, plan: Plan) -> MergeRecord | None:
    """Record of the merged file of a plan; None if the file is not there, or not whole."""
    if plan.merged is None:
        return None
    try:
        return plan.merged if merged_file(path, plan).stat().st_size == plan.merged.bytes else None
    except OSError:
        return None


def number_ranges(numbers: list[int]) -> str:
    """Numbers in order as people write them, runs with a hyphen.

    Example:
        >>> number_ranges([1, 3, 4, 5, 9])
        '1,3-5,9'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


def _merge(
    path: Path,
    plan: Plan,
    folder: ShardFolder,
    overwrite: bool,
    keep_shards: bool,
    on_batch: Callable[[int], None] | None,
) -> MergeRecord:
    out = merged_file(path, plan)
    records = _sound_records(path, folder)
    if not overwrite and _has_the_showers(out, records):
        # A merge may have been stopped after it named the file and before it noted that.
        again = folder.path / _AGAIN
        writer = _write(again, plan, folder, records, overwrite=True, on_batch=on_batch)
        digest = sha256(again)
        again.unlink()
        if digest != sha256(out):
            check_output(out)
    else:
        check_output(out, overwrite=overwrite)
        writer = _write(out, plan, folder, records, overwrite=overwrite, on_batch=on_batch)
        digest = sha256(out)
    done = MergeRecord(
        showers=writer.n_showers,
        points=writer.n_points,
        bytes=out.stat().st_size,
        sha256=digest,
    )
    mark_merged(plan, path, done)
    if not keep_shards:
        folder.remove()
    return done


def _write(
    out: Path,
    plan: Plan,
    folder: ShardFolder,
    records: list[ShardRecord],
    *,
    overwrite: bool,
    on_batch: Callable[[int], None] | None,
) -> ShowerWriter:
    with records[0].attributes.writer(out, overwrite=overwrite) as writer:
        for record in records:
            with ShowerFile(folder.file(record.number)) as shard:
                _check_size(shard, record)
                for start in range(0, len(shard), plan.batch_size):
                    rows = slice(start, start + plan.batch_size)
                    showers = shard[rows]
                    writer.append(showers, shard.hits(rows) if shard.hits_detector else None)
                    if on_batch is not None:
                        on_batch(len(showers))
    return writer


def _has_the_showers(out: Path, records: list[ShardRecord]) -> bool:
    """True if a file has as many showers and points as the shards together."""
    try:
        with ShowerFile(out) as file:
            return len(file) == records[-1].stop and file.n_points == sum(r.points for r in records)
    except ShowerFileError:
        return False


def _sound_records(path: Path, folder: ShardFolder) -> list[ShardRecord]:
    """Records of all shards, in order, after each file was compared with its own.

    Raises:
        ProductionError: If one is missing, or made otherwise than the others.
    """
    folder.check_owner()
    found = {
        number: folder.record(number, verify=True)
        for number in range(1, len(folder.plan.shards) + 1)
    }
    missing = [number for number, record in found.items() if record is None]
    if missing:
        listed = number_ranges(missing)
        which = f"Shard {listed} is" if len(missing) == 1 else f"Shards {listed} are"
        msg = (
            f"{which} missing or damaged, so {folder.plan.out} was not written; "
            f"`calozoo generate --plan {path}` makes what is missing."
        )
        raise ProductionError(msg)
    records = [record for record in found.values() if record is not None]
    other = next((one for one in records if one.attributes != records[0].attributes), None)
    if other is not None:
        msg = (
            f"{folder.file(other.number)} was made otherwise than {folder.file(1).name}; delete it "
            f"and type `calozoo generate --plan {path}`."
        )
        raise ProductionError(msg)
    return records


def _check_size(shard: ShowerFile, record: ShardRecord) -> None:
    if len(shard) != record.stop - record.first:
        msg = f"{shard.path} holds {len(shard)} showers, not {record.stop - record.first}."
        raise ProductionError(msg)


@contextmanager
def _merge_lock(folder: ShardFolder) -> Iterator[bool]:
    """Lock file, since disks may be shared: `True` if this process merges, `False` if another does.

    The lock of a process that is gone does not count.
    """
    lock = folder.path / LOCK
    with suppress(FileNotFoundError):
        owner = lock.read_text(encoding="utf-8")
        if is_given_up(lock, owner):
            lock.unlink()
    try:
        descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        yield False
        return
    except FileNotFoundError:  # no folder, no shards: the merge says so
        yield True
        return
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(process_name())
        yield True
    finally:
        lock.unlink(missing_ok=True)
