"""Output that commands share: tables, sizes, progress bars, reports of written weights."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from calozoo.cli.signals import stoppable

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = [
    "BatchProgress",
    "aligned",
    "batch_progress",
    "counted",
    "progress_bar",
    "readable_size",
    "weights_report",
]


def aligned(rows: Sequence[Sequence[str]]) -> str:
    r"""Rows with their columns aligned to the left, two spaces apart.

    Arguments:
        rows: Rows of the same length.

    Example:
        >>> print(aligned([("NAME", "POINTS"), ("toy.ild-photon", "x25")]))
        NAME            POINTS
        toy.ild-photon  x25
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines)


def counted(n: int, what: str) -> str:
    """Number of things with their name.

    Arguments:
        n: The number.
        what: Name of one.

    Example:
        >>> counted(1, "shower"), counted(2, "shower")
        ('1 shower', '2 showers')
    """
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def readable_size(n_bytes: int) -> str:
    """Size of a file with its unit.

    Example:
        >>> readable_size(118_200_000), readable_size(4_096)
        ('118 MB', '4.1 kB')
    """
    size, units = float(n_bytes), ["B", "kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size, units = size / 1000, units[1:]
    digits = 0 if size >= 99.5 or units[0] == "B" else 1
    return f"{size:.{digits}f} {units[0]}"


def weights_report(model: str, folder: Path) -> str:
    """Report of written weights in JSON: the model's name, the folder, and the hash of each file.

    Arguments:
        model: Name of the model, as it was given.
        folder: Folder of the weights.
    """
    from calozoo.api import find_model
    from calozoo_core.weights import WEIGHT_FILES, sha256

    paths = [folder / name for name in WEIGHT_FILES if (folder / name).is_file()]
    files = [{"name": p.name, "size": p.stat().st_size, "sha256": sha256(p)} for p in paths]
    return json.dumps(
        {"model": find_model(model).name, "out": str(folder), "files": files}, indent=2
    )


WIDEST = 100


class BatchProgress:
    """Progress of work on batches of showers, and the place where a signal stops it.

    Arguments:
        stop_if_asked: See `stoppable`.
        hidden: Whether to show no bar.
        unit: Name of what is counted.
    """

    def __init__(
        self, stop_if_asked: Callable[[], None], *, hidden: bool, unit: str = "showers"
    ) -> None:
        self._stop_if_asked, self._hidden, self._unit = stop_if_asked, hidden, unit
        self._bar: tqdm | None = None

    def start(self, n: int) -> None:
        """Show a bar for n showers."""
        if not self._hidden and sys.stderr.isatty():
            self._bar = _bar(n, self._unit)

    def advance(self, n: int) -> None:
        """Count the n showers of a batch, and stop if there was a signal.

        Raises:
            KeyboardInterrupt: If there was a signal.
        """
        if self._bar is not None:
            self._bar.update(n)
        self._stop_if_asked()

    def close(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


@contextmanager
def batch_progress(
    n: int | None = None, *, hidden: bool = False, unit: str = "showers"
) -> Iterator[BatchProgress]:
    """Progress of work on batches of showers, which a signal stops between two of them.

    Arguments:
        n: Number of showers, if it is known; else `start` is called with it.
        hidden: Whether to show no bar; there is none anyway if stderr is not a terminal.
        unit: Name of what is counted.
    """
    with stoppable() as stop_if_asked:
        progress = BatchProgress(stop_if_asked, hidden=hidden, unit=unit)
        if n is not None:
            progress.start(n)
        try:
            yield progress
        finally:
            progress.close()


@contextmanager
def progress_bar(
    total: int, *, hidden: bool = False, unit: str = "showers"
) -> Iterator[Callable[[int], None]]:
    """Progress bar on stderr, if that is a terminal; it yields what is called with each advance."""
    if hidden or not sys.stderr.isatty():
        yield lambda _: None
        return
    with _bar(total, unit) as bar:
        yield bar.update


def _bar(total: int, unit: str) -> tqdm:
    from tqdm import tqdm

    tqdm.monitor_interval = 0  # no thread beside the command, which may fork
    numbers = "{n_fmt}/{total_fmt}{unit} [{elapsed}<{remaining}, {rate_fmt}]"
    form = f"{{l_bar}}{{bar}}| {numbers}"
    # With its size given, tqdm draws on a terminal that does not know its own, too.
    width = min(WIDEST, shutil.get_terminal_size().columns - 1)
    return tqdm(total=total, unit=f" {unit}", bar_format=form, ncols=width, nrows=24)
