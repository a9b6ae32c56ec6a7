"""Selection of what a page shows: the same numbers of every file."""

from __future__ import annotations

from collections.abc import Sequence

from calozoo_core.errors import InputError
from calozoo_core.io import ShowerFile
from calozoo_core.io.events import EventFile

__all__ = ["shown_numbers"]


def shown_numbers(
    opened: Sequence[ShowerFile] | Sequence[EventFile], what: str, first: int, count: int
) -> range:
    """Numbers of the showers or events that all files have, from the first on.

    Arguments:
        opened: The files.
        what: "shower" or "event", for the message.
        first: Number of the first that is shown.
        count: How many are shown at most.

    Raises:
        InputError: If a file has no such number.
    """
    for file in opened:
        if not 0 <= first < len(file):
            msg = f"{file.path} has {what}s 0 to {len(file) - 1}; there is no {what} {first}."
            raise InputError(msg)
    return range(first, min(first + count, *(len(file) for file in opened)))
