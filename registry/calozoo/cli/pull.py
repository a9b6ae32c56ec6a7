"""`calozoo pull`: download of a model's weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from calozoo.cli.completion import complete_models
from calozoo.cli.options import json_option, offline_option
from calozoo.cli.output import readable_size

if TYPE_CHECKING:
    from calozoo.models.weights import Pulled

__all__ = ["pull"]


@click.command(short_help="Get a model's weights, and check them.")
@click.argument("model", metavar="MODEL[@REVISION]", shell_complete=complete_models)
@offline_option
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Copy the checked files here too.",
)
@json_option()
def pull(model: str, offline: bool, folder: Path | None, as_json: bool) -> None:
    """Get a model's weights, check them, and say where they came from.

    They are looked for in the Hugging Face cache, then in the plugin itself, then on the Hub. What
    is downloaded stays in the Hugging Face cache; HF_HOME says where that is.

    hub:ORG/NAME means the weights in that repository of the Hub, whether or not any index knows it.
    The plugin they were made for has to be installed. The main branch is taken if no revision is
    named, and its commit is printed. Exit code 1 if they cannot be had or are damaged.

    \b
    Examples:
      calozoo pull caloclouds3
      calozoo pull caloclouds3@v1.0 --dir weights
      calozoo pull hub:my-lab/photons@v1.0
    """
    from calozoo import api

    pulled = api.pull(model, offline=offline)
    if folder is not None:
        pulled = pulled.copy_to(folder)
    if as_json:
        click.echo(json.dumps({"model": pulled.model} | pulled.as_dict(), indent=2))
    else:
        click.echo(_summary(pulled))
    if pulled.note:
        click.echo(f"calozoo: {pulled.note}", err=True)


def _summary(pulled: Pulled) -> str:
    lines = [f"{pulled.model}  {pulled.source}"]
    for file in pulled.files:
        place = pulled.folder / file.name if pulled.folder else file.name
        lines.append(f"  {place}  {readable_size(file.size)}  sha256 {file.sha256[:12]}")
    return "\n".join(lines)
