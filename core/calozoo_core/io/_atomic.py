"""A file that is there under its own name only when it is whole."""

from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["PartFile", "uninterrupted"]


class PartFile(io.RawIOBase):
    """Bytes of `NAME.part`, for HDF5 to write through, renamed to `NAME` in the end.

    HDF5 crashes the process when a write fails under it, at once or at exit. So the first failure
    (a full disk) is kept in `error` for the owner to raise, and from then on writes do nothing.

    Arguments:
        path: The file's final name.

    Raises:
        OSError: If the part cannot be made, or somebody else is writing it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.part = path.with_name(path.name + ".part")
        self.error: OSError | None = None
        self._is_kept = False
        self._position = 0
        self._size = 0
        descriptor = os.open(self.part, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            _lock(descriptor, self.part)
            self._file.truncate(0)  # what a killed process may have left
        except OSError:
            self._file.close()
            raise

    def readable(self) -> bool:
        """Yes."""
        return True

    def writable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
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
        """Go there."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = origin + offset
        return self._position

    def tell(self) -> int:
        """Where this is."""
        return self._position

    def keep(self) -> None:
        """Give the file its name.

        Raises:
            OSError: If a write failed, or the file cannot be renamed.
        """
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


def _lock(descriptor: int, path: Path) -> None:
    """Make sure that nobody else writes this file, where the system can tell.

    Raises:
        OSError: If somebody does.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OSError(0, f"another process is writing {path}") from None
    except OSError:  # a file system without locks
        return
    # Whoever held the lock may have renamed the file since it was opened.
    if not os.path.samestat(os.fstat(descriptor), path.stat()):
        raise OSError(0, f"another process is writing {path}")


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C and the like wait until the block is done: an interrupted HDF5 crashes, too."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is ever interrupted
        return
    came: list[tuple[int, FrameType | None]] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    mine = {number: handler for number, handler in handlers.items() if callable(handler)}
    try:
        for number in mine:
            signal.signal(number, lambda *signalled: came.append(signalled))
        yield
    finally:
        for number, handler in mine.items():
            signal.signal(number, handler)
        for came_number, frame in came:
            mine[signal.Signals(came_number)](came_number, frame)
