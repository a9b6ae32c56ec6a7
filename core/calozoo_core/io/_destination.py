"""Destination of a new file: behind links, a pipe or a device, and its locked temporary file."""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

__all__ = [
    "Destination",
    "behind_links",
    "locked_until_renamed",
    "sync_descriptor",
    "takes_bytes",
]

_MAX_LINKS: Final = 40
_DESCRIPTOR: Final = re.compile(r"/proc/(?:self|\d+)/fd/(\d+)")
_NO_SYNC: Final = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS}
"""Errors of a file system that cannot be told to write now, and has lost nothing."""


class Destination:
    """Place that a file is written for: its temporary file, locked, and the way to its name.

    Arguments:
        path: The final name, which may be a link, a pipe or a device.

    Attributes:
        path: The same, as messages name it.
        part: The temporary file.
        descriptor: Of the temporary file, open and empty.

    Raises:
        OSError: If the temporary file cannot be made, or somebody else is writing it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._target = behind_links(path)  # absolute: the working directory may change
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._stream = -1
        try:
            if takes_bytes(self._target):
                self._stream = _open_stream(self._target)
                self._scratch = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
                self.part = Path(self._scratch.name) / self._target.name
            else:
                self.part = _part_of(self._target)
            self.descriptor = _open_locked(self.part)
        except OSError as error:
            error.filename, error.filename2 = str(path), None
            self._close()
            raise

    def take_part(self) -> None:
        """Give the temporary file its name, or its bytes to the stream.

        Raises:
            OSError: If that fails.
        """
        if self._stream < 0:
            self.part.replace(self._target)
            return
        with self.part.open("rb") as content, os.fdopen(self._stream, "wb", buffering=0) as stream:
            self._stream = -1
            shutil.copyfileobj(content, _Whole(stream))
        self._close()

    def discard(self) -> None:
        """Remove the temporary file."""
        with suppress(OSError):
            self.part.unlink()
        self._close()

    def _close(self) -> None:
        if self._stream >= 0:
            os.close(self._stream)
            self._stream = -1
        if self._scratch is not None:
            self._scratch.cleanup()


def behind_links(path: Path) -> Path:
    """Absolute path of what a name leads to through links, whether it is there or not.

    The names of open descriptors are not followed: what they stand for is open already.

    Raises:
        OSError: If the links go round in a circle, or it is a folder, or a part of it is none.
    """
    place = _absolute(path)
    for _ in range(_MAX_LINKS):
        if _DESCRIPTOR.fullmatch(str(place)):
            return place
        if not place.is_symlink():
            if place.is_dir():
                raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            return place
        place = _absolute(place.parent / place.readlink())
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))


def takes_bytes(place: Path) -> bool:
    """True for what no file can be renamed to: a pipe, a device, an open descriptor."""
    if _DESCRIPTOR.fullmatch(str(place)):
        return True
    try:
        return not stat.S_ISREG(place.stat().st_mode)
    except FileNotFoundError:
        return False


@contextmanager
def locked_until_renamed(descriptor: int) -> Iterator[None]:
    """Keep the lock of a file that is closed in the block; Windows renames no open file."""
    held = None if os.name == "nt" else os.dup(descriptor)
    try:
        yield
    finally:
        if held is not None:
            with suppress(OSError):  # what was written is safe by then
                os.close(held)


def sync_descriptor(descriptor: int) -> None:
    """Have the system write an open file now: a quota or a broken disk may show only then.

    Raises:
        OSError: If it cannot.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


class _Whole:
    """Writer of every byte to a raw stream, which may take fewer at a time."""

    def __init__(self, stream: io.RawIOBase) -> None:
        self._stream = stream

    def write(self, block: bytes) -> int:
        view = memoryview(block)
        while view:
            view = view[self._stream.write(view) or 0 :]
        return len(block)


def _part_of(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _absolute(path: Path) -> Path:
    return Path(os.path.realpath(path.parent)) / path.name


def _open_stream(place: Path) -> int:
    """Descriptor of a pipe or a device, or a copy of an open one.

    Raises:
        OSError: If it cannot be opened, nobody reads the pipe, or it is a disk.
    """
    match = _DESCRIPTOR.fullmatch(str(place))
    if match:
        return os.dup(int(match[1]))
    if stat.S_ISBLK(place.stat().st_mode):
        raise OSError(errno.ENOTSUP, "a disk is not written over")
    try:
        # Waiting for a reader could not be stopped.
        descriptor = os.open(place, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise OSError(errno.ENXIO, "no process reads from it") from None
        raise
    os.set_blocking(descriptor, True)
    return descriptor


def _open_locked(part: Path) -> int:
    """Descriptor of an empty file that nobody else writes, where the system can tell.

    Raises:
        OSError: If somebody does, or it cannot be made.
    """
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    try:
        _lock(descriptor, part)
        os.truncate(descriptor, 0)  # what a killed process may have left
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _lock(descriptor: int, path: Path) -> None:
    """Lock an open file, or raise OSError if somebody else writes it."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OSError(errno.EBUSY, "another process is writing it") from None
    except OSError:  # a file system without locks
        return
    # Whoever held the lock may have renamed the file since it was opened.
    if not os.path.samestat(os.fstat(descriptor), path.stat()):
        raise OSError(errno.EBUSY, "another process is writing it")
