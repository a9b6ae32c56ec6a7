"""Takes revisions and leftovers out of the Hugging Face cache, beside others that use it.

A revision goes in one rename, and is deleted afterwards: whoever looks sees all of it or none.
Repositories are locked meanwhile, and so is every blob, with the lock that huggingface_hub itself
takes to fetch and link it.
"""

from __future__ import annotations

import shutil
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calozoo.hub.cache import OWN_LOCK, CachedRepo
from calozoo.hub.cached_revisions import (
    REMOVED,
    CachedRevision,
    find_repos,
    find_revisions,
    links_of,
    real_folder,
    refs_of,
)
from calozoo.models.index import read_index
from calozoo_core.errors import HubError

__all__ = ["Leftover", "find_leftovers", "prune", "remove"]

WAIT = 2.0
"""Seconds to wait for another process that changes a repository."""


@dataclass(frozen=True)
class Leftover:
    """Something in the cache that nobody needs.

    Arguments:
        cached: The repository it belongs to.
        path: What it is on the disk.
        what: What it is, in words.
        size: Bytes that it takes up.
    """

    cached: CachedRepo
    path: Path
    what: str
    size: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        about = {"repo": self.cached.repo, "path": str(self.path)}
        return about | {"what": self.what, "bytes": self.size}


def remove(revisions: Iterable[CachedRevision]) -> int:
    """Remove revisions, with the files that no other revision needs; returns the bytes that freed.

    Raises:
        HubError: If one of them is being pulled or removed by another process.
    """
    freed = 0
    for cached, commits in _by_repo((one.cached, one.commit) for one in revisions).items():
        with cached.locked(wait=WAIT):
            freed += sum(_remove_revision(cached, commit) for commit in commits)
            _remove_empty_folders(cached)
    return freed


def find_leftovers(cache: Path) -> list[Leftover]:
    """What of calozoo's in a cache nobody needs: revisions that neither the index nor a branch or
    tag means, and what was left behind by pulls and removals that were stopped.

    Arguments:
        cache: The Hugging Face cache; it need not be there.
    """
    known = {CachedRepo(cache, entry.repo) for entry in read_index().values() if entry.repo}
    ours = dict.fromkeys([*find_repos(cache), *sorted(known, key=lambda one: one.repo)])
    return [leftover for cached in ours for leftover in _leftovers(cached)]


def prune(leftovers: Iterable[Leftover]) -> tuple[int, list[CachedRepo]]:
    """Remove leftovers, those that still are; returns the bytes that freed, and what was spared.

    Spared are repositories that another process is pulling or removing.
    """
    freed, spared = 0, []
    for cached, paths in _by_repo((one.cached, one.path) for one in leftovers).items():
        try:
            with cached.locked(wait=0):
                for leftover in list(_leftovers(cached)):
                    freed += _remove_leftover(leftover) if leftover.path in paths else 0
                _remove_empty_folders(cached)
        except HubError:
            spared.append(cached)
    return freed, spared


def _by_repo(pairs: Iterable[tuple[CachedRepo, Any]]) -> dict[CachedRepo, list[Any]]:
    grouped = defaultdict(list)
    for cached, item in pairs:
        grouped[cached].append(item)
    return grouped


def _leftovers(cached: CachedRepo) -> Iterator[Leftover]:
    def found(paths: Iterable[Path], what: str) -> Iterator[Leftover]:
        for path in sorted(paths):
            yield Leftover(cached, path, what, _size(path))

    revisions = find_revisions(cached)
    for revision in revisions:
        if not revision.is_whole:
            yield Leftover(cached, revision.folder, "half-pulled revision", revision.size)
        elif not (revision.is_pinned or revision.refs):
            yield Leftover(cached, revision.folder, "revision nothing refers to", revision.size)
    yield from found(cached.folder.glob(f"{REMOVED}*"), "half-removed revision")
    used = {blob for revision in revisions for blob in links_of(revision.folder)}
    blobs = _inside(cached.folder / "blobs")
    yield from found([p for p in blobs if p.suffix == ".incomplete"], "broken-off download")
    unused = [p for p in blobs if p.suffix != ".incomplete" and p.name not in used]
    yield from found(unused, "file no revision uses")
    refs = cached.folder / "refs"
    yield from found(refs.rglob("*.part") if real_folder(refs) else (), "half-written note")
    here = {revision.commit for revision in revisions}
    notes = [*_inside(cached.folder / "trees"), *_inside(cached.folder / ".no_exist")]
    yield from found([p for p in notes if p.stem not in here], "note on a removed revision")
    blob_names = {path.name for path in blobs}
    in_use = blob_names | ({OWN_LOCK} if real_folder(cached.folder) else set())
    locks = [p for p in _inside(cached.locks) if p.suffix == ".lock" and p.stem not in in_use]
    yield from found(locks, "lock left behind")


