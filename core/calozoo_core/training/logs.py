"""The log of a stage, which goes on where a stopped training left it."""

from __future__ import annotations

import csv
from pathlib import Path

__all__ = ["LOG", "join_log", "set_log_aside"]

LOG = "metrics.csv"
EARLIER = "metrics.earlier.csv"


def set_log_aside(folder: Path, step: int) -> None:
    """Keep what was logged before this step, since the logger begins a new file.

    Arguments:
        folder: Of the stage.
        step: Optimiser steps done in the checkpoint that the training goes on from; what was logged
            after it is done again.
    """
    rows = _rows(folder / EARLIER) + _rows(folder / LOG)
    _write(folder / EARLIER, [row for row in rows if int(row["step"]) < step])
    (folder / LOG).unlink(missing_ok=True)


def join_log(folder: Path) -> None:
    """Put what was set aside in front of what was logged since."""
    earlier = folder / EARLIER
    if earlier.exists():
        _write(folder / LOG, _rows(earlier) + _rows(folder / LOG))
        earlier.unlink()


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    part = path.with_name(path.name + ".part")
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    part.replace(path)
