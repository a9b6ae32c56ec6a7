"""Pictures of showers: with matplotlib, and small ones for notebooks as SVG text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector
from calozoo_core.errors import CalozooError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "HALF_WIDTH_MM",
    "draw_layers",
    "draw_points",
    "draw_side_view",
    "energy_by_layer",
    "new_axes",
    "side_view",
]

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


HEIGHT, WIDTH, BINS = 80, 240, 20
SHADES = 5
COLOUR = "#1f4e79"


def energy_by_layer(layer: NDArray[np.uint8], energy: NDArray[Any]) -> str:
    """Bars of the energy in each layer.

    Arguments:
        layer: Layer of each deposit, shape (N,).
        energy: Energy of each deposit, shape (N,).
    """
    sums = np.bincount(layer, energy) if len(layer) else np.zeros(1)
    heights = HEIGHT * sums / max(float(sums.max()), 1e-30)
    width = WIDTH / len(sums)
    steps = "".join(
        f"V{HEIGHT - height:.1f}H{width * (i + 1):.1f}" for i, height in enumerate(heights)
    )
    path = f'<path d="M0 {HEIGHT}{steps}V{HEIGHT}z" fill="{COLOUR}"/>'
    return _picture(path, f"energy by layer, up to {sums.max():.3g} MeV")


def side_view(layer: NDArray[np.uint8], x: NDArray[Any], energy: NDArray[Any]) -> str:
    """Shaded squares of the energy by layer (to the right) and x (upwards).

    Arguments:
        layer: Layer of each deposit, shape (N,).
        x: Position of each deposit, in mm, shape (N,).
        energy: Energy of each deposit, shape (N,).
    """
    if len(layer) == 0:
        return _picture("", "no deposits")
    low, high = np.percentile(x, [1, 99])
    half = max((high - low) / 2, 10.0)
    edges = np.linspace((low + high) / 2 - half, (low + high) / 2 + half, BINS + 1)
    n_layers = int(layer.max()) + 1
    sums, _, _ = np.histogram2d(layer, x, (np.arange(n_layers + 1), edges), weights=energy)
    brightest = max(float(sums.max()), 1e-30)
    shade = np.clip(SHADES + np.log10(np.maximum(sums, 1e-30) / brightest) * 2, 0, SHADES)
    width, height = WIDTH / n_layers, HEIGHT / BINS
    paths = []
    for level in range(1, SHADES + 1):
        squares = "".join(
            f"M{column * width:.1f} {HEIGHT - (row + 1) * height:.0f}"
            f"h{width:.1f}v{height:.0f}h-{width:.1f}z"
            for column, row in np.argwhere(np.ceil(shade) == level).tolist()
        )
        if squares:
            paths.append(f'<path d="{squares}" fill="{COLOUR}" opacity="{level / SHADES:g}"/>')
    return _picture("".join(paths), f"side view, x from {edges[0]:.0f} to {edges[-1]:.0f} mm")


def _picture(paths: str, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" style="border-bottom:1px solid #888">'
        f"<title>{title}</title>{paths}</svg>"
    )
