"""`calozoo card`: what was measured of a model."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from calozoo.cli.completion import complete_cards

__all__ = ["card"]


@click.command(short_help="Print what was measured of a model.")
@click.argument("model", shell_complete=complete_cards)
@click.option(
    "--cards",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="What `calozoo benchmark --out DIR` wrote; by default the cards calozoo comes with.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the measurements, as a JSON object.")
@click.option("--path", "as_path", is_flag=True, help="Print where the card is.")
def card(model: str, cards: Path | None, as_json: bool, as_path: bool) -> None:
    """Print the card of MODEL: how good, how fast and how big it was measured to be.

    On a terminal tables are aligned; into a file or a pipe goes the Markdown that the Hub reads.

    \b
    Examples:
      calozoo card caloclouds3
      calozoo card caloclouds3 --json
    """
    from calozoo.benchmark.measurements import read_measurements
    from calozoo.cards.card import CARD, MEASUREMENTS, find_card
    from calozoo.cards.card import card as written

    folder = find_card(model, cards)
    if as_path:
        click.echo(folder / CARD)
        return
    measurements = read_measurements(folder / MEASUREMENTS)
    if as_json:
        click.echo(measurements.as_json(), nl=False)
        return
    text = written(measurements)
    click.echo(readable(text) if sys.stdout.isatty() else text, nl=False)


def readable(markdown: str) -> str:
    """A card for a terminal: no front matter, headings bold, tables in columns."""
    body = markdown.split("---\n", 2)[2].lstrip("\n")
    lines = body.splitlines()
    done: list[str] = []
    while lines:
        if lines[0].startswith("|"):
            n = next((i for i, line in enumerate(lines) if not line.startswith("|")), len(lines))
            done += _columns(lines[:n])
            lines = lines[n:]
            continue
        line = lines.pop(0)
        heading = re.match(r"#+ (.*)", line)
        plain = re.sub(r"\*\*(.+?)\*\*", lambda m: click.style(m[1], bold=True), line)
        done.append(click.style(heading[1], bold=True) if heading else plain)
    return "\n".join(done) + "\n"


def _columns(table: list[str]) -> list[str]:
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]
    header, rows = rows[0], rows[2:]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for row in (header, *rows):
        first = row[0].ljust(widths[0])
        others = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        lines.append("  ".join([first, *others]).rstrip())
    return [click.style(lines[0], underline=True), *lines[1:]]
