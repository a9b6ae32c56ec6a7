"""Text that several commands print: tables, sizes, and a report of written weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

__all__ = ["aligned", "readable_size", "weights_report"]


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
