"""`calozoo train` and `calozoo convert`: weights, trained on showers or taken from the authors."""

from __future__ import annotations

from pathlib import Path

import click

from calozoo.cli.completion import complete_models
from calozoo.cli.options import json_option, overwrite_option, weights_out_option
from calozoo.cli.output import StoppedError, weights_report

__all__ = ["convert", "train"]


@click.command()
@click.argument("model", shell_complete=complete_models)
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder with shower files: train/*.h5 to fit, val/*.h5 to choose by.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for weights, checkpoints and logs; a training that was stopped goes on there.",
)
@click.option(
    "-o",
    "--option",
    "words",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the model's own; a name that does not exist lists those that do.",
)
@json_option()
def train(model: str, data: Path, out: Path, words: tuple[str, ...], as_json: bool) -> None:
    """Train MODEL on showers, and write its weights to a folder.

    \b
    Examples:
      calozoo train caloclouds3.ild-photon --data ild_photons --out run1 -o seed=2
      calozoo generate --model caloclouds3 --weights run1 --energy 50 --out showers.h5
    """
    from calozoo.training import parse_options, train_model

    try:
        train_model(model, data, out, parse_options(words))
    except KeyboardInterrupt:
        msg = "stopped; the same command goes on from the last checkpoint."
        raise StoppedError(msg) from None
    click.echo(weights_report(model, out) if as_json else out)


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
      calozoo convert caloclouds3.ild-photon published.pt --out published
      calozoo generate --model caloclouds3 --weights published --energy 50 --out showers.h5
    """
    from calozoo.training import convert_files

    convert_files(model, source, out, overwrite=overwrite)
    click.echo(weights_report(model, out) if as_json else out)
