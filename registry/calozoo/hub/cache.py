"""Hugging Face cache on disk: its repositories, their commits, and the digests of their files.

`huggingface_hub.scan_cache_dir` is not used for this. It raises FileNotFoundError if another
program removes any repository meanwhile, and it skips every repository that a stopped download or
removal has left with a broken link or a branch without its commit: just those that a person has to
see and remove. It also reads all repositories, of which only a few are calozoo's.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from calozoo_core.errors import HubError, WeightsError
from calozoo_core.weights import WEIGHT_FILES, sha256

__all__ = [
    "CARD_FILE",
    "OWN_LOCK",
    "PULLED_FILES",
    "CachedRepo",
    "cached_repos",
    "default_cache",
    "is_commit",
    "is_intact",
    "is_real_folder",
]

CARD_FILE = "README.md"
PULLED_FILES = (*WEIGHT_FILES, CARD_FILE)
"""The files that are fetched of a repository; the card may be missing."""

OWN_LOCK = "calozoo"
"""Name of the lock that is held while a repository is pulled or removed."""


def default_cache() -> Path:
    """The folder of the Hugging Face cache, found as huggingface_hub does, without importing it."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(variable):
            return Path(os.environ[variable]).expanduser()
    home = os.environ.get("HF_HOME")
    if home:
        return Path(home).expanduser() / "hub"
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "huggingface" / "hub"


def is_commit(revision: str) -> bool:
    """True if a revision is a full commit hash, which never moves."""
    return re.fullmatch(r"[0-9a-f]{40}", revision) is not None


def is_real_folder(path: Path) -> bool:
    """True if this is a folder, and no link to one."""
    return path.is_dir() and not path.is_symlink()


def cached_repos(cache: Path) -> list[CachedRepo]:
    """The model repositories in a cache, by name; folders that are links are left out.

    Arguments:
        cache: The cache's folder; it need not exist.
    """
    folders = (path for path in sorted(cache.glob("models--*--*")) if is_real_folder(path))
    return [
        CachedRepo(cache, path.name.removeprefix("models--").replace("--", "/")) for path in folders
    ]


def is_intact(path: Path, digest: str) -> bool:
    """True if a file has this digest: a sha256, or, with 40 digits, git's name for a blob."""
    if len(digest) == 64:
        return sha256(path) == digest
    content = path.read_bytes()
    name = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return name.hexdigest() == digest


