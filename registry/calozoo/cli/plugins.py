"""`calozoo plugins`: what is installed, and what of it does not work."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import click

from calozoo.cli.table import aligned

if TYPE_CHECKING:
    from calozoo.plugins import PluginFailure, Registration

__all__ = ["plugins"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def plugins(as_json: bool) -> None:
    """List the installed plugins, the models they bring, and what of them cannot be used."""
    from calozoo import plugins as found

    # What is broken is this command's data, so it need not be said on stderr as well.
    logging.getLogger(found.__name__).setLevel(logging.ERROR)
    rows = _rows(list(found.registered().values()), found.failures())
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        click.echo("no plugin is installed; `pip install calozoo-toy` brings one.", err=True)
        return
    table = [("PLUGIN", "VERSION", "MODELS"), *map(_text, rows)]
    click.echo(aligned(table))


def _rows(models: list[Registration], failures: list[PluginFailure]) -> list[dict[str, Any]]:
    """One row a distribution, in the order of their names."""
    rows: dict[str, dict[str, Any]] = {}
    everything: list[Registration | PluginFailure] = [*models, *failures]
    for found in everything:
        row = {"distribution": found.distribution, "version": found.version or None}
        rows.setdefault(found.distribution, row | {"models": [], "errors": []})
    for registration in models:
        rows[registration.distribution]["models"].append(registration.spec.name)
    for failure in failures:
        rows[failure.distribution]["errors"].append(
            {"entry_point": failure.entry_point or None, "error": failure.reason}
        )
    return [rows[name] for name in sorted(rows)]


def _text(row: dict[str, Any]) -> tuple[str, str, str]:
    parts = [", ".join(row["models"])] if row["models"] else []
    parts += [f"not used: {error['error']}" for error in row["errors"]]
    return row["distribution"], row["version"] or "-", "; ".join(parts)
