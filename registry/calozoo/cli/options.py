"""Options that several commands share, as decorators of click."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from calozoo.cli.completion import complete_detectors

__all__ = [
    "batch_size_option",
    "cards_option",
    "combined",
    "device_option",
    "dry_run_option",
    "extrapolate_option",
    "is_given",
    "json_option",
    "offline_option",
    "overwrite_option",
    "place_option",
    "precision_option",
    "quiet_option",
    "seed_option",
    "threads_option",
    "weights_option",
    "weights_out_option",
    "workers_option",
]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

quiet_option: Decorator = click.option(
    "--quiet", is_flag=True, help="Print nothing on stderr but errors."
)

offline_option: Decorator = click.option("--offline", is_flag=True, help="Do not use the network.")

dry_run_option: Decorator = click.option(
    "--dry-run", is_flag=True, help="Print what would be removed, and remove nothing."
)

cards_option: Decorator = click.option(
    "--cards",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Folder that `calozoo benchmark --out` wrote; by default the cards of calozoo.",
)

weights_out_option: Decorator = click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for config.json and model.safetensors.",
)

threads_option: Decorator = click.option(
    "--threads",
    type=int,
    metavar="N",
    help="Threads, where a model uses several; by default all cores.",
)


def combined(*options: Decorator) -> Decorator:
    """Several options as one decorator; the help lists them in this order."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def is_given(name: str) -> bool:
    """True if the command line has an option, also one with its default value.

    Arguments:
        name: Name of the argument.
    """
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE


def json_option(help: str = "Print a JSON object.") -> Decorator:
    """Flag `--json`, the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help=help)


def overwrite_option(what: str = "a file") -> Decorator:
    """Flag `--overwrite`.

    Arguments:
        what: What it replaces, with its article.
    """
    verb = "are" if what == "weights" else "is"
    return click.option(
        "--overwrite", is_flag=True, help=f"Replace {what} that {verb} already there."
    )


def extrapolate_option(model: str) -> Decorator:
    """Flag `--extrapolate`.

    Arguments:
        model: "the model", or "a model" where there may be several.
    """
    return click.option(
        "--extrapolate",
        is_flag=True,
        help=f"Allow conditions outside the training range of {model}.",
    )


def seed_option(help: str) -> Decorator:
    """Option `--seed`, 0 by default."""
    return click.option("--seed", type=int, default=0, show_default=True, metavar="N", help=help)


def workers_option(help: str) -> Decorator:
    """Option `--workers`, at least 1; None if it is not given."""
    return click.option("--workers", type=click.IntRange(min=1), metavar="N", help=help)


def batch_size_option(help: str) -> Decorator:
    """Option `--batch-size`; None if it is not given."""
    return click.option("--batch-size", type=int, metavar="N", help=help)


def device_option(help: str) -> Decorator:
    """Option `--device`, cpu by default."""
    return click.option(
        "--device",
        type=click.Choice(["cpu", "cuda"]),
        default="cpu",
        show_default=True,
        help=help,
    )


def precision_option(help: str) -> Decorator:
    """Option `--precision`; None if it is not given."""
    return click.option("--precision", type=click.Choice(["float32", "bfloat16"]), help=help)


def weights_option(help: str) -> Decorator:
    """Option `--weights`, a folder that is there; None if it is not given."""
    return click.option(
        "--weights",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        metavar="DIR",
        help=help,
    )


def place_option(help: str) -> Decorator:
    """Option `--place`, the name of a detector or its file; None if it is not given."""
    return click.option("--place", metavar="DETECTOR", shell_complete=complete_detectors, help=help)
