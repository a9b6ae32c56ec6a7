"""Part of a file that HDF5 or uproot writes through, and protection of their calls from signals."""

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

from calozoo_core.io._destination import Destination, locked_until_renamed, sync_descriptor

__all__ = ["PartFile", "uninterrupted"]


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
        self._destination = Destination(path)
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
        with locked_until_renamed(self._file.fileno()):
            with self._noting_errors():
                sync_descriptor(self._file.fileno())
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
