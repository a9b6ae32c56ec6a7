"""The leaderboard as a page: in Markdown, and for a browser."""

from __future__ import annotations

from html import escape
from typing import Final

from calozoo.cards.leaderboard import Leaderboard, Row

__all__ = ["as_html", "as_markdown"]


def _with_papers(board: Leaderboard) -> dict[str, tuple[Row, ...]]:
    papers = {"What papers print, on their own samples and machines": board.papers}
    return board.tables | (papers if board.papers else {})


_INTRODUCTION: Final = (
    "Written by `calozoo compare --markdown` from the measurements of the "
    "[cards](../cards/calozoo_cards); the **best** of each row is bold, the *worst* in italics. "
    "How it was measured: [The benchmark](benchmark.md)."
)


def as_markdown(board: Leaderboard) -> str:
    """The leaderboard as a page: the best bold, the worst in italics."""
    around = {"best": "**", "worst": "*", "": ""}
    parts = [
        "# Leaderboard",
        _INTRODUCTION,
        "\n".join(f"- {note}" for note in board.notes),
    ]
    for title, rows in _with_papers(board).items():
        header = ["", *board.models, "noise floor"]
        lines = [header, ["---", *["---:"] * (len(header) - 1)]]
        for row in rows:
            marked = [
                f"{around[mark]}{entry.text}{around[mark]}"
                for entry, mark in zip(row.entries, row.marks, strict=True)
            ]
            lines.append([row.label, *marked, row.floor])
        parts += [f"## {title}", "\n".join("| " + " | ".join(line) + " |" for line in lines)]
    return "\n\n".join(parts) + "\n"


_STYLE: Final = """
body { font-family: sans-serif; margin: 2em auto; max-width: 90em; padding: 0 1em; color: #222; }
table { border-collapse: collapse; margin: 1em 0 2em; }
th, td { padding: 0.3em 0.8em; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 2px solid #1f4e79; }
.best { font-weight: bold; color: #1f6e3a; }
.worst { color: #a33b2a; text-decoration: underline; }
.floor { color: #777; }
"""


def as_html(board: Leaderboard) -> str:
    """The leaderboard as a page for a browser, with nothing outside it."""
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>',
        f"<title>calozoo: leaderboard</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
        "<h1>Leaderboard</h1>",
        '<p>Of each row, the <span class="best">best</span> and the',
        '<span class="worst">worst</span> are marked.</p>\n<ul>',
        *(f"<li>{escape(note)}</li>" for note in board.notes),
        "</ul>",
    ]
    for title, rows in _with_papers(board).items():
        heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in board.models)
        parts.append(
            f'<h2>{escape(title)}</h2>\n<table>\n<thead><tr><th scope="col"></th>{heads}'
            '<th scope="col">noise floor</th></tr></thead>\n<tbody>'
        )
        for row in rows:
            cells = "".join(
                f'<td class="{mark}">{escape(entry.text)}</td>'
                if mark
                else f"<td>{escape(entry.text)}</td>"
                for entry, mark in zip(row.entries, row.marks, strict=True)
            )
            floor = f'<td class="floor">{escape(row.floor)}</td>'
            parts.append(f'<tr><th scope="row">{escape(row.label)}</th>{cells}{floor}</tr>')
        parts.append("</tbody>\n</table>")
    return "\n".join([*parts, "</body>\n</html>"]) + "\n"
