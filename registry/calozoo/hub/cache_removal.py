"""Removal of commits and leftovers from the Hugging Face cache, while other programs use it.

The delete strategy of `huggingface_hub.scan_cache_dir` takes no locks, deletes a commit file by
file, and deletes a whole repository with its last commit. Here a commit is renamed first and
deleted afterwards, so that whoever looks sees all of it or nothing; the repository is locked
meanwhile; and each blob is deleted under the lock that huggingface_hub holds while it fetches and
links that blob. No link that leads out of the cache is followed.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calozoo.hub.cache import OWN_LOCK, CachedRepo, is_real_folder

__all__ = ["Leftover", "leftovers", "prune", "remove_commits"]

REMOVED = ".removed-"
"""Prefix of the folders of commits that are being deleted."""

WAIT = 2.0
"""Seconds to wait for another process that changes a repository."""


@dataclass(frozen=True)
class Leftover:
    """File or folder in the cache that is not needed.

    Arguments:
        cached: The repository it belongs to.
        path: Its place on the disk.
        what: Its kind, for people to read.
        size: Bytes that it takes up.
    """

    cached: CachedRepo
    path: Path
    what: str
    size: int

    def as_dict(self) -> dict[str, Any]:
        """The leftover as JSON has it."""
        about = {"repo": self.cached.repo, "path": str(self.path)}
        return about | {"what": self.what, "bytes": self.size}


def remove_commits(cached: CachedRepo, commits: Iterable[str]) -> int:
    """Remove commits of a repository, with the files that no other commit of it needs.

    Returns:
        The bytes that this freed.

    Raises:
        HubError: If another process is pulling or removing the repository.
    """
    with cached.locked(wait=WAIT):
        freed = sum(_remove_commit(cached, commit) for commit in commits)
        _remove_empty_folders(cached)
    return freed


def prune(cached: CachedRepo, paths: Collection[Path], pinned: Collection[str]) -> int:
    """Remove those of these paths that are still leftovers.

    Arguments:
        cached: The repository.
        paths: Of leftovers that were found before.
        pinned: As for `leftovers`.

    Returns:
        The bytes that this freed.

    Raises:
        HubError: If another process is pulling or removing the repository.
    """
    with cached.locked(wait=0):
        found = [leftover for leftover in leftovers(cached, pinned) if leftover.path in paths]
        freed = sum(map(_remove_leftover, found))
        _remove_empty_folders(cached)
    return freed


def leftovers(cached: CachedRepo, pinned: Collection[str]) -> list[Leftover]:
    """Commits without a branch or tag, and what stopped pulls and removals left behind.

    Arguments:
        cached: The repository.
        pinned: Commits that are needed, whether or not a branch or tag names them.
    """
    return list(_leftovers(cached, pinned))


def _leftovers(cached: CachedRepo, pinned: Collection[str]) -> Iterator[Leftover]:
    def found(paths: Iterable[Path], what: str) -> Iterator[Leftover]:
        for path in sorted(paths):
            yield Leftover(cached, path, what, _size(path))

    commits, needed = cached.commits(), {*pinned, *cached.refs().values()}
    blobs = {commit: cached.blob_names(commit) for commit in commits}
    for commit in commits:
        size = sum(status.st_size for status in cached.files(commit).values())
        if not cached.has(commit):
            yield Leftover(cached, cached.snapshot(commit), "half-pulled revision", size)
        elif commit not in needed:
            yield Leftover(cached, cached.snapshot(commit), "revision nothing refers to", size)
    yield from found(cached.folder.glob(f"{REMOVED}*"), "half-removed revision")
    used = set().union(*blobs.values())
    stored = _inside(cached.folder / "blobs")
    yield from found([p for p in stored if p.suffix == ".incomplete"], "broken-off download")
    unused = [p for p in stored if p.suffix != ".incomplete" and p.name not in used]
    yield from found(unused, "file no revision uses")
    refs = cached.folder / "refs"
    yield from found(refs.rglob("*.part") if is_real_folder(refs) else (), "half-written note")
    notes = [*_inside(cached.folder / "trees"), *_inside(cached.folder / ".no_exist")]
    yield from found([p for p in notes if p.stem not in commits], "note on a removed revision")
    in_use = {path.name for path in stored}
    in_use |= {OWN_LOCK} if is_real_folder(cached.folder) else set()
    locks = [p for p in _inside(cached.locks) if p.suffix == ".lock" and p.stem not in in_use]
    yield from found(locks, "lock left behind")


def _remove_leftover(leftover: Leftover) -> int:
    cached, path = leftover.cached, leftover.path
    if path.parent == cached.folder / "snapshots":
        return _remove_commit(cached, path.name)
    if path.parent == cached.folder / "blobs":
        return _delete_blob(cached, path)
    if path.parent == cached.locks:
        return _delete_lock(cached, path)
    return _delete(path)


def _remove_commit(cached: CachedRepo, commit: str) -> int:
    snapshot = cached.snapshot(commit)
    if not is_real_folder(snapshot):
        return 0
    renamed = cached.folder / f"{REMOVED}{uuid.uuid4().hex}"
    blobs = cached.blob_names(commit)
    snapshot.rename(renamed)
    for ref, target in cached.refs().items():
        if target == commit:
            (cached.folder / "refs" / ref).unlink(missing_ok=True)
    for note in (cached.folder / "trees" / f"{commit}.json", cached.folder / ".no_exist" / commit):
        if is_real_folder(note.parent):
            _delete(note)
    stored = [path for path in _inside(cached.folder / "blobs") if path.name in blobs]
    return sum(_delete_blob(cached, path) for path in stored) + _delete(renamed)


def _delete_blob(cached: CachedRepo, blob: Path) -> int:
    """Delete a blob, unless a commit uses it or another program is about to link it."""
    name = blob.name.partition(".")[0]
    with cached.lock(name) as is_held:
        is_used = any(blob.name in cached.blob_names(commit) for commit in cached.commits())
        if not is_held or is_used:
            return 0
        freed = _delete(blob)
        if not blob.with_name(name).exists():
            _unlink_lock(cached.locks / f"{name}.lock")
        return freed


def _delete_lock(cached: CachedRepo, path: Path) -> int:
    if path.stem == OWN_LOCK:  # held by this process
        _unlink_lock(path)
        return 0
    with cached.lock(path.stem) as is_held:
        if is_held:
            _unlink_lock(path)
    return 0


def _unlink_lock(path: Path) -> None:
    """Delete the file of a lock that is held; Windows refuses that."""
    with suppress(OSError):
        path.unlink()


def _delete(path: Path) -> int:
    """Delete a file, a link, or a folder with its contents; returns the bytes that this freed."""
    freed = _size(path)
    if is_real_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return freed


def _inside(folder: Path) -> list[Path]:
    """The contents of a folder; empty if it is a link or does not exist."""
    return list(folder.iterdir()) if is_real_folder(folder) else []


def _size(path: Path) -> int:
    """Bytes of a file, or of the files in a folder, without what links lead to."""
    paths = path.rglob("*") if is_real_folder(path) else [path]
    return sum(p.lstat().st_size for p in paths if p.is_file() and not p.is_symlink())


def _remove_empty_folders(cached: CachedRepo) -> None:
    """Remove a repository without commits, whose lock this process holds."""
    if not is_real_folder(cached.folder) or _inside(cached.folder / "snapshots"):
        return
    folders = [path for path in cached.folder.rglob("*") if is_real_folder(path)]
    for folder in (*sorted(folders, key=lambda path: -len(path.parts)), cached.folder):
        with suppress(OSError):  # something is in it
            folder.rmdir()
    if not cached.folder.exists():
        _unlink_lock(cached.locks / f"{OWN_LOCK}.lock")
