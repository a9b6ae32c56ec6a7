"""The picture of a refinement: every observable before and after, out into its tails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from calozoo.plotting.showers import save_picture
from calozoo_core.refining import OBSERVABLES, TailScore
from calozoo_core.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from calozoo.refinement.report import RefinementReport
    from calozoo.refinement.validation import Judged

__all__ = ["draw_tails"]

SIZE_INCHES: Final = (7.2, 7.6)
BINS: Final = 13
REACH: Final = 2.5
"""Decimal logarithm of the odds where the last bins begin to end: ranks of 0.003 and 0.997."""
BEFORE, AFTER, GREY = "#d55e00", "#0072b2", "#d4d4d4"


def draw_tails(
    picture: Path, judged: tuple[Judged, Judged, Judged], report: RefinementReport
) -> None:
    """Draw the ratio to Geant4 in bins of rank, which are narrow in the tails.

    The rank of a shower says which part of Geant4's showers of its energy and angle lie below it.
    Geant4's own showers fill every bin of rank as it is wide, so a perfect model is 1 everywhere.

    Arguments:
        picture: `.png`, `.pdf` or `.svg`; replaced if it is there.
        judged: Geant4's held-out showers, the model's and the refined model's.
        report: What is said of them.

    Raises:
        CalozooError: If matplotlib is not installed, or the picture cannot be written.
    """
    save_picture(picture, lambda: _figure(judged, report))


def _figure(judged: tuple[Judged, Judged, Judged], report: RefinementReport) -> Figure:
    from matplotlib.figure import Figure

    truth, *others = (one.sample for one in judged)
    score = TailScore(truth)
    ranks = [(score.ranks(sample) + 1) / 2 for sample in others]
    n = len(truth)
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots(4, 2, sharex=True, sharey=True).ravel()
    for k, (one, observable) in enumerate(zip(axes, OBSERVABLES, strict=True)):
        _draw(one, [rank[:, k] for rank in ranks], n)
        one.set_title(observable.label.partition(" [")[0], fontsize=8)
    for one in axes[-2:]:
        one.set_xlabel("part of Geant4's showers below")
    for one in axes[::2]:
        one.set_ylabel("model / Geant4")
    handles = [*axes[0].collections[:1], *axes[0].containers]
    axes[0].legend(handles, ["error of Geant4's", report.model, report.refined], fontsize=6.5)
    return figure


def _draw(axes: Axes, ranks: list[FloatArray], n_reference: int) -> None:
    places = np.linspace(-REACH, REACH, BINS + 1)
    edges = 10**places / (1 + 10**places)
    edges[[0, -1]] = 0, 1  # what is farther out is in the last bins
    widths = np.diff(edges)
    middles = (places[1:] + places[:-1]) / 2
    error = 1 / np.sqrt(widths * n_reference)
    axes.fill_between(middles, 1 - error, 1 + error, step="mid", color=GREY, lw=0)
    for rank, colour in zip(ranks, (BEFORE, AFTER), strict=True):
        counts = np.histogram(rank, edges)[0]
        ratio = counts / len(rank) / widths
        axes.errorbar(
            middles,
            ratio,
            np.sqrt(np.maximum(counts, 1)) / len(rank) / widths,
            fmt="o",
            ms=3,
            lw=0.8,
            color=colour,
        )
    axes.axhline(1, color="black", lw=0.6)
    axes.set_ylim(0, 3)
    shown = np.array([0.01, 0.1, 0.5, 0.9, 0.99])
    axes.set_xticks(np.log10(shown / (1 - shown)), [f"{part:g}" for part in shown])
