"""`calozoo train` and `calozoo convert`: weights, trained on showers or taken from the authors."""

from __future__ import annotations

from pathlib import Path

import click

from calozoo.cli.completion import complete_models
from calozoo.cli.options import json_option, overwrite_option, weights_out_option
from calozoo.cli.output import weights_report
from calozoo.cli.signals import StoppedError
from calozoo_core.errors import InputError

__all__ = ["convert", "train"]


@click.command()
@click.argument("model", shell_complete=complete_models)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder with shower files: train/*.h5 to fit, val/*.h5 to choose by. A model of the "
    "CaloChallenge's voxels also takes a file of its data set 2.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for weights, checkpoints and logs; a training that was stopped goes on there.",
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE.yaml",
    help="data, out, options and tracking from a file, such as the train.yaml that every training "
    "writes beside its weights; options of the command replace its own.",
)
@click.option(
    "-o",
    "--option",
    "words",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the model's own; a name that does not exist lists those that do.",
)
@click.option(
    "--tracking",
    metavar="mlflow[:URI]",
    help="Server for parameters, metrics and weights, which become a version in its registry of "
    "models; without URI that of MLFLOW_TRACKING_URI.",
)
@click.option(
    "--devices",
    type=int,
    metavar="N",
    help="Processes of this machine that share each batch; with -o device=cuda one GPU each.",
)
@click.option(
    "--nodes",
    type=int,
    metavar="M",
    help="Machines that share it; the same command is started on each, as by srun.",
)
@click.option(
    "--walltime",
    metavar="[HH:]MM:SS",
    help="Time after which it must be gone: it stops before, with a checkpoint. The end of a SLURM "
    "job is known without it.",
)
@json_option()
def train(
    model: str,
    data: Path | None,
    out: Path | None,
    config_file: Path | None,
    words: tuple[str, ...],
    tracking: str | None,
    devices: int | None,
    nodes: int | None,
    walltime: str | None,
    as_json: bool,
) -> None:
    """Train MODEL on showers, and write its weights to a folder.

    \b
    Examples:
      calozoo train caloclouds3.ild-photon --data ild_photons --out run1 -o seed=2
      calozoo train caloclouds3.ild-photon --config run1/train.yaml --out run2 -o seed=3
      calozoo train caloclouds3.ild-photon --data ild_photons --out run3 --devices 4
      calozoo train caloinn.calochallenge2-electron --data dataset_2_1.hdf5 --out run4
      calozoo generate --model caloclouds3.ild-photon --weights run1 --energy 50 --out showers.h5
    """
    from calozoo.training import parse_options, train_model
    from calozoo.training_record import TrainConfig, read_train_config

    config = TrainConfig() if config_file is None else read_train_config(config_file)
    _check_model(config.model, model, config_file)
    folder, target = data or _path(config.data), out or _path(config.out)
    for given, name in ((folder, "--data"), (target, "--out")):
        if given is None:
            msg = f"Missing option '{name}'."
            raise InputError(msg)
    assert folder is not None
    assert target is not None
    asked = {
        "devices": devices,
        "nodes": nodes,
        "walltime_minutes": None if walltime is None else _minutes(walltime),
    }
    options = config.options | parse_options(words)
    options |= {name: value for name, value in asked.items() if value is not None}
    try:
        train_model(model, folder, target, options, tracking=tracking or config.tracking)
    except KeyboardInterrupt as interrupt:
        msg = (
            f"stopped{_reason(str(interrupt))}; the same command goes on from the last checkpoint."
        )
        raise StoppedError(msg) from None
    click.echo(weights_report(model, target) if as_json else target)


def _reason(said: str) -> str:
    """Reason of the stop, as it stands in a sentence; Ctrl-C needs no word."""
    if said.startswith("SIG"):
        return "" if said == "SIGINT" else f" by {said}"
    return f" before {said}" if said else ""


def _minutes(walltime: str) -> float:
    """Minutes of a time as batch systems write it: MM, MM:SS or HH:MM:SS.

    Raises:
        InputError: If it is none.

    Example:
        >>> _minutes("01:30:00"), _minutes("10"), _minutes("00:30")
        (90.0, 10.0, 0.5)
    """
    parts = walltime.split(":")
    if not all(part.isdecimal() for part in parts) or len(parts) > 3 or not int("".join(parts)):
        msg = f"Cannot read the walltime {walltime!r}; write hours:minutes:seconds, as 02:00:00."
        raise InputError(msg)
    seconds = [int(part) for part in ([*parts, "0"] if len(parts) == 1 else parts)]
    return sum(n * 60.0**power for power, n in enumerate(reversed(seconds))) / 60


def _check_model(configured: str | None, model: str, config_file: Path | None) -> None:
    """Refuse the configuration of another model.

    Raises:
        InputError: If it is of another.
    """
    from calozoo.api import find_model

    if configured is not None and find_model(configured).name != find_model(model).name:
        msg = f"{config_file} is the configuration of {configured}, not of {model}."
        raise InputError(msg)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


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
      calozoo generate --model caloclouds3.ild-photon --weights published --energy 50 --out s.h5
    """
    from calozoo.training import convert_files

    convert_files(model, source, out, overwrite=overwrite)
    click.echo(weights_report(model, out) if as_json else out)
