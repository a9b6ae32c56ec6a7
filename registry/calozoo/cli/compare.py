"""`calozoo compare`: models beside each other, from their cards."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from calozoo.cli.completion import complete_cards
from calozoo_core.io.atomic import write_atomic

if TYPE_CHECKING:
    from calozoo.cards.leaderboard import Leaderboard

__all__ = ["board_text", "compare"]

MARKS = {"best": "*", "worst": "!", "": ""}
LEGEND = "* the best of a row, ! the worst"


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...", shell_complete=complete_cards)
@click.option(
    "--cards",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="What `calozoo benchmark --out DIR` wrote; by default the cards calozoo comes with.",
)
@click.option("--markdown", is_flag=True, help="Print a page in Markdown.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a page for a browser; one that is there is replaced.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def compare(
    models: tuple[str, ...], cards: Path | None, markdown: bool, html: Path | None, as_json: bool
) -> None:
    """Compare MODELs, or all that have a card, figure by figure.

    \b
    Examples:
      calozoo compare
      calozoo compare caloclouds3 optimum.x9 --html leaderboard.html
    """
    from calozoo.benchmark.measurements import read_measurements
    from calozoo.cards.card import MEASUREMENTS, find_card, read_cards
    from calozoo.cards.leaderboard import leaderboard
    from calozoo.cards.leaderboard_pages import as_html, as_markdown

    if models:
        folders = dict.fromkeys(find_card(model, cards) for model in models)
        measured = [read_measurements(folder / MEASUREMENTS) for folder in folders]
    else:
        measured = read_cards(cards)
    board = leaderboard(measured)
    if html is not None:
        write_atomic(html, as_html(board))
        click.echo(f"{html}  written", err=True)
    if as_json:
        click.echo(json.dumps(asdict(board), indent=1))
    elif markdown:
        click.echo(as_markdown(board), nl=False)
    elif html is None:
        click.echo(board_text(board))


def board_text(board: Leaderboard) -> str:
    """The leaderboard in aligned columns; bold and red as well where that can be seen."""
    coloured = sys.stdout.isatty()
    parts = []
    for title, rows in board.tables.items():
        table = [(title, *board.models, "noise floor")]
        marks: list[tuple[str, ...]] = [("",) * (len(board.models) + 2)]
        for row in rows:
            texts = (
                f"{entry.text}{MARKS[mark]:1}"
                for entry, mark in zip(row.entries, row.marks, strict=True)
            )
            table.append((row.label, *texts, row.floor))
            marks.append(("", *row.marks, ""))
        parts.append(_aligned(table, marks, coloured=coloured))
    return "\n\n".join([*parts, "\n".join([LEGEND, *board.notes])])


def _aligned(rows: list[tuple[str, ...]], marks: list[tuple[str, ...]], *, coloured: bool) -> str:
    """Names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row, of_row in zip(rows, marks, strict=True):
        cells = [row[0].ljust(widths[0])]
        for text, width, mark in zip(row[1:], widths[1:], of_row[1:], strict=True):
            cell = text.rjust(width)
            if coloured and mark == "best":
                cell = click.style(cell, bold=True)
            elif coloured and mark == "worst":
                cell = click.style(cell, fg="red")
            cells.append(cell)
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