def _inside(folder: Path) -> list[Path]:
    """What a folder holds; nothing if it is none, or a link."""
    return list(folder.iterdir()) if real_folder(folder) else []


def _remove_leftover(leftover: Leftover) -> int:
    cached, path = leftover.cached, leftover.path
    if path.parent == cached.folder / "snapshots":
        return _remove_revision(cached, path.name)
    if path.parent == cached.folder / "blobs":
        return _delete_blob(cached, path)
    if path.parent == cached.locks:
        return _delete_lock(cached, path)
    return _delete(path)


def _remove_revision(cached: CachedRepo, commit: str) -> int:
    snapshot = cached.snapshot(commit)
    if not real_folder(snapshot):
        return 0
    doomed = cached.folder / f"{REMOVED}{uuid.uuid4().hex}"
    blobs = links_of(snapshot)
    snapshot.rename(doomed)
    for ref, target in refs_of(cached).items():
        if target == commit:
            (cached.folder / "refs" / ref).unlink(missing_ok=True)
    for note in (cached.folder / "trees" / f"{commit}.json", cached.folder / ".no_exist" / commit):
        if real_folder(note.parent):
            _delete(note)
    freed = sum(
        _delete_blob(cached, blob)
        for blob in _inside(cached.folder / "blobs")
        if blob.name in blobs
    )
    return freed + _delete(doomed)


def _delete_blob(cached: CachedRepo, blob: Path) -> int:
    """Delete a blob, unless a revision uses it or somebody is about to make one do so."""
    name = blob.name.partition(".")[0]
    with cached.lock(name) as is_held:
        if not is_held or any(blob.name in links_of(r.folder) for r in find_revisions(cached)):
            return 0
        freed = _delete(blob)
        if not blob.with_name(name).exists():
            _unlink_lock(cached.locks / f"{name}.lock")
        return freed


def _delete_lock(cached: CachedRepo, path: Path) -> int:
    if path.stem == OWN_LOCK:  # held by us
        _unlink_lock(path)
        return 0
    with cached.lock(path.stem) as is_held:
        if is_held:
            _unlink_lock(path)
    return 0


def _unlink_lock(path: Path) -> None:
    """Delete a lock that is held; not every system lets one do that."""
    with suppress(OSError):
        path.unlink()


def _delete(path: Path) -> int:
    """Delete a file, a link or a folder with all in it; returns the bytes that freed."""
    freed = _size(path)
    if real_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return freed


def _size(path: Path) -> int:
    """Bytes of a file, or of the files in a folder, but not of what links lead to."""
    paths = path.rglob("*") if real_folder(path) else [path]
    return sum(p.lstat().st_size for p in paths if p.is_file() and not p.is_symlink())


def _remove_empty_folders(cached: CachedRepo) -> None:
    """Remove a repository of which nothing is left, with our lock on it."""
    if not real_folder(cached.folder) or _inside(cached.folder / "snapshots"):
        return
    folders = [path for path in cached.folder.rglob("*") if real_folder(path)]
    for folder in (*sorted(folders, key=lambda path: -len(path.parts)), cached.folder):
        with suppress(OSError):  # something is in it
            folder.rmdir()
    if not cached.folder.exists():
        _unlink_lock(cached.locks / f"{OWN_LOCK}.lock")
