"""`calozoo pull`: a model's weights onto this machine."""

from __future__ import annotations

import json
from pathlib import Path

import click

from calozoo.cli.progress import readable_size

__all__ = ["pull"]


@click.command()
@click.argument("model", metavar="MODEL[@REVISION]")
@click.option("--offline", is_flag=True, help="Ask nothing of the network.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Copy the checked files here too.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def pull(model: str, offline: bool, folder: Path | None, as_json: bool) -> None:
    """Get a model's weights, check them, and say where they came from.

    They are looked for in the Hugging Face cache, then in the plugin itself, then on the Hub. What
    is downloaded stays in the Hugging Face cache; HF_HOME says where that is.

    \b
    calozoo pull caloclouds3
    calozoo pull caloclouds3@v1.0 --dir weights
    """
    from calozoo import catalog

    pulled = catalog.pull(model, offline=offline)
    if folder is not None:
        pulled = pulled.copy_to(folder)
    if pulled.note:
        click.echo(f"calozoo: {pulled.note}", err=True)
    if as_json:
        click.echo(json.dumps({"model": pulled.model} | pulled.as_dict(), indent=2))
        return
    click.echo(f"{pulled.model}  {pulled.source}")
    for file in pulled.files:
        place = pulled.folder / file.name if pulled.folder else file.name
        click.echo(f"  {place}  {readable_size(file.size)}  sha256 {file.sha256[:12]}")
