"""What a Hub keeps: repositories, their commits, and the files of a commit."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["LFS_BYTES", "File", "Repo"]

LFS_BYTES = 1024
"""Anything larger is kept by git-lfs, and so known by its sha256; the rest by git's own hash."""


def git_sha1(content: bytes) -> str:
    """The name git gives to a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass(frozen=True)
class File:
    """A file of a commit, with the names the Hub knows it by."""

    path: str
    content: bytes

    @property
    def is_lfs(self) -> bool:
        return len(self.content) > LFS_BYTES

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def pointer(self) -> bytes:
        """What git itself holds in place of a file that git-lfs keeps."""
        head = "version https://git-lfs.github.com/spec/v1"
        return f"{head}\noid sha256:{self.sha256}\nsize {len(self.content)}\n".encode()

    @property
    def etag(self) -> str:
        return self.sha256 if self.is_lfs else git_sha1(self.content)

    def as_json(self) -> dict[str, object]:
        size = len(self.content)
        entry: dict[str, object] = {"type": "file", "path": self.path, "size": size}
        if not self.is_lfs:
            return entry | {"oid": git_sha1(self.content)}
        lfs = {"oid": self.sha256, "size": size, "pointerSize": len(self.pointer)}
        return entry | {"oid": git_sha1(self.pointer), "lfs": lfs}

    def as_sibling(self, with_blob: bool) -> dict[str, object]:
        name: dict[str, object] = {"rfilename": self.path}
        if not with_blob:
            return name
        name |= {"size": len(self.content), "blobId": self.as_json()["oid"]}
        lfs = {"sha256": self.sha256, "size": len(self.content), "pointerSize": len(self.pointer)}
        return name | ({"lfs": lfs} if self.is_lfs else {})


@dataclass
class Repo:
    """Commits by hash, and the branches and tags that point to them."""

    name: str
    is_private: bool = False
    commits: dict[str, dict[str, File]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        return self.name.partition("/")[0]

    @property
    def labels(self) -> set[str]:
        """What the Hub files it under: the library and the tags in its card's front matter."""
        card = self.commits.get(self.branches.get("main", ""), {}).get("README.md")
        text = card.content.decode() if card is not None else ""
        lines = re.findall(r"^(?:library_name|tags):(.*)$", text, flags=re.MULTILINE)
        return {word for line in lines for word in re.findall(r"[\w.-]+", line)}

    def find(self, revision: str) -> str | None:
        commit = (self.branches | self.tags).get(revision, revision)
        return commit if commit in self.commits else None

    def commit(self, files: Mapping[str, bytes]) -> str:
        """Make these the files of the main branch; returns the commit's hash."""
        tree = {path: File(path, content) for path, content in files.items()}
        known = [self.name, *self.commits, *(f"{file.path}:{file.etag}" for file in tree.values())]
        commit = hashlib.sha1("\n".join(known).encode()).hexdigest()
        self.commits[commit] = tree
        self.branches["main"] = commit
        return commit
