"""Checks of the Hugging Face cache: its folder, the pulled files, leftovers of stopped pulls."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator

from calozoo.doctor.finding import Finding
from calozoo.hub.cache import CachedRepo, default_cache
from calozoo.models.cached_revisions import find_leftovers, find_repos, find_revisions
from calozoo.models.index import read_index
from calozoo_core.errors import CalozooError

__all__ = ["check_cache", "check_cached_files", "check_leftovers"]

LITTLE_SPACE = 1e9
"""Bytes; the weights of all models together take less."""


def check_cache() -> Iterator[Finding]:
    """Finding on the folder of the cache, and on the room on its disk."""
    cache = default_cache()
    elsewhere = "set HF_HOME to another place"
    place = next(path for path in (cache, *cache.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        if cache.is_dir():
            detail = f"{cache} can be read, not written ({reason}): nothing more can be pulled"
            yield Finding("cache", "", "warning", detail, elsewhere)
        else:
            detail = f"{cache} cannot be made ({reason}): nothing can be pulled"
            yield Finding("cache", "", "broken", detail, elsewhere)
        return
    free = shutil.disk_usage(place).free
    detail = f"{cache}, {free / 1e9:.1f} GB free"
    if free < LITTLE_SPACE:
        yield Finding("cache", "", "warning", detail, f"make room, or {elsewhere}")
    else:
        yield Finding("cache", "", "ok", detail)


def check_cached_files() -> Iterator[Finding]:
    """Findings on the digests of the pulled files; nothing is changed."""
    cache, n = default_cache(), 0
    for cached in find_repos(cache):
        for revision in find_revisions(cached):
            n += revision.is_whole
            again = f"type `calozoo cache rm {revision.name}`, and pull it again"
            for fault in _faults(cached, revision.commit):
                yield Finding("pulled", revision.name, "broken", fault, again)
    if n:
        yield Finding("pulled", "", "ok", f"{n} revision{'s' if n > 1 else ''} looked at")


def check_leftovers() -> Iterator[Finding]:
    """Finding on what stopped pulls and removals left behind."""
    found = find_leftovers(default_cache())
    if found:
        size = sum(leftover.size for leftover in found)
        detail = f"{len(found)} in the cache that nobody needs, {size / 1e6:.1f} MB"
        yield Finding("leftovers", "", "warning", detail, "type `calozoo cache prune`")
    else:
        yield Finding("leftovers", "", "ok", "none")


def _faults(cached: CachedRepo, commit: str) -> Iterator[str]:
    digests: dict[str, str] = {}
    for entry in read_index().values():
        if (entry.repo, entry.revision) == (cached.repo, commit):
            digests |= entry.sha256
    try:
        for path in cached.damaged(commit, digests):
            yield f"{path} does not have the sha256 it should have"
    except CalozooError as error:
        yield str(error).removesuffix(".")
    except OSError as error:
        yield f"{error.filename} cannot be read ({error.strerror})"
