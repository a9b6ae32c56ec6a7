"""Figures of the physics benchmark: curves of photon pairs, and pi0 of tau decays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from calozoo.physics.pairs import BIN_MM, MOST_MM, PairMeasurement, mean_curve
from calozoo.physics.taus import OBSERVABLES, TauMeasurement
from calozoo.plotting.style import COLOURS, FILL, OUTLINE, check_picture, save_picture
from calozoo.reconstruction.truth import CATEGORIES
from calozoo_core.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_pairs", "plot_taus"]

NOTE = "photons only, calozoo's photon finder; charged hadrons, tracks and conversions are left out"
_AGAIN = " again"
_DARK = "#404040"
_FEWEST = 5  # pairs for a spread
_SHOWN_MM = 30.0
_LEGEND_COLUMNS = 3
_LEGEND_HANDLE_INCH, _LEGEND_LETTER_INCH = 0.45, 0.045
_NOTE_LETTERS_INCH = 20
_LEGEND_ROW_INCH = 0.16
_UNITS = {
    "mass": r"$M_{\gamma\gamma}$ [MeV]",
    "energy": r"$E_{rec} - E_{true}$ [GeV]",
    "theta": r"$\theta_{rec} - \theta_{true}$ [mrad]",
    "phi": r"$\phi_{rec} - \phi_{true}$ [mrad]",
}


def plot_pairs(
    measurements: Mapping[int, Mapping[str, Sequence[PairMeasurement]]], picture: Path
) -> Path:
    """Number of photons found, pairs resolved and spread of the sharing against the separation.

    Arguments:
        measurements: Measurements of each seed by energy and name; the first name is Geant4's.
        picture: Picture to write.

    Raises:
        CalozooError: If it cannot be drawn.
    """
    check_picture(picture)
    return save_picture(picture, lambda: _draw_pairs(measurements), description=NOTE)


def plot_taus(measurements: Mapping[str, Sequence[TauMeasurement]], picture: Path) -> Path:
    """Categories of pi0, and mass and errors of those that are right.

    Arguments:
        measurements: Measurements of each seed by name; the first name is Geant4's.
        picture: Picture to write.

    Raises:
        CalozooError: If it cannot be drawn.
    """
    check_picture(picture)
    return save_picture(picture, lambda: _draw_taus(measurements), description=NOTE)


def _draw_pairs(measurements: Mapping[int, Mapping[str, Sequence[PairMeasurement]]]) -> Figure:
    import matplotlib.pyplot as plt

    n = len(measurements)
    figure, grid = plt.subplots(
        4,
        n,
        figsize=(3.0 * n + 0.8, 7.6),
        sharex=True,
        squeeze=False,
        height_ratios=[2, 1, 1.5, 1.5],
    )
    for column, (energy, of_energy) in enumerate(measurements.items()):
        truth = next(iter(of_energy.values()))
        looks = _looks(of_energy)
        for row, curve in enumerate(_CURVES):
            axes = grid[row][column]
            for number, (name, seeds) in enumerate(of_energy.items()):
                _points(axes, looks[name], curve(seeds, truth), number)
            if column == 0:
                axes.set_ylabel(_CURVE_LABELS[row])
        grid[0][column].axhline(2, color="black", linewidth=0.5, linestyle=":")
        grid[1][column].set_ylim(0.8, 1.2)
        grid[0][column].set_title(f"{energy} GeV, {len(truth[0])} pairs")
        grid[3][column].set_xlabel("separation on the face [mm]")
        grid[3][column].set_xlim(0, _SHOWN_MM)
    _finish(figure, grid[0][0])
    return figure


def _points(axes: Axes, look: _Look, curve: tuple[FloatArray, FloatArray], number: int) -> None:
    """One curve with its errors: Geant4's as a grey band, models beside each other over it."""
    shown = int(_SHOWN_MM / BIN_MM)
    value, error = curve[0][:shown], np.nan_to_num(curve[1][:shown])
    if number == 0:
        edges = np.arange(shown + 1) * BIN_MM
        axes.stairs(value + error, edges, baseline=value - error, color=FILL, fill=True)
        axes.stairs(value, edges, baseline=None, color=OUTLINE, label=look.label)
        return
    x, y, e = (np.arange(shown) + 0.5) * BIN_MM, value, error
    shift = 0.28 * (number - 1) - 0.9
    axes.errorbar(
        x + shift,
        y,
        e,
        fmt=look.marker,
        markersize=2.2,
        elinewidth=0.8,
        color=look.colour,
        label=look.label,
    )


def _number(
    seeds: Sequence[PairMeasurement], _: Sequence[PairMeasurement]
) -> tuple[FloatArray, FloatArray]:
    return _mean_and_error(seeds, [one.n_found.astype(np.float64) for one in seeds])


def _ratio(
    seeds: Sequence[PairMeasurement], truth: Sequence[PairMeasurement]
) -> tuple[FloatArray, FloatArray]:
    value, error = _number(seeds, truth)
    reference, _ = _number(truth, truth)
    return value / reference, error / reference


def _resolved(
    seeds: Sequence[PairMeasurement], _: Sequence[PairMeasurement]
) -> tuple[FloatArray, FloatArray]:
    return _mean_and_error(seeds, [one.is_resolved.astype(np.float64) for one in seeds])


