"""`calozoo show`: summary and pictures of a file of showers or of events."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from calozoo.cli.options import json_option
from calozoo.cli.output import aligned, readable_size

if TYPE_CHECKING:
    from calozoo.events.file_summary import EventFileSummary
    from calozoo.generation.file_summary import FileSummary, RunningMean

__all__ = ["show"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--plot",
    "picture",
    type=click.Path(path_type=Path),
    metavar="PICTURE",
    help="Draw the showers, or an event, as .png, .pdf or .svg; a picture that is there is "
    "replaced.",
)
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PAGE",
    help="Write a page with showers or events in 3D that needs nothing but a browser; one that is "
    "there is replaced.",
)
@click.option(
    "--beside",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Another file of the same primaries, to stand beside the first in --html; twice for a "
    "third.",
)
@click.option(
    "--event",
    type=int,
    metavar="I",
    help="The shower or event to draw in --plot, and the first in --html, counted from 0; by "
    "default 0.",
)
@click.option(
    "--count",
    type=click.IntRange(min=1),
    metavar="N",
    help="Showers or events in --html; by default 20.",
)
@click.option(
    "--reconstruct",
    is_flag=True,
    help="Find photons in events, and draw them in --plot or --html.",
)
@json_option()
def show(
    file: Path,
    picture: Path | None,
    page: Path | None,
    beside: tuple[Path, ...],
    event: int | None,
    count: int | None,
    reconstruct: bool,
    as_json: bool,
) -> None:
    """Print a summary of the showers or events in FILE, and draw them.

    \b
    Examples:
      calozoo show showers.h5
      calozoo show showers.h5 --plot showers.png --event 3
      calozoo show geant4.h5 --beside model.h5 --html showers.html
      calozoo show events.h5 --reconstruct --html events.html
    """
    from calozoo_core.io import ShowerFile
    from calozoo_core.io.events import is_event_file

    _check_options(picture, page, beside, event, count, reconstruct=reconstruct)
    if is_event_file(file):
        summary, rows = _show_events(
            file, picture, page, beside, event or 0, count, reconstruct=reconstruct
        )
    elif reconstruct:
        ShowerFile(file).close()  # a file that is missing or damaged is refused as that
        msg = f"{file} holds no events to find photons in; leave out --reconstruct."
        raise click.UsageError(msg)
    else:
        summary, rows = _show_showers(file, picture, page, beside, event or 0, count)
    if as_json:
        import json

        click.echo(json.dumps(summary, indent=2))
    else:
        click.echo(aligned(rows))
    for drawn in (picture, page):
        if drawn is not None:
            click.echo(f"drawn to {drawn}", err=True)


def _check_options(
    picture: Path | None,
    page: Path | None,
    beside: tuple[Path, ...],
    event: int | None,
    count: int | None,
    *,
    reconstruct: bool,
) -> None:
    """Refuse options that nothing is drawn for.

    Raises:
        UsageError: If there is one.
    """
    if page is None and (beside or count is not None):
        option = "--beside" if beside else "--count"
        msg = f"{option} belongs to --html; add --html PAGE."
        raise click.UsageError(msg)
    if page is None and picture is None and (event is not None or reconstruct):
        what = "--event is a shower to draw" if event is not None else "--reconstruct is drawn"
        msg = f"{what}; add --plot PICTURE or --html PAGE."
        raise click.UsageError(msg)


def _show_showers(
    file: Path,
    picture: Path | None,
    page: Path | None,
    beside: tuple[Path, ...],
    event: int,
    count: int | None,
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Draw what is asked for of a file of showers; its summary for JSON, and as rows."""
    from calozoo.generation.file_summary import summarise

    _check_outputs(picture, page)
    summary, text = summarise(file), ""
    if page is not None:
        from calozoo.plotting.event_display import COUNT, event_display

        text = event_display([file, *beside], first=event, count=count or COUNT)
    if picture is not None:
        from calozoo.plotting.showers import plot_file

        plot_file(file, picture, event=event)
    _write_page(page, text)
    return summary.as_dict(), _rows(summary)


def _show_events(
    file: Path,
    picture: Path | None,
    page: Path | None,
    beside: tuple[Path, ...],
    event: int,
    count: int | None,
    *,
    reconstruct: bool,
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Draw what is asked for of a file of events; its summary for JSON, and as rows."""
    from calozoo.events.file_summary import summarise_events

    _check_outputs(picture, page)
    summary, text = summarise_events(file), ""
    if page is not None:
        from calozoo.plotting.event_display import COUNT
        from calozoo.plotting.event_display.simulated import simulated_event_display

        text = simulated_event_display(
            [file, *beside], first=event, count=count or COUNT, reconstruct=reconstruct
        )
    if picture is not None:
        from calozoo.plotting.events import plot_event_file

        plot_event_file(file, picture, event=event, reconstruct=reconstruct)
    _write_page(page, text)
    return summary.as_dict(), _event_rows(summary)


def _check_outputs(picture: Path | None, page: Path | None) -> None:
    """Refuse a picture or a page that cannot be written, before a large file is read."""
    if picture is not None:
        from calozoo.plotting.style import check_picture

        check_picture(picture)
    if page is not None:
        from calozoo.plotting.html_page import check_html

        check_html(page)


def _write_page(page: Path | None, text: str) -> None:
    """Write the page, once nothing else can fail."""
    if page is not None:
        from calozoo.plotting.html_page import write_html

        write_html(page, text)


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


def _event_rows(summary: EventFileSummary) -> list[tuple[str, str]]:
    rows = [("file", f"{summary.file} ({readable_size(summary.n_bytes)})")]
    if summary.model is not None:
        rows.append(("made by", f"{summary.model}, seed {summary.seed}"))
    primaries = [f"{n} {name}" for name, n in summary.particles.items()]
    rows += [
        ("events", str(summary.n_events)),
        ("primaries", ", ".join(primaries) or "none"),
        (
            "energy of a primary",
            _range(summary.energy_gev, "GeV") if summary.energy_gev else "none",
        ),
        ("energy of an event", f"{_measured(summary.event_energy_gev)} GeV"),
    ]
    if summary.detector is None:
        return [*rows, ("hits", "none: calozoo simulate makes them")]
    return [
        *rows,
        ("by the model", f"{summary.n_by_model} of {sum(summary.particles.values())} primaries"),
        ("hits", f"{summary.detector}, from {summary.hits_threshold_mev:g} MeV"),
        ("energy of hits", f"{_measured(summary.hit_energy_mev)} MeV per event"),
        ("hits per event", _measured(summary.hits_per_event)),
    ]


def _range(bounds: tuple[float, float], unit: str) -> str:
    low, high = (f"{bound:.4g}" for bound in bounds)
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"


def _measured(mean: RunningMean) -> str:
    """Text of a mean and its error."""
    from calozoo_core.metrics.result import format_with_error

    return format_with_error(mean.value, mean.error) if mean.error else f"{mean.value:.4g}"
