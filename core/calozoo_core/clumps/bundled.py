"""Folders of tables and libraries that come with calozoo."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

from calozoo_core.errors import InputError

__all__ = ["bundled_folder"]


@contextmanager
def bundled_folder(kind: str, what: str, detector: str) -> Iterator[Path]:
    """Folder that comes with calozoo for a detector.

    Arguments:
        kind: "tables" or "libraries".
        what: What is in it, for the message.
        detector: Name of the detector.

    Raises:
        InputError: If there is none.
    """
    folder = files("calozoo_core.clumps") / kind / detector
    if not folder.is_dir():
        msg = f"No {what} comes with calozoo for {detector}; make one from its showers."
        raise InputError(msg)
    with as_file(folder) as path:
        yield path
