"""Atomic writing of files: a file appears under its own name only when it is complete.

Everything is written to `NAME.part`, which is renamed in the end, or removed after an error, so
that what had the name before stays as it was. A link is followed: the file it leads to is replaced,
and the link stays. A pipe or a device gets the bytes of the complete file. While one process or
thread writes a file, another one that tries to is refused (where the file system has locks, and not
on Windows).
"""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import signal
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final

__all__ = [
    "PartFile",
    "atomic_path",
    "copy_bytes",
    "is_stream",
    "is_taken",
    "kept_folder",
    "uninterrupted",
    "write_atomic",
]

_MAX_LINKS: Final = 40
_DESCRIPTOR: Final = re.compile(r"/proc/(?:self|\d+)/fd/(\d+)")
_NO_SYNC: Final = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS}
"""Errors of a file system that cannot be told to write now, and has lost nothing."""


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Path of a temporary file, renamed to `path` when the block ends without an error.

    Arguments:
        path: The final name of the file; what has it already is replaced.

    Raises:
        OSError: If the file cannot be written, or somebody else is writing it. It names `path`.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> with atomic_path(folder / "table.csv") as part:
        ...     _ = part.write_text("energy_gev\\n50\\n")
        >>> [file.name for file in folder.iterdir()]
        ['table.csv']
    """
    destination = _Destination(Path(path))
    try:
        with _locked_until_renamed(destination.descriptor):
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
    return _takes_bytes(_behind_links(Path(path)))


def is_taken(path: str | os.PathLike[str]) -> bool:
    """True if a file has this name already, which writing would replace.

    Raises:
        OSError: If it leads nowhere, or may not be looked at.
    """
    place = _behind_links(Path(path))
    return not _takes_bytes(place) and place.exists()


class _Destination:
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
        self._target = _behind_links(path)  # absolute: the working directory may change
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._stream = -1
        try:
            if _takes_bytes(self._target):
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


class _Whole:
    """Writer of every byte to a raw stream, which may take fewer at a time."""

    def __init__(self, stream: io.RawIOBase) -> None:
        self._stream = stream

    def write(self, block: bytes) -> int:
        view = memoryview(block)
        while view:
            view = view[self._stream.write(view) or 0 :]
        return len(block)


class PartFile(io.RawIOBase):
    """File object on `NAME.part`, for HDF5 to write through, renamed to `NAME` in the end.

    HDF5 crashes the process when a write fails under it, at once or at exit. So the first failure
    (a full disk) is kept in `error` for the owner to raise, and from then on writes do nothing.

    Arguments:
        path: The file's final name.

    Raises:
        OSError: If the part cannot be made, or somebody else is writing it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error: OSError | None = None
        self._destination = _Destination(path)
        self._is_kept = False
        self._position = 0
        self._size = 0
        self._file = os.fdopen(self._destination.descriptor, "r+b", buffering=0)

    @property
    def part(self) -> Path:
        """The temporary file."""
        return self._destination.part

    @property
    def size(self) -> int:
        """Bytes of the file so far."""
        return self._size

    def readable(self) -> bool:
        """True: the library reads back what it wrote."""
        return True

    def writable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer from here on, with zeros behind the end."""
        view, n = memoryview(buffer).cast("B"), 0
        with self._noting_errors():
            if not self.error:
                self._file.seek(self._position)
                n = self._file.readinto(view)
        view[n:] = bytes(len(view) - n)
        self._position += len(view)
        return len(view)

    def write(self, data: Any) -> int:
        """Write all of it, or note the error."""
        view = memoryview(data).cast("B")
        with self._noting_errors():
            done = 0
            while done < len(view) and not self.error:
                self._file.seek(self._position + done)
                done += self._file.write(view[done:])
        self._position += len(view)
        self._size = max(self._size, self._position)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Make the file this long, or note the error."""
        self._size = self._position if size is None else size
        with self._noting_errors():
            if not self.error:
                self._file.truncate(self._size)
        return self._size

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position in the file."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = origin + offset
        return self._position

    def tell(self) -> int:
        """Position in the file."""
        return self._position

    def keep(self) -> None:
        """Give the file its name.

        Raises:
            OSError: If a write failed, or the file cannot be renamed.
        """
        with _locked_until_renamed(self._file.fileno()):
            with self._noting_errors():
                _sync_descriptor(self._file.fileno())
                self._file.close()
            if self.error:
                raise self.error
            self._destination.take_part()
        self._is_kept = True

    def discard(self) -> None:
        """Remove the part, unless it was kept; what had the name before stays as it was."""
        self.error = self.error or OSError(0, "the part was given up")
        if not self._is_kept:
            self._destination.discard()
        with suppress(OSError):
            self._file.close()

    @contextmanager
    def _noting_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = self.error or error


def _part_of(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _behind_links(path: Path) -> Path:
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


def _absolute(path: Path) -> Path:
    return Path(os.path.realpath(path.parent)) / path.name


def _takes_bytes(place: Path) -> bool:
    """True for what no file can be renamed to: a pipe, a device, an open descriptor."""
    if _DESCRIPTOR.fullmatch(str(place)):
        return True
    try:
        return not stat.S_ISREG(place.stat().st_mode)
    except FileNotFoundError:
        return False


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


def _read_block(file: io.BufferedReader, path: Path) -> bytes:
    try:
        return file.read(1 << 20)
    except OSError as error:
        error.filename = str(path)
        raise


def _sync(part: Path) -> None:
    """Have the system write a file now: a quota or a broken disk may show only then."""
    descriptor = os.open(part, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        _sync_descriptor(descriptor)
    finally:
        os.close(descriptor)


def _sync_descriptor(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


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


@contextmanager
def _locked_until_renamed(descriptor: int) -> Iterator[None]:
    """Keep the lock of a file that is closed in the block; Windows renames no open file."""
    held = None if os.name == "nt" else os.dup(descriptor)
    try:
        yield
    finally:
        if held is not None:
            with suppress(OSError):  # what was written is safe by then
                os.close(held)


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


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Signals that Python code handles wait until the block is done: HDF5 must not be cut short."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is ever interrupted
        return
    came: list[tuple[int, FrameType | None]] = []
    handlers = {int(number): signal.getsignal(number) for number in signal.valid_signals()}
    mine = {number: handler for number, handler in handlers.items() if callable(handler)}
    try:
        for number in mine:
            signal.signal(number, lambda *signalled: came.append(signalled))
        yield
    finally:
        for number, handler in mine.items():
            signal.signal(number, handler)
        for came_number, frame in came:
            mine[came_number](came_number, frame)
