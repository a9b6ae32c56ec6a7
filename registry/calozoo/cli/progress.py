"""What a person sees while showers are made: a bar, on a terminal only."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from typing import TextIO

__all__ = ["Bar", "progress_bar", "readable_size"]

SECONDS_BETWEEN_DRAWINGS = 0.1
WIDEST = 100


class Bar:
    """One line on a terminal that is drawn over: how far, how fast, how much longer.

    Arguments:
        total: Showers to come.
        stream: The terminal.
        of: What they are, if not showers.
    """

    def __init__(self, total: int, stream: TextIO, of: str = "showers") -> None:
        self._total, self._done = total, 0
        self._of = of
        self._stream = stream
        self._block = "━" if "utf" in (stream.encoding or "").lower() else "#"
        self._start = monotonic()
        self._drawn_at = -math.inf
        self._draw()

    def update(self, n: int) -> None:
        """Say that n more showers are there."""
        self._done += n
        if monotonic() - self._drawn_at > SECONDS_BETWEEN_DRAWINGS or self._done == self._total:
            self._draw()

    def close(self) -> None:
        """Leave the line as it is and go to the next."""
        self._stream.write("\n")
        self._stream.flush()

    def _draw(self) -> None:
        self._drawn_at = monotonic()
        rate = self._done / max(self._drawn_at - self._start, 1e-9)
        left = timedelta(seconds=round((self._total - self._done) / rate)) if rate else "-:--:--"
        speed = f"{rate:.0f}/s" if rate >= 1 or not rate else f"{60 * rate:.0f}/min"
        numbers = f"  {self._done}/{self._total} {self._of}  {speed}  {left}"
        width = max(min(WIDEST, shutil.get_terminal_size().columns - 1) - len(numbers), 0)
        blocks = self._block * (width * self._done // self._total)
        self._stream.write(f"\r{blocks:<{width}}{numbers}\033[K")
        self._stream.flush()


@contextmanager
def progress_bar(
    total: int, *, hidden: bool = False, of: str = "showers"
) -> Iterator[Callable[[int], None]]:
    """A bar on stderr if that is a terminal; what it yields is called with each batch's showers."""
    if hidden or not sys.stderr.isatty():
        yield lambda _: None
        return
    bar = Bar(total, sys.stderr, of)
    try:
        yield bar.update
    finally:
        bar.close()


def readable_size(n_bytes: int) -> str:
    """A file size as people write it.

    Example:
        >>> readable_size(118_200_000), readable_size(4_096)
        ('118 MB', '4.1 kB')
    """
    size, units = float(n_bytes), ["B", "kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size, units = size / 1000, units[1:]
    digits = 0 if size >= 99.5 or units[0] == "B" else 1
    return f"{size:.{digits}f} {units[0]}"
