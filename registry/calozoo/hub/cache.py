"""The Hugging Face cache as files on disk: where it is, what is in it, whether that is intact."""

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
    "default_cache",
    "is_commit",
    "is_intact",
]

CARD_FILE = "README.md"
PULLED_FILES = (*WEIGHT_FILES, CARD_FILE)
"""All that is ever fetched of a repository; the card may be missing."""

OWN_LOCK = "calozoo"
"""Name of the lock that is held while a repository is pulled or removed."""


def default_cache() -> Path:
    """Where huggingface_hub keeps what it fetched, found without importing it."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(variable):
            return Path(os.environ[variable]).expanduser()
    home = os.environ.get("HF_HOME")
    if home:
        return Path(home).expanduser() / "hub"
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "huggingface" / "hub"


def is_commit(revision: str) -> bool:
    """Whether a revision is a full commit hash, which never moves."""
    return re.fullmatch(r"[0-9a-f]{40}", revision) is not None


def is_intact(path: Path, digest: str) -> bool:
    """Whether a file has this digest: a sha256, or, with 40 digits, git's name for a blob."""
    if len(digest) == 64:
        return sha256(path) == digest
    content = path.read_bytes()
    name = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return name.hexdigest() == digest


@dataclass(frozen=True)
class CachedRepo:
    """What the cache holds of one model repository.

    Arguments:
        cache: The cache's folder.
        repo: As `organisation/name`.
    """

    cache: Path
    repo: str

    @property
    def folder(self) -> Path:
        """Where the cache keeps this repository."""
        return self.cache / f"models--{self.repo.replace('/', '--')}"

    def snapshot(self, commit: str) -> Path:
        """Where the files of a commit are, if they are."""
        return self.folder / "snapshots" / commit

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
        """Note which commit a branch or tag is, for when the Hub cannot be asked."""
        path = self._ref(revision)
        if path is not None and self.commit(revision) != commit:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Several processes may note the same at once.
            part = path.with_name(f"{path.name}.{os.getpid()}.part")
            part.write_text(commit, encoding="utf-8")
            part.replace(path)

    @property
    def locks(self) -> Path:
        """Where processes that change this repository lock each other out."""
        return self.cache / ".locks" / self.folder.name

    @contextmanager
    def locked(self, *, wait: float = -1) -> Iterator[None]:
        """Keep other calozoo processes from pulling or removing this repository meanwhile.

        The lock is the operating system's, so it goes with the process that held it.

        Arguments:
            wait: Seconds to wait for another process; negative for as long as it takes.

        Raises:
            HubError: If another process holds it still.
        """
        with self.lock(OWN_LOCK, wait=wait) as is_held:
            if not is_held:
                msg = f"{self.repo} is being pulled or removed; try again when that is done."
                raise HubError(msg)
            yield

    @contextmanager
    def lock(self, name: str, *, wait: float = 0) -> Iterator[bool]:
        """Hold one of the repository's locks, if that can be had; what it yields says so.

        Arguments:
            name: `OWN_LOCK`, or the name of a blob, whose lock huggingface_hub holds while it
                fetches and links that.
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
        """Whether all weights files of a commit are here."""
        return all((self.snapshot(commit) / name).is_file() for name in WEIGHT_FILES)

    def check(self, commit: str, digests: Mapping[str, str]) -> None:
        """Make sure that the files of a commit are what they should be; remove one that is not.

        Arguments:
            commit: The commit.
            digests: What the files should hash to, by name; one that is not named here is compared
                with the name of its blob, which is its digest too.

        Raises:
            HubError: If an entry leads out of the cache.
            WeightsError: If a file has another digest; it is gone then, so that it can be fetched
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
        """The files of a commit that are not what they should be; they are only looked at.

        Arguments:
            commit: The commit.
            digests: As for `check`.

        Raises:
            HubError: If an entry leads out of the cache.
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
        """The file that names a branch's or tag's commit; None for what is no name of either."""
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
        """Remove an entry with everything it links to inside the cache."""
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
