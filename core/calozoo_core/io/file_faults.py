"""Faults of files that do not lie in their content: the operating system's, and Git LFS."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

__all__ = ["is_lfs_pointer", "lfs_advice", "reason", "system_reason"]

_LFS_POINTER: Final = b"version https://git-lfs.github.com/spec/"
_HDF5_ERROR: Final = re.compile(r"errno = \d+, error message = '([^']+)'")


def is_lfs_pointer(path: Path) -> bool:
    """True for the few lines that Git LFS leaves where the content of a file was not fetched.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb") as file:
        return file.read(len(_LFS_POINTER)) == _LFS_POINTER


def lfs_advice(path: Path) -> str:
    """Rest of a sentence about a file that is a pointer of Git LFS."""
    return f"is a pointer of Git LFS, not the file; type `git -C {path.parent} lfs pull`."


def reason(error: BaseException) -> str:
    """Reason of an error in a few words: the system's own where it has some."""
    failed = system_reason(error)
    if failed:
        return failed
    first = str(error.args[0] if error.args else "").partition("\n")[0].partition(" (")[0]
    first = first.strip().rstrip(".")
    return first[:1].lower() + first[1:] if first else type(error).__name__


def system_reason(error: BaseException) -> str | None:
    """The operating system's reason of an error; None if it is not the one that failed.

    Example:
        >>> system_reason(PermissionError(13, "Permission denied"))
        'permission denied'
        >>> system_reason(OSError("read failed: errno = 5, error message = 'Input/output error'"))
        'input/output error'
    """
    match = _HDF5_ERROR.search(str(error))  # as HDF5 says it
    words = match[1] if match else getattr(error, "strerror", None)
    return f"{words[0].lower()}{words[1:]}" if words else None
