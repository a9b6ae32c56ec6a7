"""Faults of files that do not lie in their content: the system's, and others in their place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

__all__ = ["instead_of_file", "reason", "system_reason"]

_OTHERS: Final = {
    b"version https://git-lfs.github.com/spec/": (
        "is a pointer of Git LFS, not the file; type `git -C {folder} lfs pull`."
    ),
    b"/annex/objects/": (
        "is a pointer of git-annex, not the file; type `git -C {folder} annex get {name}`."
    ),
    b"<!doctype html": "is a web page, such as a server gives for an error; download it again.",
    b"<html": "is a web page, such as a server gives for an error; download it again.",
}
"""Beginnings, in lower case, of what lies where a file should, and what to say of it."""

_HDF5_ERROR: Final = re.compile(r"errno = \d+, error message = '([^']+)'")


def instead_of_file(path: Path) -> str | None:
    """Rest of a sentence about what lies in the place of a file; None if it may be the file.

    That is a pointer of Git LFS or git-annex, or a web page.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb") as file:
        beginning = file.read(64).lstrip().lower()
    for other, words in _OTHERS.items():
        if beginning.startswith(other):
            return words.format(folder=path.parent, name=path.name)
    return None


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
