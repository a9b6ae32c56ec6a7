"""Plot of speed against fidelity: time of a shower, AUC of a classifier, and the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calozoo.benchmark.measurements import Measurements
from calozoo.plotting.style import COLOURS, check_picture, save_picture
from calozoo_core.errors import InputError
from calozoo_core.metrics.classifier import CLASSIFIER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "SpeedFidelity",
    "description",
    "draw_speed_fidelity",
    "pareto_front",
    "plot_speed_fidelity",
    "speed_and_fidelity",
]

SIZE_INCHES: Final = (6.4, 3.4)
LABEL_GAP: Final = 0.055
"""Least distance of two labels, as a fraction of the axis."""


@dataclass(frozen=True)
class SpeedFidelity:
    """Speed and fidelity of a model.

    Arguments:
        model: Its name.
        milliseconds: Time of a shower that is generated alone, mean over the energies.
        auc: AUC of a classifier that tells its showers from Geant4's; 0.5 is best.
        error: Error of the AUC.
    """

    model: str
    milliseconds: float
    auc: float
    error: float


def speed_and_fidelity(measured: Sequence[Measurements]) -> tuple[SpeedFidelity, ...]:
    """Speed and fidelity of those models that have both, the fastest first."""
    found = []
    for one in measured:
        figure = one.figures.get((CLASSIFIER, "auc"))
        if figure is None or figure.value is None or not one.timings:
            continue
        time = one.timings[0].mean_ms(attrgetter("single_ms"))
        found.append(SpeedFidelity(one.spec.name, time, figure.value, figure.error or 0.0))
    return tuple(sorted(found, key=attrgetter("milliseconds")))


def pareto_front(points: Sequence[SpeedFidelity]) -> tuple[SpeedFidelity, ...]:
    """Models that no other beats in both speed and fidelity, the fastest first.

    Example:
        >>> fast, slow = SpeedFidelity("fast", 1, 0.9, 0), SpeedFidelity("slow", 2, 0.95, 0)
        >>> [point.model for point in pareto_front([slow, fast])]
        ['fast']
    """
    front: list[SpeedFidelity] = []
    for point in sorted(points, key=lambda point: (point.milliseconds, point.auc)):
        if not front or point.auc < front[-1].auc:
            front.append(point)
    return tuple(front)


def plot_speed_fidelity(measured: Sequence[Measurements], picture: Path) -> None:
    """Draw speed against fidelity.

    Arguments:
        measured: Measurements of each model.
        picture: `.png`, `.pdf` or `.svg`; replaced if it is there.

    Raises:
        CalozooError: If matplotlib is not installed, or the picture cannot be written.
        InputError: If no model has both a time and an AUC, or the suffix is none of these.
    """
    check_picture(picture)
    points = speed_and_fidelity(measured)
    if not points:
        msg = "None of these models has both a time and an AUC; `calozoo benchmark` measures them."
        raise InputError(msg)
    save_picture(picture, lambda: draw_speed_fidelity(points), description=description(points))


def description(points: Sequence[SpeedFidelity]) -> str:
    """Numbers of the plot in words, which the picture carries with it."""
    texts = (f"{p.model}: {p.milliseconds:.2f} ms, AUC {p.auc:.4f}" for p in points)
    return "; ".join(texts)


def draw_speed_fidelity(points: Sequence[SpeedFidelity]) -> Figure:
    """Figure of speed against fidelity, with the Pareto front and a name for each point.

    Arguments:
        points: Models to draw, one at least.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    times = [point.milliseconds for point in points]
    low, high = min(0.5, *(p.auc - p.error for p in points)), max(p.auc + p.error for p in points)
    margin = 0.05 * (high - low)
    axes.set_xscale("log")
    axes.set_xlim(min(times) / 1.6, max(times) * 1.6)
    axes.set_ylim(low - margin, high + margin)
    axes.axhline(0.5, color="0.6", lw=0.8, ls=":")
    axes.plot(
        *_front_line(points, axes.get_xlim()[1], axes.get_ylim()[1]),
        drawstyle="steps-post",
        color=COLOURS[5],
        lw=1.2,
        label="Pareto front",
    )
    for point in points:
        axes.errorbar(
            point.milliseconds, point.auc, point.error, fmt="o", ms=4.5, lw=1, color=COLOURS[1]
        )
    _label(axes, points)
    axes.set_xlabel("time of a shower, generated alone on one core [ms]")
    axes.set_ylabel("AUC of a classifier against Geant4")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.text(
        0.02,
        0.5,
        "cannot be told from Geant4",
        transform=axes.get_yaxis_transform(),
        va="bottom",
        fontsize=7,
        color="0.4",
    )
    # Above the axes, where neither points nor lines are.
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)
    return figure


def _front_line(
    points: Sequence[SpeedFidelity], right: float, top: float
) -> tuple[list[float], list[float]]:
    """Steps along the Pareto front, from the upper edge over its models to the right one."""
    front = pareto_front(points)
    times = [point.milliseconds for point in front]
    aucs = [point.auc for point in front]
    return [times[0], *times, right], [top, *aucs, aucs[-1]]


def _label(axes: Axes, points: Sequence[SpeedFidelity]) -> None:
    """Names at the right edge, no two over each other, each with a line to its point."""
    low, high = axes.get_ylim()
    gap = LABEL_GAP * (high - low)
    right = axes.get_xlim()[1]
    last = high
    for point in sorted(points, key=lambda point: (-point.auc, point.milliseconds)):
        height = min(point.auc, last - gap)
        axes.plot([point.milliseconds, right], [point.auc, height], color="0.75", lw=0.5, zorder=0)
        axes.text(right * 1.04, height, point.model, va="center", fontsize=7.5)
        last = height