@dataclass(frozen=True)
class CachedRepo:
    """One model repository in the cache.

    Arguments:
        cache: The cache's folder.
        repo: As `organisation/name`.
    """

    cache: Path
    repo: str

    @property
    def folder(self) -> Path:
        """The folder of this repository."""
        return self.cache / f"models--{self.repo.replace('/', '--')}"

    def snapshot(self, commit: str) -> Path:
        """The folder of a commit's files, or of links to them; it need not exist."""
        return self.folder / "snapshots" / commit

    def commits(self) -> list[str]:
        """The commits with a folder here, complete or not, sorted."""
        folder = self.folder / "snapshots"
        if not is_real_folder(folder):
            return []
        names = sorted(path.name for path in folder.iterdir() if is_commit(path.name))
        return [name for name in names if is_real_folder(folder / name)]

    def refs(self) -> dict[str, str]:
        """The commit that each branch and tag was last seen at, by name."""
        folder = self.folder / "refs"
        if not is_real_folder(folder):
            return {}
        names = (path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")))
        commits = {name: self.commit(name) for name in names if not name.endswith(".part")}
        return {name: commit for name, commit in commits.items() if commit is not None}

    def files(self, commit: str) -> dict[tuple[int, int], os.stat_result]:
        """The status of a commit's files, by device and inode, which two commits may share."""
        found, cache = {}, self.cache.resolve()
        for path in self.snapshot(commit).rglob("*"):
            with suppress(OSError):  # a link to a file that is not here
                status = path.stat()
                if path.is_file() and path.resolve().is_relative_to(cache):
                    found[status.st_dev, status.st_ino] = status
        return found

    def blob_names(self, commit: str) -> set[str]:
        """The names of the blobs that the files of a commit link to."""
        paths = self.snapshot(commit).rglob("*")
        return {path.readlink().name for path in paths if path.is_symlink()}

    def commit(self, revision: str) -> str | None:
        """The commit a branch or tag was last seen at; None if it never was."""
        if is_commit(revision):
            return revision
        path = self._ref(revision)
        if path is None or not path.is_file():
            return None
        commit = path.read_text(encoding="utf-8").strip()
        return commit if is_commit(commit) else None

    def remember(self, revision: str, commit: str) -> None:
        """Record the commit of a branch or tag, for when the Hub cannot be asked."""
        path = self._ref(revision)
        if path is not None and self.commit(revision) != commit:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Several processes may record the same at once.
            part = path.with_name(f"{path.name}.{os.getpid()}.part")
            part.write_text(commit, encoding="utf-8")
            part.replace(path)

    @property
    def locks(self) -> Path:
        """The folder of this repository's lock files."""
        return self.cache / ".locks" / self.folder.name

    @contextmanager
    def locked(self, *, wait: float = -1) -> Iterator[None]:
        """Hold the lock that every calozoo process holds while it pulls or removes this repository.

        The lock is the operating system's, so it ends with the process that holds it.

        Arguments:
            wait: Seconds to wait for another process; negative for no limit.

        Raises:
            HubError: If another process still holds it then.
        """
        with self.lock(OWN_LOCK, wait=wait) as is_held:
            if not is_held:
                msg = f"{self.repo} is being pulled or removed; try again when that is done."
                raise HubError(msg)
            yield

    @contextmanager
    def lock(self, name: str, *, wait: float = 0) -> Iterator[bool]:
        """Hold one of the repository's locks, if it is free; yields whether it is held.

        Arguments:
            name: `OWN_LOCK`, or the name of a blob, whose lock huggingface_hub holds while it
                fetches and links that blob.
            wait: As for `locked`.
        """
        from filelock import FileLock, Timeout

        self.locks.mkdir(parents=True, exist_ok=True)
        held = FileLock(self.locks / f"{name}.lock", mode=0o664)
        try:
            held.acquire(timeout=wait)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            held.release()

    def has(self, commit: str) -> bool:
        """True if all weights files of a commit are in the cache."""
        return all((self.snapshot(commit) / name).is_file() for name in WEIGHT_FILES)

    def check(self, commit: str, digests: Mapping[str, str]) -> None:
        """Compare the files of a commit with their digests, and remove one that differs.

        Arguments:
            commit: The commit.
            digests: Expected digest of each file, by name; any other file is compared with the name
                of its blob, which is a digest too.

        Raises:
            HubError: If an entry is a link out of the cache.
            WeightsError: If a file has another digest; it was removed, so that it can be fetched
                again.
        """
        for path in self.damaged(commit, digests):
            self._remove(path)
            msg = (
                f"{path.name} of {self.repo}@{commit[:12]} does not have the sha256 it should "
                "have, and was removed from the cache; pull the model again."
            )
            raise WeightsError(msg)

    def damaged(self, commit: str, digests: Mapping[str, str]) -> Iterator[Path]:
        """The files of a commit whose digest differs; nothing is changed.

        Arguments:
            commit: The commit.
            digests: As for `check`.

        Raises:
            HubError: If an entry is a link out of the cache.
        """
        for name in PULLED_FILES:
            path = self.snapshot(commit) / name
            if not path.is_symlink() and not path.exists():
                continue
            self._check_inside(path)
            digest = digests.get(name) or _blob_name(path)
            intact = not digest
            with suppress(FileNotFoundError):  # removed by another process since
                intact = intact or is_intact(path, digest)
            if not intact and path.exists():
                yield path

    def _ref(self, revision: str) -> Path | None:
        """The file with the commit of a branch or tag; None for a name that leaves the folder."""
        refs = self.folder / "refs"
        path = refs / revision
        return path if ".." not in path.parts and path.is_relative_to(refs) else None

    def _check_inside(self, path: Path) -> None:
        """Refuse an entry that is a link to anything but this repository's blobs.

        Those may themselves be links into the store that all repositories of the cache share.
        """
        target = path.resolve()
        allowed = (self.folder.resolve(), (self.cache / "blobs").resolve())
        if not any(target.is_relative_to(folder) for folder in allowed):
            msg = f"{path} leads out of the cache to {target}; delete it and pull the model again."
            raise HubError(msg)

    def _remove(self, path: Path) -> None:
        """Remove an entry and every file that it links to inside the cache."""
        try:
            while path.is_symlink():
                target = path.parent / path.readlink()
                path.unlink()
                path = target
            path.unlink(missing_ok=True)
        except OSError as error:
            msg = f"{path} is damaged and cannot be removed ({error.strerror}); delete it."
            raise HubError(msg) from error


def _blob_name(path: Path) -> str:
    """The digest in the name of the blob an entry links to; empty where the cache has no links."""
    name = path.readlink().name if path.is_symlink() else ""
    return name if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", name) else ""
