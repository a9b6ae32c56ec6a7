"""`calozoo plugins` and `calozoo plugin new`: the installed plugins, and a new one."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from calozoo.cli.options import json_option
from calozoo.cli.output import aligned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calozoo.models.discovery import Plugin, PluginFailure, Registration

__all__ = ["plugin", "plugins"]

HEADINGS = ("PLUGIN", "VERSION", "API", "HOOKS", "MODELS")


@click.command(short_help="List the installed plugins, and what is wrong with them.")
@json_option("Print a JSON array.")
def plugins(as_json: bool) -> None:
    """List the installed plugins, the models they bring, and what of them cannot be used.

    API is the version of the contract that its models were written for. Below the table, a plugin
    that is broken, too old, too new or left out is named with the reason and what to type.

    \b
    Examples:
      calozoo plugins
      calozoo plugins --json
    """
    from calozoo.models import discovery as found

    # The errors are this command's data, so they are not logged as well.
    logging.getLogger(found.__name__).setLevel(logging.ERROR)
    rows = _rows(found.plugins(), list(found.registered().values()), found.failures())
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        click.echo("no plugin is installed; `pip install calozoo-toy` brings one.", err=True)
        return
    click.echo(aligned([HEADINGS, *map(_text, rows)]))
    for row in rows:
        for error in row["errors"]:
            click.echo(f"\n{row['distribution']} is not used: {error['error']}")
            if error["advice"]:
                click.echo(f"  {error['advice']}")


def _rows(
    looked_at: Sequence[Plugin], models: Sequence[Registration], failures: Sequence[PluginFailure]
) -> list[dict[str, Any]]:
    """One row a distribution, in the order of their names."""
    rows: dict[str, dict[str, Any]] = {}
    everything: list[Plugin | Registration | PluginFailure] = [*looked_at, *models, *failures]
    for found in everything:
        about = {"distribution": found.distribution, "version": found.version or None}
        empty = {"plugin_api": [], "hooks": [], "models": [], "left_out": False, "errors": []}
        rows.setdefault(found.distribution, about | empty)
    for plugin in looked_at:
        rows[plugin.distribution]["hooks"] += plugin.hooks
        rows[plugin.distribution]["left_out"] |= plugin.is_left_out
    for registration in models:
        row = rows[registration.distribution]
        row["models"].append(registration.spec.name)
        row["plugin_api"] = sorted({*row["plugin_api"], registration.spec.plugin_api})
    for failure in failures:
        fault = {"entry_point": failure.entry_point or None, "error": failure.reason}
        rows[failure.distribution]["errors"].append(fault | {"advice": failure.advice or None})
    return [rows[name] for name in sorted(rows)]


def _text(row: dict[str, Any]) -> tuple[str, ...]:
    apis = ", ".join(map(str, row["plugin_api"])) or "-"
    models = ", ".join(row["models"])
    if row["left_out"]:
        models = f"left out by CALOZOO_LOAD_PLUGINS; add {row['distribution']} to it, or unset it"
    elif row["errors"]:
        models = f"{models}; not used, see below" if models else "not used, see below"
    return row["distribution"], row["version"] or "-", apis, ", ".join(row["hooks"]) or "-", models


@click.group(short_help="Write a plugin of your own.")
def plugin() -> None:
    """Write a plugin of your own (`calozoo plugins` lists those that are installed).

    \b
    Examples:
      calozoo plugin new drizzle
    """


@plugin.command(short_help="Write a new plugin with a small model.")
@click.argument("name")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The folder to write; by default calozoo-NAME here.",
)
@click.option("--author", metavar="TEXT", help="For the licence and the metadata.")
@click.option(
    "--detector",
    metavar="DETECTOR",
    default="ild_siecal_regular",
    show_default=True,
    help="That the model's showers belong to.",
)
@json_option()
def new(name: str, out: Path | None, author: str | None, detector: str, as_json: bool) -> None:
    """Write a new plugin: a distribution with a small model that learns photon showers.

    It has the model, its training, tests, a README that says what to type next, a licence and a
    workflow for GitHub. All of it is yours to change.

    \b
    Examples:
      calozoo plugin new drizzle
      calozoo plugin new late-rain --author "Ada Lovelace" --out work/late-rain
    """
    from calozoo.scaffold import new_plugin

    written = new_plugin(name, out, author=author, detector=detector)
    if as_json:
        click.echo(json.dumps(written.as_dict(), indent=2))
        return
    click.echo(written.folder)
    click.echo(f"{written.folder / 'README.md'} says what to type next", err=True)
