"""Plots of showers with matplotlib: one shower from the side, and the energy in each layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector
from calozoo_core.errors import CalozooError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["HALF_WIDTH_MM", "draw_layers", "draw_points", "draw_side_view", "new_axes"]

POINT_ENERGY_MEV: Final = (0.03, 30.0)
HALF_WIDTH_MM: Final = 60.0
COLOUR, FILL = "#1f4e79", "#dbe5f0"


def draw_side_view(
    axes: Axes,
    detector: Detector,
    layer: NDArray[np.uint8],
    x: NDArray[Any],
    energy: NDArray[Any],
    direction: NDArray[Any],
) -> Any:
    """Draw the deposits of one shower from the side, with the path of the primary.

    Arguments:
        axes: Where to draw.
        detector: Its detector.
        layer: Layer of each deposit, shape (N,).
        x: Position of each, in mm, shape (N,).
        energy: Energy of each, in MeV, shape (N,).
        direction: Of the primary, shape (3,).

    Returns:
        The points, for a colour bar.
    """
    points = draw_points(axes, detector.layer_depth_mm[layer], x, energy)
    p_x, _, p_z = (float(p) for p in direction)
    end = detector.depth_mm
    axes.plot([0, end], [0, end * p_x / p_z], color="0.4", lw=0.7, ls="--", zorder=0)
    axes.set_xlim(0, end)
    low, high = np.percentile(x, [1, 99]) if len(x) else (0.0, 0.0)
    axes.set_ylim(min(-HALF_WIDTH_MM, low), max(HALF_WIDTH_MM, high))
    axes.set_xlabel("depth behind the calorimeter face [mm]")
    axes.set_ylabel(r"$x'$ [mm]")
    return points


def draw_layers(axes: Axes, energy: NDArray[Any]) -> None:
    """Draw the mean energy in each layer, with its standard error.

    Arguments:
        axes: Where to draw.
        energy: Energy of each shower in each layer, in MeV, shape (n, n_layers).
    """
    n, n_layers = energy.shape
    mean, edges = energy.sum(axis=0) / max(n, 1), np.arange(n_layers + 1) - 0.5
    axes.stairs(mean, edges, fill=True, color=FILL)
    axes.stairs(mean, edges, color=COLOUR)
    if n > 1:
        error = energy.std(axis=0, ddof=1) / np.sqrt(n)
        axes.errorbar(np.arange(n_layers), mean, error, fmt="none", ecolor=COLOUR)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("layer")
    axes.set_ylabel("mean energy [MeV]")


def draw_points(axes: Axes, across: Any, up: Any, energy: Any) -> Any:
    """Draw points whose colour and size show their energy, the brightest on top.

    Arguments:
        axes: Where to draw.
        across: Positions to the right, shape (N,).
        up: Positions upwards, shape (N,).
        energy: In MeV, shape (N,).

    Returns:
        The points, for a colour bar.
    """
    from matplotlib.colors import LogNorm

    order = np.argsort(energy)
    return axes.scatter(
        np.asarray(across)[order],
        np.asarray(up)[order],
        c=energy[order],
        norm=LogNorm(*POINT_ENERGY_MEV),
        cmap="inferno_r",
        s=np.clip(4 * np.sqrt(energy[order]), 0.8, 12),
        linewidths=0,
        rasterized=True,
    )


def new_axes() -> Axes:
    """Axes of a new figure.

    Raises:
        CalozooError: If matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        msg = "Plots need matplotlib; type `pip install 'calozoo-core[plot]'`."
        raise CalozooError(msg) from error
    return plt.subplots(layout="constrained")[1]
