"""Small pictures of showers for notebooks, as SVG text: no plotting library is imported."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["energy_by_layer", "side_view"]

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
