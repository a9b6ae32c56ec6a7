"""Atomic writing of files: a file appears under its own name only when it is complete.

Everything is written to `NAME.part`, which is renamed in the end, or removed after an error, so
that what had the name before stays as it was. A link is followed: the file it leads to is replaced,
and the link stays. A pipe or a device gets the bytes of the complete file. While one process or
thread writes a file, another one that tries to is refused (where the file system has locks, and not
on Windows).
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from calozoo_core.errors import InputError
from calozoo_core.io._destination import (
    Destination,
    behind_links,
    locked_until_renamed,
    sync_descriptor,
    takes_bytes,
)

__all__ = [
    "atomic_path",
    "check_is_a_name",
    "copy_bytes",
    "is_stream",
    "is_taken",
    "kept_folder",
    "write_atomic",
]


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Path of a temporary file, renamed to `path` when the block ends without an error.

    Arguments:
        path: The final name of the file; what has it already is replaced.

    Raises:
        InputError: If the name is "-": see `check_is_a_name`.
        OSError: If the file cannot be written, or somebody else is writing it. It names `path`.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> with atomic_path(folder / "table.csv") as part:
        ...     _ = part.write_text("energy_gev\\n50\\n")
        >>> [file.name for file in folder.iterdir()]
        ['table.csv']
    """
    check_is_a_name(path)
    destination = Destination(Path(path))
    try:
        with locked_until_renamed(destination.descriptor):
            try:
                os.close(destination.descriptor)
                yield destination.part
                _sync(destination.part)
                destination.take_part()
            except BaseException:
                destination.discard()
                raise
    except OSError as error:
        if error.filename in (None, str(destination.part), destination.part):
            error.filename, error.filename2 = str(path), None
        raise


def check_is_a_name(path: str | os.PathLike[str]) -> None:
    """Refuse "-", with which other programs mean standard output.

    Raises:
        InputError: If the name is "-".
    """
    if os.fspath(path) == "-":
        msg = "No file is written to standard output; give the name of a file in place of -."
        raise InputError(msg)


def write_atomic(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a text (in UTF-8) or bytes to a file, completely or not at all.

    Raises:
        OSError: If the file cannot be written, or somebody else is writing it. It names `path`.
    """
    with atomic_path(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def copy_bytes(source: Path, part: Path) -> None:
    """Copy the bytes of a file to one of `atomic_path`.

    Raises:
        OSError: If one cannot be read or the other not written; only for the first it has a name,
            so that `atomic_path` puts in the final name of the other.
    """
    with source.open("rb") as original, part.open("wb") as copy:
        while block := _read_block(original, source):
            copy.write(block)


@contextmanager
def kept_folder(folder: Path) -> Iterator[None]:
    """A folder, made where it is missing, and removed again if nothing is in it after an error.

    Raises:
        OSError: If it cannot be made.
    """
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):
            for place in made:
                place.rmdir()
        raise


def is_stream(path: str | os.PathLike[str]) -> bool:
    """True for a pipe, a device or `/dev/stdout`, which take bytes and keep no file.

    Raises:
        OSError: If it leads nowhere, or may not be looked at.
    """
    return takes_bytes(behind_links(Path(path)))


def is_taken(path: str | os.PathLike[str]) -> bool:
    """True if a file has this name already, which writing would replace.

    Raises:
        OSError: If it leads nowhere, or may not be looked at.
    """
    place = behind_links(Path(path))
    return not takes_bytes(place) and place.exists()


def _read_block(file: io.BufferedReader, path: Path) -> bytes:
    try:
        return file.read(1 << 20)
    except OSError as error:
        error.filename = str(path)
        raise


def _sync(part: Path) -> None:
    descriptor = os.open(part, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        sync_descriptor(descriptor)
    finally:
        os.close(descriptor)
