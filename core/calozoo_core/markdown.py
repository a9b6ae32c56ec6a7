"""Tables that a command writes into a page of the documentation, between two comments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from calozoo_core.errors import InputError
from calozoo_core.io.atomic import write_atomic

__all__ = ["table", "write_block"]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table.

    Example:
        >>> print(table(("a", "b"), [("1", "2")]))
        | a | b |
        |---|---|
        | 1 | 2 |
    """
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def write_block(page: Path, name: str, text: str) -> None:
    """Put a text between `<!-- begin NAME -->` and `<!-- end NAME -->` on a page.

    Raises:
        InputError: If the page cannot be read, or lacks these two lines.
    """
    begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->\n"
    try:
        before = page.read_text(encoding="utf-8")
    except OSError as error:
        msg = f"The page {page} cannot be read: {(error.strerror or 'it is no file').lower()}."
        raise InputError(msg) from error
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(before)) != 1:
        msg = f"The page {page} needs the lines {begin.strip()} and {end.strip()}, once."
        raise InputError(msg)
    after = pattern.sub(lambda _: f"{begin}{text.strip()}\n{end}", before)
    write_atomic(page, after)
