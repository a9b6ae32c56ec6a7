"""The pictures of an evaluation: which there are, and how they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from calozoo.plotting.comparison import Panel, draw_curve, draw_histogram
from calozoo.plotting.style import COLOURS, STYLE, Curve, curves
from calozoo_core.errors import CalozooError, ShowerFileError
from calozoo_core.io.atomic import atomic_path
from calozoo_core.metrics.comparison import points_differ
from calozoo_core.metrics.sample_distances import FEWEST_FOR_CORRELATIONS, correlations
from calozoo_core.observables import ObservableAccumulator

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from calozoo.evaluation.evaluate import Evaluation

__all__ = ["check_folder", "draw", "draw_overview"]

Pair = tuple["Axes", "Axes"]

PROFILES = {
    "longitudinal": Panel("cells.layer_energy", "mean energy [MeV]"),
    "radial_100": Panel("cells.radial_energy_100", "mean energy [MeV/mm]", log=True, per="width"),
    "radial_30": Panel("cells.radial_energy_30", "mean energy [MeV/mm]", log=True, per="width"),
    "cell_spectrum": Panel("cells.spectrum", "cells per shower and bin", log=True),
    "occupancy": Panel(
        "cells.occupancy",
        "share of showers",
        "cells in a shower",
        per="sum",
        zoom=True,
    ),
    "visible_energy": Panel("cells.visible_energy", "share of showers", per="sum", zoom=True),
}

POINTS = {
    "point_spectrum": Panel("points.spectrum", "points per shower and bin", log=True),
    "point_longitudinal": Panel("points.layer_count", "mean number of points"),
}

CENTRES = (
    Panel("cells.centre_x", "share of showers", per="sum", zoom=True),
    Panel("cells.centre_y", "share of showers", per="sum", zoom=True),
    Panel("cells.centre_z", "share of showers", per="sum", zoom=True),
)

ANGLES = tuple(
    Panel(
        f"cells.{angle}_{share}",
        "share of showers",
        rf"$\Delta{symbol}$, {hits} [degrees]",
        per="sum",
    )
    for share, hits in (("100", "all hits"), ("4", "top 4 % of hits"))
    for angle, symbol in (("phi", r"\varphi"), ("theta", r"\theta"), ("angle", r"\alpha"))
)

Curved = Literal["linearity", "resolution"]
CURVES: tuple[Curved, ...] = ("linearity", "resolution")

SINGLE_INCHES = (3.5, 3.2)
WIDE_INCHES = (7.2, 3.1)


def check_folder(folder: Path) -> None:
    """Refuse to draw where that cannot be, before the showers are read.

    Raises:
        CalozooError: If a library is not installed, or there is no folder for the folder.
    """
    try:
        import matplotlib  # noqa: F401
        import mplhep  # noqa: F401
    except ImportError as error:
        msg = "Drawing needs matplotlib and mplhep; `pip install 'calozoo[plot]'` brings them."
        raise CalozooError(msg) from error
    if folder.exists() and not folder.is_dir():
        msg = f"{folder} is a file; give the name of a folder."
        raise CalozooError(msg)
    if not folder.parent.is_dir():
        msg = f"There is no folder {folder.parent}; make it, or draw elsewhere."
        raise CalozooError(msg)


def draw(evaluations: Sequence[Evaluation], folder: Path, suffix: str = "png") -> list[Path]:
    """Draw every observable of some samples over one reference.

    Arguments:
        evaluations: Of the same reference.
        folder: Made if it is not there; pictures of the same names are replaced.
        suffix: "png", "pdf" or "svg".

    Returns:
        The pictures.

    Raises:
        CalozooError: If a library is not installed, or a picture cannot be written.
    """
    check_folder(folder)
    from matplotlib import rc_context

    written = []
    try:
        folder.mkdir(exist_ok=True)
        with rc_context(STYLE):
            for name, page in _pages(evaluations):
                written.append(_saved(page(), folder / f"{name}.{suffix}"))
    except OSError as error:
        msg = f"{error.filename or folder} cannot be written: {str(error.strerror).lower()}."
        raise ShowerFileError(msg) from error
    return written


def draw_overview(
    reference: ObservableAccumulator,
    models: Mapping[str, ObservableAccumulator],
    title: str,
    picture: Path,
) -> None:
    """Draw the nine observables that say most, on one page.

    Arguments:
        reference: Geant4's sums.
        models: Those of samples, by what they are called in the legend.
        title: Above the legend.
        picture: `.png`, `.pdf` or `.svg`, replaced if it is there; its folder is made.

    Raises:
        CalozooError: If a library is not installed, or the picture cannot be written.
    """
    check_folder(picture.parent)
    from matplotlib import rc_context

    drawn = [
        Curve(label, tally, COLOURS[i % len(COLOURS)])
        for i, (label, tally) in enumerate(models.items())
    ]
    try:
        picture.parent.mkdir(exist_ok=True)
        with rc_context(STYLE):
            _saved(_overview(reference, drawn, title), picture)
    except OSError as error:
        msg = f"{picture} cannot be written: {str(error.strerror).lower()}."
        raise ShowerFileError(msg) from error


def _saved(figure: Figure, picture: Path) -> Path:
    with atomic_path(picture) as part:
        figure.savefig(part, format=picture.suffix[1:])
    return picture


def _pages(evaluations: Sequence[Evaluation]) -> Iterator[tuple[str, Callable[[], Figure]]]:
    reference, models = evaluations[0].reference, curves(evaluations)
    title = _title(evaluations[0])
    yield "overview", partial(_overview, reference, models, title)
    for name, panel in PROFILES.items():
        yield name, partial(_single, panel, reference, models, title)
    same = [model for model in models if points_differ(model.tally, reference) is None]
    for name, panel in POINTS.items() if same else ():
        yield name, partial(_single, panel, reference, same, title)
    yield "centre_of_gravity", partial(_row, CENTRES, reference, models, title)
    yield "angles_100", partial(_row, ANGLES[:3], reference, models, title)
    yield "angles_4", partial(_row, ANGLES[3:], reference, models, title)
    yield "response", partial(_response, reference, models, title)
    if all(len(tally) >= FEWEST_FOR_CORRELATIONS for tally in (reference, *_tallies(models))):
        yield "correlations", partial(_correlations, reference, models)


def _tallies(models: Sequence[Curve]) -> list[ObservableAccumulator]:
    return [model.tally for model in models]


def _title(evaluation: Evaluation) -> str:
    tally, sample = evaluation.reference, evaluation.report.reference
    energy = tally.responses.energy_gev
    low, high = float(energy.min()), float(energy.max())
    energies = f"{low:.3g} GeV" if high < 1.001 * low else f"{low:.3g}-{high:.3g} GeV"
    particle = {"gamma": r"$\gamma$", "e-": "$e^-$", "e+": "$e^+$"}.get(
        sample.particle, sample.particle
    )
    return f"{particle}, {energies}, {tally.readout}"


def _new(size: tuple[float, float]) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=0.02, hspace=0))


def _parts(figure: Figure, rows: int, columns: int) -> list[SubFigure]:
    parts: Any = figure.subfigures(rows, columns, squeeze=False)
    return list(parts.flat)


def _pair(figure: Figure | SubFigure) -> Pair:
    """Axes for histograms, and below them for ratios."""
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    return above, below


def _single(
    panel: Panel, reference: ObservableAccumulator, models: Sequence[Curve], title: str
) -> Figure:
    figure = _new(SINGLE_INCHES)
    above, below = _pair(figure)
    draw_histogram(above, below, panel, reference, models)
    above.legend(loc="upper right")
    above.set_title(title, loc="left")
    return figure


def _row(
    panels: Sequence[Panel], reference: ObservableAccumulator, models: Sequence[Curve], title: str
) -> Figure:
    figure = _new(WIDE_INCHES)
    for i, (part, panel) in enumerate(zip(_parts(figure, 1, len(panels)), panels, strict=True)):
        above, below = _pair(part)
        draw_histogram(above, below, panel, reference, models)
        if i == 0:
            _head(figure, above, title)
    return figure


def _response(reference: ObservableAccumulator, models: Sequence[Curve], title: str) -> Figure:
    figure = _new(WIDE_INCHES)
    parts = _parts(figure, 1, 2)
    for part, quantity in zip(parts, CURVES, strict=True):
        above, below = _pair(part)
        draw_curve(above, below, quantity, reference, models)
        if quantity == "linearity":
            _head(figure, above, title)
    return figure


def _overview(reference: ObservableAccumulator, models: Sequence[Curve], title: str) -> Figure:
    figure = _new((7.2, 7.9))
    shown: list[Panel | Curved] = [
        *(PROFILES[n] for n in ("longitudinal", "radial_30", "cell_spectrum", "occupancy")),
        PROFILES["visible_energy"],
        "resolution",
        ANGLES[3],
        ANGLES[4],
        CENTRES[1],
    ]
    for i, (part, panel) in enumerate(zip(_parts(figure, 3, 3), shown, strict=True)):
        above, below = _pair(part)
        if isinstance(panel, Panel):
            draw_histogram(above, below, panel, reference, models)
        else:
            draw_curve(above, below, panel, reference, models)
        if i == 0:
            _head(figure, above, title)
    return figure


def _head(figure: Figure, axes: Axes, title: str) -> None:
    """Above all panels: what was looked at, and who is who, as one of them has it."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=len(labels),
        title=title,
        title_fontsize=7.5,
    )


