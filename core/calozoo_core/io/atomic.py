"""Atomic writing of files: a file appears under its own name only when it is complete.

Everything is written to `NAME.part`, which is renamed in the end, or removed after an error, so
that what had the name before stays as it was. While one process or thread writes a file, another
one that tries to is refused (where the system has locks: not on Windows).
"""

from __future__ import annotations

import errno
import io
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["PartFile", "atomic_path", "uninterrupted", "write_atomic"]


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
    path = Path(path)
    part = _part_of(path)
    try:
        descriptor = _open_locked(part)
        with _locked_until_renamed(descriptor):
            os.close(descriptor)
            try:
                yield part
                part.replace(path)
            except BaseException:
                with suppress(OSError):
                    part.unlink()
                raise
    except OSError as error:
        if error.filename in (None, str(part), part):
            error.filename, error.filename2 = str(path), None
        raise


def write_atomic(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a text (in UTF-8) or bytes to a file, completely or not at all.

    Raises:
        OSError: If the file cannot be written, or somebody else is writing it. It names `path`.
    """
    with atomic_path(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


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
        self.part = _part_of(path)
        self.error: OSError | None = None
        self._is_kept = False
        self._position = 0
        self._size = 0
        self._file = os.fdopen(_open_locked(self.part), "r+b", buffering=0)

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
                self._file.close()
            if self.error:
                raise self.error
            self.part.replace(self.path)
        self._is_kept = True

    def discard(self) -> None:
        """Remove the part, unless it was kept; what had the name before stays as it was."""
        self.error = self.error or OSError(0, "the part was given up")
        if not self._is_kept:
            with suppress(OSError):
                self.part.unlink()
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
