"""`calozoo refine`: fit of the wrapper `+refined`, which corrects a model's tails."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from calozoo.cli.completion import complete_models
from calozoo.cli.options import (
    is_given,
    json_option,
    overwrite_option,
    quiet_option,
    seed_option,
    weights_option,
)
from calozoo.cli.output import aligned, batch_progress
from calozoo_core.markdown import table

if TYPE_CHECKING:
    from calozoo_core.wrappers import WrapperResult

__all__ = ["refine"]

SUFFIX = "+refined"


@click.command(short_help="Correct the tails of a model by Geant4 showers.")
@click.argument("model", shell_complete=complete_models)
@click.option(
    "--reference",
    "reference",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE|FOLDER",
    help="Geant4 showers; give it several times for several files.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for config.json, model.safetensors and the report.",
)
@click.option(
    "--mode",
    type=click.Choice(["accept-reject", "metropolis", "weights", "none"]),
    default="accept-reject",
    show_default=True,
    help="Use of the density ratio that a classifier estimates.",
)
@click.option(
    "--move/--no-move",
    "moves",
    default=True,
    help="Transport showers to Geant4's quantiles first; by default.",
)
@click.option(
    "--acceptance",
    type=click.FloatRange(0.05, 0.95),
    default=0.8,
    show_default=True,
    metavar="PART",
    help="Smallest acceptance, or effective sample size over the number of showers.",
)
@click.option(
    "--steps",
    type=click.IntRange(2, 100),
    default=2,
    show_default=True,
    metavar="N",
    help="Steps of a Metropolis-Hastings chain.",
)
@click.option(
    "--copies",
    type=click.IntRange(1, 100),
    default=2,
    show_default=True,
    metavar="N",
    help="Generated showers for each reference shower.",
)
@click.option(
    "--held-out",
    type=float,
    default=0.4,
    show_default=True,
    metavar="PART",
    help="Part of the reference for the evaluation, which the fit does not use.",
)
@weights_option("Weights of MODEL; by default its own.")
@seed_option("Seed of everything random.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw the tails before and after: .png, .pdf or .svg; replaced if it is there.",
)
@click.option("--markdown", is_flag=True, help="Print the tables as Markdown.")
@json_option("Print the report as a JSON object.")
@overwrite_option("a refinement")
@quiet_option
def refine(
    model: str,
    reference: tuple[Path, ...],
    out: Path,
    mode: str,
    moves: bool,
    acceptance: float,
    steps: int,
    copies: int,
    held_out: float,
    weights: Path | None,
    seed: int,
    plot: Path | None,
    markdown: bool,
    as_json: bool,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Fit a correction of MODEL's tails to Geant4 showers, and measure what it changes.

    The plugin calozoo-refine does the work: `pip install calozoo-refine`.

    \b
    Examples:
      calozoo refine caloinn.ild-photon --reference ild_photons --out refined
      calozoo generate --model caloinn.ild-photon+refined --weights refined --energy 50 --out f.h5
    """
    if as_json and markdown:
        msg = "--json and --markdown are two forms of one report; leave one out."
        raise click.UsageError(msg)
    if is_given("steps") and mode != "metropolis":
        msg = "--steps belongs to a chain; add --mode metropolis, or leave it out."
        raise click.UsageError(msg)
    from calozoo import api
    from calozoo.models.names import find_fitter

    fit = find_fitter(SUFFIX)
    if plot is not None:
        from calozoo.plotting.style import check_picture

        check_picture(plot)
    with (
        batch_progress(hidden=quiet) as progress,
        closing(api.load(model, weights=weights)) as generator,
    ):
        result = fit(
            generator,
            reference,
            out,
            overwrite=overwrite,
            on_start=progress.start,
            on_showers=progress.advance,
            mode=mode,
            moves=moves,
            acceptance=acceptance,
            steps=steps,
            copies=copies,
            held_out=held_out,
            seed=seed,
        )
    if as_json:
        click.echo(result.to_json())
    else:
        click.echo(_markdown(result) if markdown else _text(result))
    if plot is not None:
        from calozoo.plotting.style import save_picture

        save_picture(plot, result.figure)
    if not quiet:
        also = "" if plot is None else f", drawn in {plot}"
        click.echo(f"written to {out}{also}", err=True)


def _text(result: WrapperResult) -> str:
    """Summary and aligned tables of a fit."""
    return "\n\n".join(["\n".join(result.summary), *(aligned(rows) for rows in result.tables)])


def _markdown(result: WrapperResult) -> str:
    """Summary and tables of a fit as Markdown."""
    summary = "\n".join(f"- {line}" for line in result.summary)
    tables = (table(header, rows) for header, *rows in result.tables)
    return "\n\n".join([summary, *tables]) + "\n"
