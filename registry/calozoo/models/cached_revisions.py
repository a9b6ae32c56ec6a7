"""Pulled revisions of models in the Hugging Face cache: to list, to remove, to prune.

The cache belongs to every program that uses the Hub. Only repositories that the index names, or
whose card or configuration says that they are calozoo's, are ever touched.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from calozoo.hub import cache_removal
from calozoo.hub.cache import CARD_FILE, CachedRepo, cached_repos, default_cache
from calozoo.hub.cache_removal import Leftover
from calozoo.models.hub_models import read_label
from calozoo.models.index import read_index
from calozoo.models.names import HUB_PREFIX, find_entry, split_revision
from calozoo_core.errors import CalozooError, HubError
from calozoo_core.weights import CONFIG_FILE

__all__ = [
    "CachedRevision",
    "find_leftovers",
    "find_named",
    "find_repos",
    "find_revisions",
    "prune",
    "remove",
    "total_size",
]

CONFIG_BYTES = 1 << 20
SHORTEST_COMMIT = 4


@dataclass(frozen=True)
class CachedRevision:
    """Commit of a repository in the cache, and the models whose weights it holds.

    Arguments:
        cached: The repository.
        commit: Its full hash.
        models: Names of the models of the index that live there.
        refs: The branches and tags that were last seen at this commit.
        is_pinned: Whether the index pins this commit.
    """

    cached: CachedRepo
    commit: str
    models: tuple[str, ...]
    refs: tuple[str, ...]
    is_pinned: bool

    @property
    def name(self) -> str:
        """The name of it at the command line: `MODEL@COMMIT`, or `ORG/NAME@COMMIT`."""
        short = self.models[0] if self.models else self.cached.repo
        return f"{short}@{self.commit[:12]}"

    def is_called(self, revision: str) -> bool:
        """True if this is a branch or tag of it, or the beginning of its commit."""
        is_prefix = len(revision) >= SHORTEST_COMMIT and self.commit.startswith(revision)
        return revision in self.refs or is_prefix

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return total_size([self])

    @property
    def used(self) -> datetime | None:
        """Time at which a file of it was last read, as far as the file system records that."""
        times = [status.st_atime for status in self.cached.files(self.commit).values()]
        return datetime.fromtimestamp(max(times), UTC) if times else None

    @property
    def is_whole(self) -> bool:
        """True if all weights files are here."""
        return self.cached.has(self.commit)

    def as_dict(self) -> dict[str, Any]:
        """The revision as JSON has it."""
        return {
            "repo": self.cached.repo,
            "models": list(self.models),
            "revision": self.commit,
            "refs": list(self.refs),
            "pinned": self.is_pinned,
            "whole": self.is_whole,
            "bytes": self.size,
            "used": None if self.used is None else self.used.isoformat(timespec="seconds"),
            "folder": str(self.cached.snapshot(self.commit)),
        }


def total_size(revisions: Iterable[CachedRevision]) -> int:
    """Bytes of revisions altogether; a file that several of them share counts once."""
    files: dict[tuple[int, int], os.stat_result] = {}
    for revision in revisions:
        files |= revision.cached.files(revision.commit)
    return sum(status.st_size for status in files.values())


def find_repos(cache: Path) -> list[CachedRepo]:
    """The repositories of a cache that are calozoo's, by name.

    Arguments:
        cache: The Hugging Face cache; it need not exist.
    """
    known = {entry.repo for entry in read_index().values()}
    return [one for one in cached_repos(cache) if one.repo in known or _says_so(one)]


def find_revisions(cached: CachedRepo) -> list[CachedRevision]:
    """The revisions of a repository that are in the cache, complete or not."""
    entries = [entry for entry in read_index().values() if entry.repo == cached.repo]
    models, refs = tuple(entry.name for entry in entries), cached.refs()
    return [
        CachedRevision(
            cached,
            commit,
            models,
            tuple(ref for ref, target in refs.items() if target == commit),
            any(entry.revision == commit for entry in entries),
        )
        for commit in cached.commits()
    ]


def find_named(name: str, cache: Path | None = None) -> list[CachedRevision]:
    """The revisions in the cache of this name.

    Arguments:
        name: `MODEL[@REVISION]` or `ORG/NAME[@REVISION]`; the revision is a branch, a tag or the
            beginning of a commit, and without one all are meant.
        cache: The Hugging Face cache; by default where it always is.

    Raises:
        ModelNameError: If no model is called so.
        CalozooError: If none of it is in the cache.
    """
    short, revision = split_revision(name)
    repo = short.removeprefix(HUB_PREFIX) if "/" in short else find_entry(short).repo
    repos = [one for one in find_repos(cache or default_cache()) if one.repo == repo]
    found = [one for cached in repos for one in find_revisions(cached)]
    if revision is not None:
        found = [one for one in found if one.is_called(revision)]
    if not found:
        msg = f"nothing of {name} is in the cache; `calozoo cache list` shows what is."
        raise CalozooError(msg)
    return found


def remove(revisions: Iterable[CachedRevision]) -> int:
    """Remove revisions, with the files that no other revision needs.

    Returns:
        The bytes that this freed.

    Raises:
        HubError: If another process is pulling or removing one of them.
    """
    commits = defaultdict(list)
    for revision in revisions:
        commits[revision.cached].append(revision.commit)
    return sum(cache_removal.remove_commits(cached, some) for cached, some in commits.items())


def find_leftovers(cache: Path) -> list[Leftover]:
    """Files and folders of calozoo's repositories in a cache that are not needed.

    That is revisions which neither the index nor a branch or tag refers to, and what was left
    behind by pulls and removals that were stopped.

    Arguments:
        cache: The Hugging Face cache; it need not exist.
    """
    known = {CachedRepo(cache, entry.repo) for entry in read_index().values() if entry.repo}
    repos = dict.fromkeys([*find_repos(cache), *sorted(known, key=lambda one: one.repo)])
    pinned = _pinned()
    return [found for cached in repos for found in cache_removal.leftovers(cached, pinned)]


def prune(leftovers: Iterable[Leftover]) -> tuple[int, list[CachedRepo]]:
    """Remove leftovers, as far as they still are.

    Returns:
        The bytes that this freed, and the repositories that were left alone since another process
        is pulling or removing them.
    """
    paths = defaultdict(list)
    for leftover in leftovers:
        paths[leftover.cached].append(leftover.path)
    freed, busy, pinned = 0, [], _pinned()
    for cached, some in paths.items():
        try:
            freed += cache_removal.prune(cached, some, pinned)
        except HubError:
            busy.append(cached)
    return freed, busy


def _pinned() -> set[str]:
    return {entry.revision for entry in read_index().values() if entry.revision}


def _says_so(cached: CachedRepo) -> bool:
    """True if a card of the repository names a model, or a configuration a known architecture."""
    architectures = {name.partition(".")[0] for name in read_index()}
    folders = map(cached.snapshot, cached.commits())
    return any(
        read_label(folder / CARD_FILE) is not None or _architecture(folder) in architectures
        for folder in folders
    )


def _architecture(folder: Path) -> str | None:
    """The architecture that a pulled configuration names, as far as it can be read."""
    try:
        with (folder / CONFIG_FILE).open("rb") as file:
            config = json.loads(file.read(CONFIG_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return str(config.get("architecture")) if isinstance(config, dict) else None
