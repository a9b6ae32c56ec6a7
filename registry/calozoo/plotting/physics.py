"""Figures of the physics benchmark: curves of photon pairs, and pi0 of tau decays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from calozoo.physics.pairs import BIN_MM, MOST_MM, PairMeasurement, mean_curve
from calozoo.physics.taus import OBSERVABLES, TauMeasurement
from calozoo.plotting.style import BAND, COLOURS, FILL, OUTLINE, check_picture, save_picture
from calozoo.reconstruction.truth import CATEGORIES
from calozoo_core.typing import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_pairs", "plot_taus"]

_NOTE = "photons only, calozoo's photon finder"
_SHOWN_MM = 30.0
_UNITS = {
    "mass": r"$M_{\gamma\gamma}$ [MeV]",
    "energy": r"$E_{rec} - E_{true}$ [GeV]",
    "theta": r"$\theta_{rec} - \theta_{true}$ [mrad]",
    "phi": r"$\phi_{rec} - \phi_{true}$ [mrad]",
}


def plot_pairs(measurements: Mapping[int, Mapping[str, PairMeasurement]], picture: Path) -> Path:
    """Number of photons found, pairs resolved and spread of the sharing against the separation.

    Arguments:
        measurements: Measurements by energy and name; the first of each is Geant4's.
        picture: Picture to write.

    Raises:
        CalozooError: If it cannot be drawn.
    """
    check_picture(picture)
    return save_picture(picture, lambda: _draw_pairs(measurements), description=_NOTE)


def plot_taus(measurements: Mapping[str, TauMeasurement], picture: Path) -> Path:
    """Categories of pi0, and mass and errors of those that are right.

    Arguments:
        measurements: Measurements by name; the first is Geant4's.
        picture: Picture to write.

    Raises:
        CalozooError: If it cannot be drawn.
    """
    check_picture(picture)
    return save_picture(picture, lambda: _draw_taus(measurements), description=_NOTE)


def _draw_pairs(measurements: Mapping[int, Mapping[str, PairMeasurement]]) -> Figure:
    import matplotlib.pyplot as plt

    n = len(measurements)
    figure, grid = plt.subplots(3, n, figsize=(2.6 * n + 0.8, 5.6), sharex=True, squeeze=False)
    for column, (energy, of_energy) in enumerate(measurements.items()):
        rows = ("photons found", "pairs resolved", "spread of sharing")
        for row, label in enumerate(rows):
            axes = grid[row][column]
            for number, (name, one) in enumerate(of_energy.items()):
                _curve(axes, name, one, row, number)
            if column == 0:
                axes.set_ylabel(label)
        grid[0][column].axhline(2, color="black", linewidth=0.5, linestyle=":")
        grid[0][column].set_title(f"{energy} GeV, {len(next(iter(of_energy.values())))} pairs")
        grid[2][column].set_xlabel("separation on the face [mm]")
        grid[2][column].set_xlim(0, _SHOWN_MM)
    grid[0][0].legend()
    figure.suptitle(_NOTE, fontsize=7)
    figure.tight_layout()
    return figure


def _curve(axes: Axes, name: str, one: PairMeasurement, row: int, number: int) -> None:
    """One curve with its errors: Geant4's as a grey band."""
    middle = (np.arange(int(MOST_MM / BIN_MM)) + 0.5) * BIN_MM
    value, error = _mean_and_error(one, row)
    shown = (middle < _SHOWN_MM) & np.isfinite(value)
    x, y, e = middle[shown], value[shown], error[shown]
    if number == 0:
        axes.fill_between(x, y - e, y + e, color=FILL, step="mid", linewidth=0)
        axes.step(x, y, where="mid", color=OUTLINE, label="Geant4")
        return
    colour = BAND if name.endswith("again") else COLOURS[(number - 1) % len(COLOURS)]
    shift = 0.25 * (number - 1)
    axes.errorbar(x + shift, y, e, fmt="o", markersize=2.5, color=colour, label=name)


def _mean_and_error(one: PairMeasurement, row: int) -> tuple[FloatArray, FloatArray]:
    """Values of a curve in bins of the separation, and their statistical errors."""
    counts = np.bincount(
        np.clip((one.separation / BIN_MM).astype(int), 0, int(MOST_MM / BIN_MM) - 1),
        minlength=int(MOST_MM / BIN_MM),
    )
    if row == 2:
        return _spread(one)
    values: IntArray | BoolArray = one.n_found if row == 0 else one.is_resolved
    mean = mean_curve(one.separation, values.astype(np.float64))
    square = mean_curve(one.separation, values.astype(np.float64) ** 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(np.maximum(square - mean**2, 0) / counts)
    return mean, error


def _spread(one: PairMeasurement) -> tuple[FloatArray, FloatArray]:
    is_two = np.isfinite(one.sharing)
    separation, sharing = one.separation[is_two], one.sharing[is_two]
    mean = mean_curve(separation, sharing)
    spread = np.sqrt(np.maximum(mean_curve(separation, sharing**2) - mean**2, 0))
    number = np.clip((separation / BIN_MM).astype(int), 0, len(mean) - 1)
    counts = np.bincount(number, minlength=len(mean))
    spread[counts < 5] = np.nan  # too few for a spread
    with np.errstate(invalid="ignore", divide="ignore"):
        return spread, spread / np.sqrt(2 * counts)


def _draw_taus(measurements: Mapping[str, TauMeasurement]) -> Figure:
    import matplotlib.pyplot as plt

    figure, grid = plt.subplots(1, 5, figsize=(12.5, 2.6))
    truth = next(iter(measurements.values()))
    width = 0.8 / len(measurements)
    for number, (name, one) in enumerate(measurements.items()):
        colour = FILL if number == 0 else COLOURS[(number - 1) % len(COLOURS)]
        label = "Geant4" if number == 0 else name
        total = one.counts.sum(axis=0)
        at = np.arange(len(CATEGORIES)) + number * width
        grid[0].bar(at, total, width, yerr=np.sqrt(total), color=colour, label=label)
        for column, (observable, (low, high, bins)) in enumerate(OBSERVABLES.items()):
            axes = grid[column + 1]
            edges = np.linspace(low, high, bins // 4 + 1)
            style = {"histtype": "stepfilled"} if number == 0 else {"histtype": "step"}
            axes.hist(one.observables[:, column], edges, color=colour, **style)
            axes.set_xlabel(_UNITS[observable])
    grid[0].set_xticks(np.arange(len(CATEGORIES)) + 0.4 - width / 2, CATEGORIES, rotation=45)
    grid[0].set_ylabel(f"pi0 in {len(truth.n_true)} events")
    grid[0].legend()
    figure.suptitle(_NOTE, fontsize=7)
    figure.tight_layout()
    return figure
