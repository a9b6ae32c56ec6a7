"""Rows of text in columns."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["aligned"]


def aligned(rows: Sequence[Sequence[str]]) -> str:
    r"""Rows with their columns aligned to the left, two spaces apart.

    Arguments:
        rows: All of the same length.

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
