"""Finished parts of a benchmark, kept until all of it is done, so that it can be gone on with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

__all__ = ["Parts"]

T = TypeVar("T")


class Parts:
    """A folder of results, each under a key of what was asked for.

    Arguments:
        folder: Where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def kept(self, what: str, key: dict[str, Any], kind: Any, make: Callable[[], T]) -> T:
        """A result from an earlier run that was stopped, or else made now and kept.

        Arguments:
            what: A word for its file's name.
            key: All that it depends on, ready for JSON.
            kind: Its type, which pydantic knows how to read.
            make: Makes it.
        """
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
        path = self.folder / f"{what}-{digest}.json"
        adapter: TypeAdapter[T] = TypeAdapter(kind)
        try:
            return adapter.validate_json(path.read_bytes())
        except (OSError, ValidationError):
            made = make()
        self.folder.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        part.write_bytes(adapter.dump_json(made))
        part.replace(path)
        return made

    def forget(self) -> None:
        """Remove them all: the next run measures anew."""
        for path in self.folder.glob("*.json"):
            path.unlink()
