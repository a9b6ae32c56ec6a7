"""`calozoo doctor`: report on this installation, with what to type where something is broken."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from typing import TYPE_CHECKING

import click

from calozoo.cli.options import json_option, offline_option

if TYPE_CHECKING:
    from calozoo.doctor import Finding

__all__ = ["doctor"]

MARKS = {"ok": "✓", "warning": "!", "broken": "✗", "skipped": "-"}
PLAIN_MARKS = MARKS | {"ok": "+", "broken": "X"}
COLOURS = {"ok": "green", "warning": "yellow", "broken": "red", "skipped": None}
INDENT, WIDTH = 13, 100


@click.command(short_help="Say what is broken here, and what to type.")
@offline_option
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long importing one plugin, library or model may take; the Hub gets 20 at most.",
)
@click.option(
    "--verbose", "-v", is_flag=True, help="A line for every model, also where all is well."
)
@json_option()
def doctor(offline: bool, timeout: float, verbose: bool, as_json: bool) -> None:
    """Look over this installation, and say what is broken and what to type.

    Looked at are Python and its packages, torch and its devices, threads, the plugins, each model's
    code, data files, weights and card, the cache, and the way to the Hub. Nothing is changed.
    Exit code 1 if something is broken (✗); 0 if not, also with warnings (!).

    \b
    Examples:
      calozoo doctor
      calozoo doctor --offline --json
    """
    from calozoo.doctor import examine

    found: list[Finding] = []
    for _, group in groupby(examine(limit=timeout, offline=offline), key=lambda one: one.check):
        findings = list(group)
        found += findings
        if not as_json:
            for finding in findings if verbose else _summed_up(findings):
                click.echo("\n".join(_lines(finding)))
    n = {status: sum(one.status == status for one in found) for status in MARKS}
    if as_json:
        report = {"broken": n["broken"], "warnings": n["warning"]}
        click.echo(json.dumps(report | {"findings": list(map(asdict, found))}, indent=2))
    else:
        broken = f"{n['broken']} broken" if n["broken"] else "nothing is broken"
        warnings = f", {n['warning']} to look at" if n["warning"] else ""
        click.echo(f"{broken}{warnings}", err=True)
    if n["broken"]:
        click.get_current_context().exit(1)


def _summed_up(findings: Sequence[Finding]) -> Iterator[Finding]:
    """The findings of a check, those that are ok in one, and those with one detail in one each."""
    alike: dict[tuple[str, str], list[Finding]] = {}
    for one in findings:
        alike.setdefault((one.status, "" if one.status == "ok" else one.detail), []).append(one)
    for (status, _), group in alike.items():
        first, *others = group
        subjects = ", ".join(one.subject for one in group)
        if status == "ok" and others:
            yield replace(first, subject="", detail=f"{len(group)} as they should be: {subjects}")
        else:
            same = all(one.advice == first.advice for one in others)
            yield replace(first, subject=subjects, advice=first.advice if same else "")


def _lines(finding: Finding) -> Iterator[str]:
    can_draw = "utf" in (sys.stdout.encoding or "").lower()
    mark = (MARKS if can_draw else PLAIN_MARKS)[finding.status]
    subject = f"{finding.subject}: " if finding.subject else ""
    first, *others = textwrap.wrap(
        subject + finding.detail, WIDTH - INDENT, break_long_words=False, break_on_hyphens=False
    )
    yield f"{click.style(mark, fg=COLOURS[finding.status])} {finding.check:<{INDENT - 4}}  {first}"
    for line in (*others, *([finding.advice] if finding.advice else [])):
        yield " " * INDENT + line
