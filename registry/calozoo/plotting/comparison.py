"""Comparison plots: histograms and curves of all samples above, ratios to Geant4 below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from calozoo.plotting.style import BAND, FILL, OUTLINE
from calozoo_core.observables import (
    BLOCKS,
    Histogram,
    ObservableAccumulator,
    energy_windows,
    response_curve,
)
from calozoo_core.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Panel", "PlottedSample", "draw_curve", "draw_histogram"]

RATIO_REACHES = (0.02, 0.05, 0.1, 0.2, 0.5)
WELL_KNOWN = 0.25
"""Relative error below which a ratio counts."""


@dataclass(frozen=True, eq=False)
class PlottedSample:
    """Sample in a plot.

    Arguments:
        label: Label in the legend.
        accumulator: Its observables.
        colour: Colour of its line.
    """

    label: str
    accumulator: ObservableAccumulator
    colour: str


@dataclass(frozen=True)
class Panel:
    """Histogram of a plot.

    Arguments:
        name: Name of the observable.
        x: Label of the horizontal axis; None for that of the observable.
        y: Label of the contents.
        log: Whether contents are drawn on a logarithmic axis.
        per: Normalisation of the contents: per shower, per shower and width of the bin, or to a
            sum of 1.
        rebin: Number of bins of the observable in one bin of the plot.
        zoom: Whether the axis ends where the contents of the reference end.
    """

    name: str
    y: str
    x: str | None = None
    log: bool = False
    per: Literal["shower", "width", "sum"] = "shower"
    rebin: int = 1
    zoom: bool = False


class _Drawn(NamedTuple):
    """Contents of a histogram and their errors, shape (bins,)."""

    values: FloatArray
    errors: FloatArray


class _Ratios(NamedTuple):
    """Ratios of a sample to the reference: where, value, error of both; shape (n,). Its colour."""

    x: FloatArray
    values: FloatArray
    errors: FloatArray
    colour: str


def draw_histogram(
    axes: Axes,
    ratio: Axes,
    panel: Panel,
    reference: ObservableAccumulator,
    models: Sequence[PlottedSample],
) -> None:
    """Draw an observable of the reference and of the models.

    Arguments:
        axes: Axes of the histograms.
        ratio: Axes of their ratios; shares the horizontal axis.
        panel: The histogram.
        reference: Observables of Geant4.
        models: Samples of models.
    """
    import mplhep

    truth = reference.histogram(panel.name)
    binning = truth.observable.binning
    edges = binning.edges[:: panel.rebin]
    grey = _contents(truth, edges, panel)
    mplhep.histplot(
        grey.values, edges, ax=axes, histtype="fill", color=FILL, label="Geant4", zorder=0
    )
    mplhep.histplot(
        grey.values, edges, ax=axes, histtype="step", color=OUTLINE, lw=0.7, yerr=False, zorder=1
    )
    _band(axes, edges, grey.values, grey.errors)
    _band(ratio, edges, np.ones_like(grey.values), _over(grey.errors, grey.values))
    found, heights, drawn = [], [grey.values], []
    for model in models:
        mine = _contents(model.accumulator.histogram(panel.name), edges, panel)
        mplhep.histplot(
            mine.values,
            edges,
            ax=axes,
            histtype="step",
            yerr=mine.errors,
            color=model.colour,
            lw=1.1,
            label=model.label,
            zorder=3,
        )
        found.append(_draw_ratio(ratio, edges, mine, grey, model.colour))
        drawn.append((mine.values, model.colour))
        # A model far off may leave the picture, so that the others can be seen; marks say where.
        heights.append(np.minimum(mine.values, 2 * grey.values.max(initial=0)))
    if binning.spacing == "log":
        axes.set_xscale("log")
    axes.set_xlim(_ends(edges, grey.values) if panel.zoom else (edges[0], edges[-1]))
    _set_height(axes, heights, panel.log)
    for values, colour in drawn:
        _mark_beyond(axes, _middles(edges), values, colour)
    axes.set_ylabel(panel.y)
    _finish_ratio(ratio, found)
    ratio.set_xlabel(panel.x or truth.observable.label)


def draw_curve(
    axes: Axes,
    ratio: Axes,
    quantity: Literal["linearity", "resolution"],
    reference: ObservableAccumulator,
    models: Sequence[PlottedSample],
) -> None:
    """Draw the linearity or the resolution over incident energy.

    Arguments:
        axes: Axes of the curves.
        ratio: Axes of their ratios; shares the horizontal axis.
        quantity: Which of the two.
        reference: Observables of Geant4.
        models: Samples of models.
    """
    windows = energy_windows(reference.responses.energy_gev)
    truth = _points(reference, windows, quantity)
    scale = 100 if quantity == "resolution" else 1
    grey: dict[str, Any] = {
        "color": OUTLINE,
        "marker": "s",
        "ms": 4,
        "mfc": FILL,
        "lw": 0.8,
        "label": "Geant4",
    }
    energy, value, error = (np.array(column) for column in _columns(truth))
    axes.errorbar(energy, scale * value, scale * error, **grey)
    ratio.fill_between(
        energy, 1 - _over(error, value), 1 + _over(error, value), color=BAND, alpha=0.6, lw=0
    )
    found = []
    for model in models:
        mine = _points(model.accumulator, windows, quantity)
        both = [e for e in mine if e in truth]
        there, values, errors = (np.array(c) for c in _columns({e: mine[e] for e in both}))
        line: dict[str, Any] = {"color": model.colour, "marker": "o", "ms": 2.8, "lw": 1.0}
        axes.errorbar(there, scale * values, scale * errors, label=model.label, **line)
        known = np.array([truth[e][0] for e in both])
        ratio.errorbar(there, _over(values, known), _over(errors, known), **line)
        found.append(_Ratios(there, _over(values, known), _over(errors, known), model.colour))
    units = {
        "linearity": r"$\mu_{90}$ / $E$ [MeV/GeV]",
        "resolution": r"$\sigma_{90}/\mu_{90}$ [%]",
    }
    axes.set_ylabel(units[quantity])
    _finish_ratio(ratio, found)
    ratio.set_xlabel("incident energy [GeV]")
    if not truth:
        _write_in_middle(axes, "too few showers at each energy")


def _points(
    accumulator: ObservableAccumulator, windows: Sequence[Any], quantity: str
) -> dict[float, tuple[float, float]]:
    found = response_curve(accumulator.responses, windows, BLOCKS)
    return {
        point.window.centre_gev: (getattr(point, quantity), getattr(point, f"{quantity}_error"))
        for point in found
    }


def _columns(points: dict[float, tuple[float, float]]) -> tuple[list[float], ...]:
    return list(points), [v for v, _ in points.values()], [e for _, e in points.values()]


def _contents(histogram: Histogram, edges: FloatArray, panel: Panel) -> _Drawn:
    """Contents between these edges, with errors from the scatter between blocks of showers."""
    inner = histogram.blocks[:, 1:-1]
    bins = len(edges) - 1
    blocks = inner[:, : bins * panel.rebin].reshape(len(inner), bins, panel.rebin).sum(axis=2)
    norm = blocks.sum(axis=1) if panel.per == "sum" else histogram.showers
    total = max(norm.sum(), 1e-300)
    mean = blocks.sum(axis=0) / total
    filled = norm > 0
    away = blocks[filled] - norm[filled, None] * mean
    factor = filled.sum() / max(filled.sum() - 1, 1)
    error = np.sqrt(factor * (away**2).sum(axis=0)) / total
    width = np.diff(edges) if panel.per == "width" else 1.0
    return _Drawn(mean / width, error / width)


def _draw_ratio(axes: Axes, edges: FloatArray, mine: _Drawn, truth: _Drawn, colour: str) -> _Ratios:
    there = (truth.values > 0) & (mine.values > 0)
    middle = _middles(edges)
    value = _over(mine.values, truth.values)[there]
    error = _over(mine.errors, truth.values)[there]
    half = np.abs(np.array([middle - edges[:-1], edges[1:] - middle]))[:, there]
    axes.errorbar(middle[there], value, error, half, fmt="none", ecolor=colour, elinewidth=0.9)
    known = np.hypot(error, value * _over(truth.errors, truth.values)[there])
    return _Ratios(middle[there], value, known, colour)


def _middles(edges: FloatArray) -> FloatArray:
    is_log = len(edges) > 2 and not np.allclose(np.diff(edges), edges[1] - edges[0])
    middle: FloatArray = np.sqrt(edges[:-1] * edges[1:]) if is_log else (edges[:-1] + edges[1:]) / 2
    return middle


def _over(one: FloatArray, other: FloatArray) -> FloatArray:
    """Ratio, 0 where the denominator is not positive."""
    quotient: FloatArray = np.divide(one, other, out=np.zeros_like(other), where=other > 0)
    return quotient


def _band(axes: Axes, edges: FloatArray, values: FloatArray, errors: FloatArray) -> None:
    axes.stairs(
        values + errors,
        edges,
        baseline=np.maximum(values - errors, 0),
        fill=True,
        color=BAND,
        alpha=0.6,
        lw=0,
        zorder=2,
    )


def _ends(edges: FloatArray, values: FloatArray) -> tuple[float, float]:
    """Limits of the axis, with a tenth of a percent of the contents beyond either."""
    if not values.sum() > 0:
        return float(edges[0]), float(edges[-1])
    share = np.cumsum(values) / values.sum()
    first = int(np.searchsorted(share, 1e-3))
    last = int(np.searchsorted(share, 1 - 1e-3))
    return float(edges[max(first - 2, 0)]), float(edges[min(last + 3, len(edges) - 1)])


def _set_height(axes: Axes, drawn: Sequence[FloatArray], log: bool) -> None:
    """Set the limits of the vertical axis: the reference, which is first, and the models."""
    truth = drawn[0][drawn[0] > 0]
    filled = np.concatenate([truth, *drawn[1:]])
    if len(truth) == 0:
        axes.set_ylim(0, 1)
        _write_in_middle(axes, "nothing to draw")
    elif log:
        axes.set_yscale("log")
        axes.set_ylim(truth.min() / 2, filled.max() * 3)
    else:
        axes.set_ylim(0, 1.12 * filled.max())


def _write_in_middle(axes: Axes, why: str) -> None:
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", color="0.4")


def _finish_ratio(axes: Axes, found: Sequence[_Ratios]) -> None:
    """Set the narrowest range that holds 95 % of the ratios well known; mark the others."""
    known = [one.values[one.errors < WELL_KNOWN] for one in found]
    away = np.abs(np.concatenate([np.zeros(0), *known]) - 1)
    typical = float(np.quantile(away, 0.95)) if len(away) else 0.0
    reach = next((r for r in RATIO_REACHES if typical < 0.9 * r), 0.95)
    axes.axhline(1, color="0.35", lw=0.6, zorder=0)
    axes.set_ylim(1 - reach, 1 + reach)
    axes.set_ylabel("ratio")
    for one in found:
        is_known = one.errors < WELL_KNOWN * np.maximum(one.values, 1)
        _mark_beyond(axes, one.x[is_known], one.values[is_known], one.colour)


def _mark_beyond(axes: Axes, x: FloatArray, y: FloatArray, colour: str) -> None:
    """Triangles on the edge of the picture, where values leave it upwards or are below it."""
    low, high = axes.get_ylim()
    left, right = axes.get_xlim()
    is_shown = (x >= left) & (x <= right)
    sides = [(y > high, 1, "^")]
    if axes.get_yscale() == "linear":
        sides.append((y < low, 0, "v"))
    for is_beyond, edge, marker in sides:
        at = x[is_shown & is_beyond]
        style: dict[str, Any] = {"color": colour, "ms": 3.4, "mew": 0, "zorder": 5}
        (line,) = axes.plot(at, np.full(len(at), edge), marker, clip_on=False, **style)
        line.set_transform(axes.get_xaxis_transform())
        line.set_in_layout(False)
