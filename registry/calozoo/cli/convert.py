"""`calozoo convert`: a model's weights, from its authors' files."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["convert"]


@click.command()
@click.argument("model")
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for config.json and model.safetensors.",
)
@click.option("--overwrite", is_flag=True, help="Replace weights that are already there.")
def convert(model: str, source: Path, out: Path, overwrite: bool) -> None:
    """Convert SOURCE, a file or folder of MODEL's authors, into weights that calozoo loads.

    \b
    calozoo convert caloclouds3 published.pt --out published
    calozoo generate --model caloclouds3 --weights published --energy 50 --out showers.h5
    """
    from calozoo.training import convert_files

    convert_files(model, source, out, overwrite=overwrite)
    click.echo(out)