def _correlations(reference: ObservableAccumulator, models: Sequence[Curve]) -> Figure:
    """Correlations between layers: Geant4's, and each model's with its difference."""
    truth = correlations(reference.correlations, "layer")
    mine = [correlations(model.tally.correlations, "layer") for model in models]
    reach = max([0.1, *(float(np.nanmax(np.abs(one - truth), initial=0)) for one in mine)])
    figure = _new((7.2, 2.4 * len(models)))
    rows = np.atleast_2d(figure.subplots(len(models), 3, sharex=True, sharey=True, squeeze=False))
    for row, model, one in zip(rows, models, mine, strict=True):
        shown = [("Geant4", truth), (model.label, one), ("difference", one - truth)]
        for axes, (name, matrix) in zip(row, shown, strict=True):
            is_difference = name == "difference"
            limit = reach if is_difference else 1
            image = axes.imshow(
                np.ma.masked_invalid(matrix),
                origin="lower",
                cmap="PuOr" if is_difference else "RdBu_r",
                vmin=-limit,
                vmax=limit,
                extent=(0, len(matrix), 0, len(matrix)),
            )
            axes.set_title(name, loc="left")
            axes.tick_params(which="both", color="0.3")
            if axes is row[0]:
                axes.set_ylabel("layer")
            if row is rows[-1]:
                axes.set_xlabel("layer")
            if axes is not row[0]:
                bar = figure.colorbar(image, ax=axes, shrink=0.85, pad=0.02)
                bar.set_label("correlation" if not is_difference else "model - Geant4")
    return figure
