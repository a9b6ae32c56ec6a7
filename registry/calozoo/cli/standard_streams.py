"""Standard streams of the command line, also where they are closed, full or read by nobody."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TextIO

__all__ = ["STDOUT", "drop_output", "guard_streams"]

STDOUT = "standard output"
"""Name of stdout in messages."""


def guard_streams() -> None:
    """Open the streams that are closed, and say by name where output fails.

    A file that a program opens gets the lowest free number. With stdout closed that is 1, and what
    is printed would go into the file. Messages that stderr does not take are lost, and nothing
    else. Streams that are not the process's own, as in tests, are left alone.
    """
    # In this mode each stream fails when it is used, as a closed one does.
    for number, mode in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, mode)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    if _is_own(sys.stdout, sys.__stdout__):
        sys.stdout = _text(_NamedOutput(1), sys.stdout, "surrogateescape")
    if _is_own(sys.stderr, sys.__stderr__):
        sys.stderr = _text(_LossyOutput(2), sys.stderr, "backslashreplace")


def drop_output() -> None:
    """Send what is still to be printed nowhere, so that the end of the process does not fail."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


class _NamedOutput(io.FileIO):
    """Output whose errors say that it is the standard output which failed."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "wb", closefd=False)

    def write(self, data: object) -> int:
        """Write, or raise an error that has the stream's name."""
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            if error.errno == errno.EBADF:
                raise OSError(error.errno, "it is closed", STDOUT) from None
            error.filename = STDOUT
            raise


class _LossyOutput(io.FileIO):
    """Output that takes everything, and loses what its file does not take."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "wb", closefd=False)

    def write(self, data: object) -> int:
        """Write, if that can be done."""
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError:
            return memoryview(data).nbytes  # type: ignore[arg-type]


def _is_own(stream: TextIO | None, original: TextIO | None) -> bool:
    """True for a stream of the process that nobody has replaced, also if it is closed."""
    return stream is original and not isinstance(getattr(stream, "buffer", None), io.BytesIO)


def _text(output: io.FileIO, stream: TextIO | None, errors: str) -> TextIO:
    """Text stream like another one, which never fails for a character."""
    encoding = "utf-8" if stream is None else stream.encoding
    if encoding.lower().replace("-", "") != "utf8":
        errors = "replace" if errors == "surrogateescape" else errors
    return io.TextIOWrapper(
        io.BufferedWriter(output),
        encoding=encoding,
        errors=errors,
        line_buffering=errors == "backslashreplace" or output.isatty(),
    )