def _sharing(
    seeds: Sequence[PairMeasurement], _: Sequence[PairMeasurement]
) -> tuple[FloatArray, FloatArray]:
    """Spread of the sharing of pairs found as two."""
    separation = np.concatenate([one.separation for one in seeds])
    sharing = np.concatenate([one.sharing for one in seeds])
    is_two = np.isfinite(sharing)
    separation, sharing = separation[is_two], sharing[is_two]
    mean = mean_curve(separation, sharing)
    spread = np.sqrt(np.maximum(mean_curve(separation, sharing**2) - mean**2, 0))
    counts = _counts(separation)
    spread[counts < _FEWEST] = np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        return spread, spread / np.sqrt(2 * counts)


_CURVES = (_number, _ratio, _resolved, _sharing)
_CURVE_LABELS = ("photons found", "over Geant4's", "pairs resolved", "spread of sharing")


def _mean_and_error(
    seeds: Sequence[PairMeasurement], values: Sequence[FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Means in bins of the separation over all seeds, and their statistical errors."""
    separation, every = np.concatenate([m.separation for m in seeds]), np.concatenate(values)
    mean, square = mean_curve(separation, every), mean_curve(separation, every**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(np.maximum(square - mean**2, 0) / _counts(separation))
    return mean, error


def _counts(separation: FloatArray) -> IntArray:
    n_bins = int(MOST_MM / BIN_MM)
    number = np.clip((separation / BIN_MM).astype(np.int64), 0, n_bins - 1)
    return np.bincount(number, minlength=n_bins)


def _draw_taus(measurements: Mapping[str, Sequence[TauMeasurement]]) -> Figure:
    import matplotlib.pyplot as plt

    figure, grid = plt.subplots(2, 5, figsize=(13.5, 4.2), height_ratios=[2, 1], sharex="col")
    truth = next(iter(measurements.values()))
    n_events = len(truth[0])
    expected = truth[0].counts.sum(axis=0)
    width = 0.8 / len(measurements)
    looks = _looks(measurements)
    for number, (name, seeds) in enumerate(measurements.items()):
        look = looks[name]
        total = np.mean([one.counts.sum(axis=0) for one in seeds], axis=0)
        error = np.sqrt(total / len(seeds))
        at = np.arange(len(CATEGORIES)) + number * width
        grid[0][0].bar(
            at,
            total,
            width,
            yerr=error,
            color=look.colour,
            label=look.label,
            hatch=look.hatch,
            edgecolor="white",
            linewidth=0,
        )
        is_there = expected > 0
        ratio, ratio_error = (x[is_there] / expected[is_there] for x in (total, error))
        grid[1][0].errorbar(
            at[is_there],
            ratio,
            ratio_error,
            fmt=look.marker,
            markersize=2,
            color=look.colour,
        )
        for column, (observable, (low, high, bins)) in enumerate(OBSERVABLES.items()):
            edges = np.linspace(low, high, bins // 4 + 1)
            counts, reference = (
                np.mean([np.histogram(m.observables[:, column], edges)[0] for m in some], axis=0)
                for some in (seeds, truth)
            )
            axes, below = grid[0][column + 1], grid[1][column + 1]
            style: Any = {"color": look.colour, "linestyle": look.line, "linewidth": 0.9}
            axes.stairs(counts, edges, fill=number == 0, **style)
            with np.errstate(invalid="ignore", divide="ignore"):
                ratio = np.where(reference > 0, counts / reference, np.nan)
            below.stairs(ratio, edges, **style)
            below.set_xlabel(_UNITS[observable])
            below.set_ylim(0, 2)
    grid[1][0].set_xticks(np.arange(len(CATEGORIES)) + 0.4 - width / 2, CATEGORIES, rotation=45)
    grid[1][0].set_ylim(0.5, 1.5)
    grid[0][0].set_ylabel(f"pi0 in {n_events} events")
    grid[1][0].set_ylabel("over Geant4's")
    _finish(figure, grid[0][0])
    return figure


@dataclass(frozen=True)
class _Look:
    """How one sample is drawn."""

    label: str
    colour: str
    marker: str = "o"
    line: str = "-"
    hatch: str | None = None


def _looks(names: Iterable[str]) -> dict[str, _Look]:
    """Looks of samples by name: Geant4's are grey, and models differ in colour, then in line."""
    truth, *others = names
    looks = {truth: _Look("Geant4", FILL)}
    models = [name for name in others if not name.endswith(_AGAIN)]
    for name in others:
        if name not in models:
            looks[name] = _Look("Geant4 again", _DARK, "x", ":")
            continue
        turn, number = divmod(models.index(name), len(COLOURS))
        look = [("o", "-", None), ("s", "--", "////"), ("^", "-.", "xxxx")][turn % 3]
        looks[name] = _Look(name, COLOURS[number], *look)
    return looks


def _finish(figure: Figure, axes: Axes) -> None:
    """Add one legend below all axes, and the note on what this is not."""
    handles, labels = axes.get_legend_handles_labels()
    width = figure.get_figwidth()
    figure.suptitle("\n".join(wrap(NOTE, int(width * _NOTE_LETTERS_INCH))), fontsize=7)
    column = _LEGEND_HANDLE_INCH + _LEGEND_LETTER_INCH * max(map(len, labels))
    columns = max(1, min(_LEGEND_COLUMNS, int(width / column)))
    rows = -(-len(labels) // columns)
    below = _LEGEND_ROW_INCH * (rows + 0.5) / figure.get_figheight()
    figure.tight_layout(rect=(0, below, 1, 1))
    figure.legend(handles, labels, loc="lower center", ncols=columns, frameon=False, fontsize=7)
