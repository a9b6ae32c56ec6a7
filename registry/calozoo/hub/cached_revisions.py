"""What of calozoo's is in the Hugging Face cache: revisions of models, and what stopped pulls left.

The cache belongs to every program that uses the Hub. Only repositories that the index names, or
whose card or configuration says that they are calozoo's, are ever touched, and no link that leads
out of the cache is followed.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from calozoo.hub.cache import CARD_FILE, CachedRepo, default_cache, is_commit
from calozoo.models.card_metadata import read_label
from calozoo.models.index import read_index
from calozoo.models.names import find_entry, split_revision
from calozoo_core.errors import CalozooError
from calozoo_core.weights import CONFIG_FILE

__all__ = [
    "REMOVED",
    "CachedRevision",
    "find_named",
    "find_repos",
    "find_revisions",
    "links_of",
    "real_folder",
    "refs_of",
]

REMOVED = ".removed-"
"""How the folders of revisions begin that are being deleted."""

CONFIG_BYTES = 1 << 20
SHORTEST_COMMIT = 4


@dataclass(frozen=True)
class CachedRevision:
    """One commit of a repository in the cache.

    Arguments:
        cached: The repository.
        commit: Its full hash.
        models: Names of the models of the index that live there.
        refs: The branches and tags that were last seen at this commit.
        is_pinned: Whether the index means this commit.
    """

    cached: CachedRepo
    commit: str
    models: tuple[str, ...]
    refs: tuple[str, ...]
    is_pinned: bool

    @property
    def name(self) -> str:
        """What to call it by at the command line."""
        short = self.models[0] if self.models else self.cached.repo
        return f"{short}@{self.commit[:12]}"

    def is_called(self, revision: str) -> bool:
        """Whether this is a branch or tag of it, or the beginning of its commit."""
        is_prefix = len(revision) >= SHORTEST_COMMIT and self.commit.startswith(revision)
        return revision in self.refs or is_prefix

    @property
    def folder(self) -> Path:
        """Holds its files, or links to them."""
        return self.cached.snapshot(self.commit)

    @property
    def files(self) -> dict[tuple[int, int], os.stat_result]:
        """Its files by where they are on the disk, so that what two revisions share counts once."""
        found = {}
        for path in self.folder.rglob("*"):
            try:
                about = path.stat()
            except OSError:  # a link to a file that is not here
                continue
            if path.is_file() and path.resolve().is_relative_to(self.cached.cache.resolve()):
                found[about.st_dev, about.st_ino] = about
        return found

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(about.st_size for about in self.files.values())

    @property
    def used(self) -> datetime | None:
        """When a file of it was last read, as far as the file system notes that."""
        times = [about.st_atime for about in self.files.values()]
        return datetime.fromtimestamp(max(times), UTC) if times else None

    @property
    def is_whole(self) -> bool:
        """Whether all weights files are here."""
        return self.cached.has(self.commit)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "repo": self.cached.repo,
            "models": list(self.models),
            "revision": self.commit,
            "refs": list(self.refs),
            "pinned": self.is_pinned,
            "whole": self.is_whole,
            "bytes": self.size,
            "used": None if self.used is None else self.used.isoformat(timespec="seconds"),
            "folder": str(self.folder),
        }


def find_repos(cache: Path) -> list[CachedRepo]:
    """The repositories of a cache that are calozoo's, by name.

    Arguments:
        cache: The Hugging Face cache; it need not be there.
    """
    known = {entry.repo for entry in read_index().values()}
    found = (CachedRepo(cache, _repo_name(folder)) for folder in sorted(cache.glob("models--*--*")))
    return [
        one for one in found if real_folder(one.folder) and (one.repo in known or _says_so(one))
    ]


def find_revisions(cached: CachedRepo) -> list[CachedRevision]:
    """The revisions of a repository that are in the cache, whole or not."""
    snapshots = cached.folder / "snapshots"
    if not real_folder(snapshots):
        return []
    entries = [entry for entry in read_index().values() if entry.repo == cached.repo]
    models = tuple(entry.name for entry in entries)
    pinned = {entry.revision for entry in entries}
    refs = refs_of(cached)
    commits = sorted(path.name for path in snapshots.iterdir() if is_commit(path.name))
    return [
        CachedRevision(
            cached,
            commit,
            models,
            tuple(ref for ref, target in refs.items() if target == commit),
            commit in pinned,
        )
        for commit in commits
        if real_folder(cached.snapshot(commit))
    ]


def find_named(name: str, cache: Path | None = None) -> list[CachedRevision]:
    """The revisions in the cache that a person means.

    Arguments:
        name: `MODEL[@REVISION]` or `ORG/NAME[@REVISION]`; the revision is a branch, a tag or the
            beginning of a commit, and without one all are meant.
        cache: The Hugging Face cache; by default where it always is.

    Raises:
        ModelNameError: If no model is called so.
        CalozooError: If none of it is in the cache.
    """
    short, revision = split_revision(name)
    repo = short.removeprefix("hub:") if "/" in short else find_entry(short).repo
    repos = [one for one in find_repos(cache or default_cache()) if one.repo == repo]
    found = [one for cached in repos for one in find_revisions(cached)]
    if revision is not None:
        found = [one for one in found if one.is_called(revision)]
    if not found:
        msg = f"nothing of {name} is in the cache; `calozoo cache list` shows what is."
        raise CalozooError(msg)
    return found


def real_folder(path: Path) -> bool:
    """Whether this is a folder, and no link to one."""
    return path.is_dir() and not path.is_symlink()


def links_of(folder: Path) -> set[str]:
    """The names of the blobs that the files of a revision link to."""
    return {path.readlink().name for path in folder.rglob("*") if path.is_symlink()}


def refs_of(cached: CachedRepo) -> dict[str, str]:
    """The commit of every branch and tag that was seen, by name."""
    folder = cached.folder / "refs"
    if not real_folder(folder):
        return {}
    names = (path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")))
    commits = {name: cached.commit(name) for name in names if not name.endswith(".part")}
    return {name: commit for name, commit in commits.items() if commit is not None}


def _repo_name(folder: Path) -> str:
    return folder.name.removeprefix("models--").replace("--", "/")


def _says_so(cached: CachedRepo) -> bool:
    """Whether the card of a revision, or its configuration, names a model or a network of ours."""
    architectures = {name.partition(".")[0] for name in read_index()}
    snapshots = cached.folder / "snapshots"
    folders = list(snapshots.iterdir()) if real_folder(snapshots) else []
    return any(
        read_label(folder / CARD_FILE) is not None or _architecture(folder) in architectures
        for folder in folders
    )


def _architecture(folder: Path) -> str | None:
    """What a configuration that was pulled is for, as far as it can be read."""
    try:
        with (folder / CONFIG_FILE).open("rb") as file:
            config = json.loads(file.read(CONFIG_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return str(config.get("architecture")) if isinstance(config, dict) else None
