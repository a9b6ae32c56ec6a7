"""`calozoo card` and `calozoo compare`: measurements of one model, and of several as a table."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from calozoo.cli.completion import complete_cards
from calozoo.cli.options import cards_option, json_option

if TYPE_CHECKING:
    from calozoo.cards.leaderboard import Leaderboard

__all__ = ["card", "card_text", "compare", "leaderboard_text"]

MARKS = {"best": "*", "worst": "!", "": ""}
LEGEND = "* the best of a row, ! the worst"


@click.command(short_help="Print the measurements of a model.")
@click.argument("model", shell_complete=complete_cards)
@cards_option
@json_option("Print the measurements, as a JSON object.")
@click.option("--path", "as_path", is_flag=True, help="Print the path of the card.")
def card(model: str, cards: Path | None, as_json: bool, as_path: bool) -> None:
    """Print the card of MODEL: its fidelity, speed and size.

    On a terminal tables are aligned; into a file or a pipe goes the Markdown that the Hub reads.

    \b
    Examples:
      calozoo card caloclouds3
      calozoo card caloclouds3 --json
    """
    if as_json and as_path:
        msg = "--path prints nothing but the path; leave out --json, or --path."
        raise click.UsageError(msg)
    from calozoo.benchmark.measurements import read_measurements
    from calozoo.cards.card import CARD, MEASUREMENTS, find_card
    from calozoo.cards.card_markdown import card_markdown

    folder = find_card(model, cards)
    if as_path:
        click.echo(folder / CARD)
        return
    measurements = read_measurements(folder / MEASUREMENTS)
    if as_json:
        click.echo(measurements.as_json(), nl=False)
        return
    markdown = card_markdown(measurements)
    click.echo(card_text(markdown) if sys.stdout.isatty() else markdown, nl=False)


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...", shell_complete=complete_cards)
@cards_option
@click.option("--markdown", is_flag=True, help="Print a page in Markdown.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write an interactive page that needs nothing but a browser; one that is there is "
    "replaced.",
)
@click.option(
    "--plot",
    "picture",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PICTURE",
    help="Draw speed against fidelity, as .png, .pdf or .svg; a picture that is there is replaced.",
)
@json_option()
def compare(
    models: tuple[str, ...],
    cards: Path | None,
    markdown: bool,
    html: Path | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Compare MODELs, or all that have a card, figure by figure.

    \b
    Examples:
      calozoo compare
      calozoo compare caloclouds3 optimum.x9 --html leaderboard.html
      calozoo compare --plot speed.png
    """
    if as_json and markdown:
        msg = "--json and --markdown are two forms of one table; leave one out."
        raise click.UsageError(msg)
    from calozoo.benchmark.measurements import read_measurements
    from calozoo.cards.card import MEASUREMENTS, card_link, find_card, read_cards
    from calozoo.cards.leaderboard import leaderboard, leaderboard_markdown

    if html is not None:
        from calozoo.plotting.html_page import check_html

        check_html(html)
    if models:
        folders = dict.fromkeys(find_card(model, cards) for model in models)
        measured = [read_measurements(folder / MEASUREMENTS) for folder in folders]
    else:
        measured = read_cards(cards)
    board = leaderboard(measured)
    if html is not None:
        from calozoo.cards.leaderboard_page import leaderboard_page
        from calozoo.plotting.html_page import write_html

        write_html(html, leaderboard_page(measured, lambda name: card_link(name, html, cards)))
        click.echo(f"{html}  written", err=True)
    if picture is not None:
        from calozoo.cards.speed_fidelity import plot_speed_fidelity

        plot_speed_fidelity(measured, picture)
        click.echo(f"drawn to {picture}", err=True)
    if as_json:
        click.echo(json.dumps(asdict(board), indent=1))
    elif markdown:
        click.echo(leaderboard_markdown(board), nl=False)
    elif html is None and picture is None:
        click.echo(leaderboard_text(board))


def card_text(markdown: str) -> str:
    """Card for a terminal: no front matter, headings bold, tables in columns."""
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


def leaderboard_text(board: Leaderboard) -> str:
    """Leaderboard in aligned columns, with the best bold and the worst red on a terminal."""
    is_terminal = sys.stdout.isatty()
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
        parts.append(
            "\n".join(
                "  ".join(
                    _styled(cell, mark) if is_terminal else cell
                    for cell, mark in zip(row, row_marks, strict=True)
                ).rstrip()
                for row, row_marks in zip(_justified(table), marks, strict=True)
            )
        )
    return "\n\n".join([*parts, "\n".join([LEGEND, *board.notes])])


def _styled(cell: str, mark: str) -> str:
    if mark == "":
        return cell
    return click.style(cell, bold=True) if mark == "best" else click.style(cell, fg="red")


def _columns(table: list[str]) -> list[str]:
    """Lines of a Markdown table in columns, the header underlined."""
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]
    lines = ["  ".join(row).rstrip() for row in _justified([header, *rows])]
    return [click.style(lines[0], underline=True), *lines[1:]]


def _justified(rows: list[list[str]] | list[tuple[str, ...]]) -> list[list[str]]:
    """Cells of the same width in each column: the first to the left, others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        for row in rows
    ]
