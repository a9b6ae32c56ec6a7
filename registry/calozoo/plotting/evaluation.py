"""Plots of an evaluation: every observable of the samples over that of the reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from calozoo.plotting.comparison import Panel, PlottedSample, draw_curve, draw_histogram
from calozoo.plotting.style import COLOURS, check_folder, save_picture
from calozoo_core.errors import ShowerFileError
from calozoo_core.metrics.sample_distances import FEWEST_FOR_CORRELATIONS, correlations
from calozoo_core.observables import ObservableAccumulator

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from calozoo.evaluation.evaluate import Evaluation

__all__ = ["draw", "draw_overview"]

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
LINE_INCHES = 0.15
WIDE_INCHES = (7.2, 3.1)


def draw(evaluations: Sequence[Evaluation], folder: Path, suffix: str = "png") -> list[Path]:
    """Draw every observable of some samples over one reference.

    Arguments:
        evaluations: Evaluations against the same reference.
        folder: Folder of the pictures; made if it is not there, pictures in it are replaced.
        suffix: "png", "pdf" or "svg".

    Returns:
        The pictures.

    Raises:
        CalozooError: If a library is not installed, or a picture cannot be written.
    """
    check_folder(folder)
    _make(folder)
    return [save_picture(folder / f"{name}.{suffix}", page) for name, page in _pages(evaluations)]


def draw_overview(
    reference: ObservableAccumulator,
    models: Mapping[str, ObservableAccumulator],
    title: str,
    picture: Path,
) -> None:
    """Draw the nine most important observables on one page.

    Arguments:
        reference: Observables of Geant4.
        models: Observables of models, by their label in the legend.
        title: Title above the legend.
        picture: `.png`, `.pdf` or `.svg`, replaced if it is there; its folder is made.

    Raises:
        CalozooError: If a library is not installed, or the picture cannot be written.
    """
    check_folder(picture.parent)
    _make(picture.parent)
    samples = [
        PlottedSample(label, accumulator, COLOURS[i % len(COLOURS)])
        for i, (label, accumulator) in enumerate(models.items())
    ]
    save_picture(picture, partial(_overview, reference, samples, title))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        msg = f"{folder} cannot be written: {str(error.strerror).lower()}."
        raise ShowerFileError(msg) from error


def _pages(evaluations: Sequence[Evaluation]) -> Iterator[tuple[str, Callable[[], Figure]]]:
    reference, models = evaluations[0].reference, _samples(evaluations)
    title = _title(evaluations[0])
    yield "overview", partial(_overview, reference, models, title)
    for name, panel in PROFILES.items():
        yield name, partial(_single, panel, reference, models, title)
    same = [model for model in models if model.accumulator.point_kind == reference.point_kind]
    for name, panel in POINTS.items() if same else ():
        yield name, partial(_single, panel, reference, same, title)
    yield "centre_of_gravity", partial(_row, CENTRES, reference, models, title)
    yield "angles_100", partial(_row, ANGLES[:3], reference, models, title)
    yield "angles_4", partial(_row, ANGLES[3:], reference, models, title)
    yield "response", partial(_response, reference, models, title)
    accumulators = [reference, *(model.accumulator for model in models)]
    if all(len(accumulator) >= FEWEST_FOR_CORRELATIONS for accumulator in accumulators):
        yield "correlations", partial(_correlations, reference, models)


def _samples(evaluations: Sequence[Evaluation]) -> list[PlottedSample]:
    """Generated samples, each with a label of its own."""
    names = [evaluation.report.generated.generator.partition(" ")[0] for evaluation in evaluations]
    stems = [Path(evaluation.report.generated.file).stem for evaluation in evaluations]
    return [
        PlottedSample(
            label=name if names.count(name) == 1 else f"{name} ({stem})",
            accumulator=evaluation.generated,
            colour=COLOURS[i % len(COLOURS)],
        )
        for i, (name, stem, evaluation) in enumerate(zip(names, stems, evaluations, strict=True))
    ]


def _title(evaluation: Evaluation) -> str:
    reference, sample = evaluation.reference, evaluation.report.reference
    energy = reference.responses.energy_gev
    low, high = float(energy.min()), float(energy.max())
    energies = f"{low:.3g} GeV" if high < 1.001 * low else f"{low:.3g}-{high:.3g} GeV"
    particle = {"gamma": r"$\gamma$", "e-": "$e^-$", "e+": "$e^+$"}.get(
        sample.particle, sample.particle
    )
    return f"{particle}, {energies}, {reference.readout}"


def _new(size: tuple[float, float]) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=0.02, hspace=0))


def _parts(figure: Figure, rows: int, columns: int) -> list[SubFigure]:
    parts: Any = figure.subfigures(rows, columns, squeeze=False)
    return list(parts.flat)


def _pair(figure: Figure | SubFigure) -> Pair:
    """Axes of histograms, and below them of ratios."""
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    return above, below


def _single(
    panel: Panel, reference: ObservableAccumulator, models: Sequence[PlottedSample], title: str
) -> Figure:
    width, height = SINGLE_INCHES
    figure = _new((width, height + LINE_INCHES * len(models)))
    above, below = _pair(figure)
    draw_histogram(above, below, panel, reference, models)
    _head(figure, above, title, columns=1)
    return figure


def _row(
    panels: Sequence[Panel],
    reference: ObservableAccumulator,
    models: Sequence[PlottedSample],
    title: str,
) -> Figure:
    figure = _new(WIDE_INCHES)
    for i, (part, panel) in enumerate(zip(_parts(figure, 1, len(panels)), panels, strict=True)):
        above, below = _pair(part)
        draw_histogram(above, below, panel, reference, models)
        if i == 0:
            _head(figure, above, title)
    return figure


def _response(
    reference: ObservableAccumulator, models: Sequence[PlottedSample], title: str
) -> Figure:
    figure = _new(WIDE_INCHES)
    parts = _parts(figure, 1, 2)
    for part, quantity in zip(parts, CURVES, strict=True):
        above, below = _pair(part)
        draw_curve(above, below, quantity, reference, models)
        if quantity == "linearity":
            _head(figure, above, title)
    return figure


def _overview(
    reference: ObservableAccumulator, models: Sequence[PlottedSample], title: str
) -> Figure:
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


def _head(figure: Figure, axes: Axes, title: str, columns: int | None = None) -> None:
    """Title and legend above all panels, in one line by default; the legend of one of them."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=columns or len(labels),
        title=title,
        title_fontsize=7.5,
    )


