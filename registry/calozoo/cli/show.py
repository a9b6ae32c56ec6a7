"""`calozoo show`: summary and picture of a shower file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from calozoo.cli.options import json_option
from calozoo.cli.output import aligned, readable_size

if TYPE_CHECKING:
    from calozoo.generation.file_summary import FileSummary, RunningMean

__all__ = ["show"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--plot",
    "picture",
    type=click.Path(path_type=Path),
    metavar="PICTURE",
    help="Draw the showers, as .png, .pdf or .svg; a picture that is there is replaced.",
)
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PAGE",
    help="Write a page with showers in 3D that needs nothing but a browser; one that is there is "
    "replaced.",
)
@click.option(
    "--beside",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Second file of the same primaries, to stand beside the first in --html.",
)
@click.option(
    "--event",
    type=int,
    metavar="I",
    help="The shower to draw in --plot, and the first in --html, counted from 0; by default 0.",
)
@click.option(
    "--count",
    type=click.IntRange(min=1),
    metavar="N",
    help="Showers in --html; by default 20.",
)
@json_option()
def show(
    file: Path,
    picture: Path | None,
    page: Path | None,
    beside: Path | None,
    event: int | None,
    count: int | None,
    as_json: bool,
) -> None:
    """Print a summary of the showers in FILE, and draw them.

    \b
    Examples:
      calozoo show showers.h5
      calozoo show showers.h5 --plot showers.png --event 3
      calozoo show geant4.h5 --beside model.h5 --html showers.html
    """
    from calozoo.generation.file_summary import summarise

    if page is None and (beside is not None or count is not None):
        option = "--count" if beside is None else "--beside"
        msg = f"{option} belongs to --html; add --html PAGE."
        raise click.UsageError(msg)
    if event is not None and page is None and picture is None:
        msg = "--event is a shower to draw; add --plot PICTURE or --html PAGE."
        raise click.UsageError(msg)
    if page is not None:
        from calozoo.plotting.event_display import COUNT, event_display
        from calozoo.plotting.html_page import check_html, write_html

        check_html(page)
        files = [file] if beside is None else [file, beside]
        write_html(page, event_display(files, first=event or 0, count=count or COUNT))
    if picture is not None:
        from calozoo.plotting.showers import plot_file

        plot_file(file, picture, event=event or 0)
    summary = summarise(file)
    if as_json:
        import json

        click.echo(json.dumps(summary.as_dict(), indent=2))
    else:
        click.echo(aligned(_rows(summary)))
    if picture is not None:
        click.echo(f"drawn to {picture}", err=True)
    if page is not None:
        click.echo(f"drawn to {page}", err=True)


def _rows(summary: FileSummary) -> list[tuple[str, str]]:
    rows = [
        ("file", f"{summary.file} ({readable_size(summary.n_bytes)})"),
        ("made by", f"{summary.model}, seed {summary.seed}"),
        ("points", f"{summary.representation}, {summary.detector}"),
        ("particle", summary.particle),
        ("showers", str(summary.n_showers)),
        ("incident energy", _range(summary.energy_gev, "GeV")),
        ("angle to the normal", _range(summary.theta_deg, "deg")),
        ("visible energy", f"{_measured(summary.visible_energy_mev)} MeV per shower"),
        ("visible fraction", f"{_measured(summary.visible_percent)} % of the incident energy"),
        ("points per shower", _measured(summary.points_per_shower)),
    ]
    if summary.hits_detector is not None:
        rows += [
            ("hits", f"{summary.hits_detector}, from {summary.hits_threshold_mev:g} MeV"),
            ("energy of hits", f"{_measured(summary.hit_energy_mev)} MeV per shower"),
            ("hits per shower", _measured(summary.hits_per_shower)),
        ]
    return rows


def _range(bounds: tuple[float, float], unit: str) -> str:
    low, high = (f"{bound:.4g}" for bound in bounds)
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"


def _measured(mean: RunningMean) -> str:
    """Text of a mean and its error."""
    from calozoo_core.metrics.result import format_with_error

    return format_with_error(mean.value, mean.error) if mean.error else f"{mean.value:.4g}"
