"""Draws docs/images/gaps.png: staves of ILD's barrel with their wafers, and two layers' gaps.

Run it from anywhere: python docs/draw_gaps.py [FILE]
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from calozoo_core.detector import load_detector
from calozoo_core.placement import load_placement
from calozoo_core.placement.trigger import Trigger

INK, BLUE, RED = "#1c2733", "#1f6fb4", "#c8442b"
ILD = load_detector("ild_siecal")
PLACEMENT = load_placement(ILD)
STEP_MM = 0.25


def main() -> None:
    """Write the picture."""
    default = Path(__file__).parent / "images" / "gaps.png"
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    with mpl.rc_context({"font.size": 10, "mathtext.fontset": "dejavusans", "text.color": INK}):
        figure = Figure(figsize=(12.5, 4.4), layout="constrained")
        axes = figure.subplots(1, 3, width_ratios=[2.0, 1, 1])
        draw_staves(axes[0])
        for ax, letter, layer in ((axes[1], "b", 0), (axes[2], "c", 2)):
            draw_layer(ax, letter, layer)
        figure.savefig(target, dpi=130, bbox_inches="tight")


def draw_staves(ax: Axes) -> None:
    """The wafers of three staves, seen along the beam, and lines that the trigger refuses."""
    ax.set_title("(a) staves at the top, seen along the beam", loc="left", size=10.5, color=INK)
    along = np.arange(-1150, 800, STEP_MM)
    for depth, layer in zip(ILD.layer_depth_mm, range(ILD.n_layers), strict=True):
        for azimuth in np.radians([45, 90, 135]):
            out, side = (
                np.array([np.cos(azimuth), np.sin(azimuth)]),
                (np.sin(azimuth), -np.cos(azimuth)),
            )
            xy = out * (ILD.face_mm + depth) + np.array(side) * along[:, None]
            points = np.column_stack([xy, np.full(len(xy), 50.0)])
            live = PLACEMENT.cells(points, np.full(len(xy), layer, np.uint8)) >= 0
            ax.add_collection(LineCollection(runs(xy, live), colors=BLUE, linewidths=0.9))
    trigger = Trigger.of(ILD)
    azimuth = np.radians(np.arange(60, 120, 0.02))
    lines = np.stack([np.cos(azimuth), np.sin(azimuth), 0 * azimuth], axis=1)
    for start, end in zip(*edges(~trigger.aims(lines)), strict=True):
        corner = lines[[start, end - 1], :2]
        wedge = np.concatenate([corner * 1740, corner[::-1] * 2060])
        ax.fill(*wedge.T, color=RED, alpha=0.22, lw=0)
    ax.set(xlim=(-1060, 780), ylim=(1600, 2060), aspect="equal", xlabel="x (mm)", ylabel="y (mm)")
    ax.spines[["top", "right"]].set_visible(False)


def draw_layer(ax: Axes, letter: str, layer: int) -> None:
    """The gaps of a layer of the top stave, with its cells."""
    title = f"({letter}) layer {layer} of a stave"
    ax.set_title(title, loc="left", size=10.5, color=INK)
    edge = np.arange(-120, 120, STEP_MM)
    x, y = np.meshgrid(edge, edge, indexing="ij")
    height = np.full(x.size, ILD.face_mm + ILD.layer_depth_mm[layer])
    points = np.column_stack([y.ravel(), height, x.ravel()])
    cell = PLACEMENT.cells(points, np.full(x.size, layer, np.uint8)).reshape(x.shape)
    border = np.zeros_like(cell, dtype=bool)
    border[1:] |= cell[1:] != cell[:-1]
    border[:, 1:] |= cell[:, 1:] != cell[:, :-1]
    shade = np.where(cell < 0, 2, border & (cell >= 0))
    colours = mpl.colors.ListedColormap(["#dfe7ee", "#b4c1cd", RED])
    ax.imshow(shade, origin="lower", extent=(-120, 120, -120, 120), cmap=colours, vmin=0, vmax=2)
    ax.set(xlabel="y' (mm)", ylabel="x' (mm), along the beam")


def runs(xy: NDArray[np.float64], live: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """First and last point of each run of live ones."""
    return [xy[[start, end - 1]] for start, end in zip(*edges(live), strict=True)]


def edges(flags: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where each run of true flags begins and ends."""
    changes = np.diff(np.concatenate([[0], flags.astype(int), [0]]))
    return np.flatnonzero(changes == 1), np.flatnonzero(changes == -1)


if __name__ == "__main__":
    main()
