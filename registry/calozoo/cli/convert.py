"""`calozoo convert`: published weights of a model, converted for calozoo."""

from __future__ import annotations

from pathlib import Path

import click

from calozoo.cli.completion import complete_models
from calozoo.cli.options import json_option, overwrite_option, weights_out_option
from calozoo.cli.output import weights_report

__all__ = ["convert"]


@click.command(short_help="Convert a model's published weights for calozoo.")
@click.argument("model", shell_complete=complete_models)
@click.argument("source", type=click.Path(path_type=Path))
@weights_out_option
@overwrite_option("weights")
@json_option()
def convert(model: str, source: Path, out: Path, overwrite: bool, as_json: bool) -> None:
    """Convert SOURCE, a file or folder of MODEL's authors, into weights that calozoo loads.

    \b
    Examples:
      calozoo convert caloclouds3 published.pt --out published
      calozoo generate --model caloclouds3 --weights published --energy 50 --out showers.h5
    """
    from calozoo.training import convert_files

    convert_files(model, source, out, overwrite=overwrite)
    click.echo(weights_report(model, out) if as_json else out)