def _correlations(reference: ObservableAccumulator, models: Sequence[PlottedSample]) -> Figure:
    """Correlations between layers of Geant4, of each model, and their difference."""
    truth = correlations(reference.correlations, "layer")
    mine = [correlations(model.accumulator.correlations, "layer") for model in models]
    reach = max([0.1, *(float(np.nanmax(np.abs(one - truth), initial=0)) for one in mine)])
    figure = _new((7.2, 2.35 * len(models)))
    grid: Any = figure.subplots(len(models), 3, sharex=True, sharey=True, squeeze=False)
    for row, model, one in zip(grid, models, mine, strict=True):
        shown = [
            ("Geant4", truth, 1.0),
            (model.label, one, 1.0),
            ("difference", one - truth, reach),
        ]
        for axes, (name, matrix, limit) in zip(row, shown, strict=True):
            image = axes.imshow(
                np.ma.masked_invalid(matrix),
                origin="lower",
                cmap="PuOr" if name == "difference" else "RdBu_r",
                vmin=-limit,
                vmax=limit,
                extent=(0, len(matrix), 0, len(matrix)),
            )
            axes.set_title(name, loc="left")
            axes.tick_params(which="both", color="0.3")
            if axes is not row[0]:
                label = "model - Geant4" if name == "difference" else "correlation"
                figure.colorbar(image, ax=axes, shrink=0.8, pad=0.02, label=label)
        row[0].set_ylabel("layer")
    for axes in grid[-1]:
        axes.set_xlabel("layer")
    return figure
