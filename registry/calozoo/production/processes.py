"""Names of the processes that share a folder, on one machine or several, and whether they live."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Final

__all__ = ["is_given_up", "own_name", "process_name"]

STALE_SECONDS: Final = 600
"""A file that another machine has not written to for so long counts as given up."""


def process_name() -> str:
    """Name of this process, unique among machines: the host's name and the process number."""
    return f"{socket.gethostname()}-{os.getpid()}"


def own_name(name: str) -> str:
    """Name of a temporary file that no other process on any machine uses.

    Example:
        >>> own_name("00001").startswith("00001.")
        True
    """
    return f"{name}.{process_name()}"


def is_given_up(path: Path, process: str) -> bool:
    """True if nobody writes a file any more: its process is gone, or silent on another machine.

    Arguments:
        path: The file.
        process: Who wrote it, as `process_name` says.
    """
    host, _, number = process.rpartition("-")
    if host == socket.gethostname() and number.isdigit():
        try:
            os.kill(int(number), 0)
        except (ProcessLookupError, OverflowError):
            return True
        except OSError:  # somebody else's
            return False
        return False
    try:
        return time.time() - path.stat().st_mtime > STALE_SECONDS
    except OSError:
        return True
