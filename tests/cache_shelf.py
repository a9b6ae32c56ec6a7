"""A cache that is filled from a Hub on loopback, and the index of the one model that is in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hub_server import Hub
from zoo_models import hashes

from calozoo.hub import Hub as Client
from calozoo.hub.cache import CachedRepo
from calozoo.models import index as index_module

__all__ = ["CACHED_REPO", "Shelf", "write_entry"]

CACHED_REPO = "some-lab/cc.ild"


@dataclass
class Shelf:
    """A cache that is filled from a Hub on loopback.

    Arguments:
        folder: Of the test; the command line looks for the cache in it.
        hub: The Hub.
    """

    folder: Path
    hub: Hub

    @property
    def cache(self) -> Path:
        return self.folder / "huggingface" / "hub"

    @property
    def cached(self) -> CachedRepo:
        return CachedRepo(self.cache, CACHED_REPO)

    def pull(
        self, files: Mapping[str, bytes], tag: str | None = None, repo: str = CACHED_REPO
    ) -> str:
        """Publish these, and fetch them into the cache."""
        commit = self.hub.publish(repo, files, tag=tag)
        Client(self.cache, self.hub.url).fetch(repo, commit, {})
        if tag is not None:
            CachedRepo(self.cache, repo).remember(tag, commit)
        return commit

    def everything(self) -> set[Path]:
        """All files and links there are, but for locks, which the operating system may keep."""
        found = (path for path in self.cache.rglob("*") if not path.is_dir() or path.is_symlink())
        return {path for path in found if path.suffix not in (".lock", ".TAG")}

    def blobs(self) -> set[bytes]:
        return {path.read_bytes() for path in (self.cached.folder / "blobs").iterdir()}


def write_entry(folder: Path, commit: str | None, files: Mapping[str, bytes]) -> None:
    """Have the index in a folder pin a commit of the model with these files; None pins nothing."""
    lines = [
        'name = "cc.ild"',
        'summary = "A test."',
        'distribution = "zoo-cc"',
        f'repo = "{CACHED_REPO}"',
    ]
    if commit is not None:
        table = [f'"{name}" = "{digest}"' for name, digest in hashes(dict(files)).items()]
        lines += [f'revision = "{commit}"', "[sha256]", *table]
    (folder / "cc.ild.toml").write_text("\n".join(lines))
    index_module.forget()
