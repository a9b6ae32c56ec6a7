"""`calozoo plugin new`: a new plugin from a template."""

from __future__ import annotations

import json
from pathlib import Path

import click

from calozoo.cli.options import json_option

__all__ = ["plugin"]


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
