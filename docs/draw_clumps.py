"""Draws docs/images/clumps.png: points of a layer, and the fraction with a neighbour by radius.

Run it from the top of a checkout with a file of Geant4's steps, other than those of the table:

    python -m docs.draw_clumps SHOWERS [FILE]
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from calozoo_core.clumps import load_table
from calozoo_core.detector import load_detector
from calozoo_core.frames import perpendicular_positions
from calozoo_core.io import read_showers
from calozoo_core.observables import points
from calozoo_core.observables.neighbours import RADIUS_BANDS_MM, has_point_within
from calozoo_core.representation import Representation
from calozoo_core.showers import Showers
from studies.oracle.ceiling import filled_voxels, points_in_rings

INK, GREY, BLUE, RED = "#1c2733", "#b9c2cb", "#1f6fb4", "#c8442b"
SHOWERS = 400
LAYER = 9
HALF_MM = 45.0
WITHIN_MM = (1.6, 3.0)
FARTHEST_MM = 300.0


def main() -> None:
    """Write the picture."""
    source = Path(sys.argv[1])
    default = Path(__file__).parent / "images" / "clumps.png"
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else default
    steps = read_showers(source, slice(0, SHOWERS))
    name = load_table(steps.detector).config.representation
    truth = Representation.named(name, load_detector(steps.detector).cell_mm)(steps, seed=1)
    filled, independent = filled_voxels(truth, seed=1), points_in_rings(truth, seed=1)
    shown = int(np.argmin(np.abs(truth.incident.energy - 60) + truth.incident.theta))
    with mpl.rc_context({"font.size": 10, "mathtext.fontset": "dejavusans", "text.color": INK}):
        figure = Figure(figsize=(12.5, 6.9), layout="constrained")
        upper, lower = figure.subfigures(2, 1, height_ratios=[1.1, 1])
        axes = upper.subplots(1, 3, sharey=True)
        samples = (
            ("(a) Geant4", truth),
            ("(b) its voxels, filled from the table", filled),
            ("(c) its points, each turned at random", independent),
        )
        for ax, (title, showers) in zip(axes, samples, strict=True):
            draw_layer(ax, title, showers[shown : shown + 1])
        axes[0].set_ylabel("across the axis (mm)")
        axes = lower.subplots(1, 2, sharey=True)
        for ax, letter, within in zip(axes, "de", WITHIN_MM, strict=True):
            draw_fractions(ax, letter, within, truth, filled, independent)
        axes[0].set_ylabel("fraction of points")
        axes[0].legend(facecolor="white", framealpha=1, edgecolor="none")  # Geant4 is grey
        figure.savefig(target, dpi=130)


def draw_layer(ax: Axes, title: str, shower: Showers) -> None:
    """The points of one layer, seen along the axis, over the edges of the voxels."""
    mesh = load_table(shower.detector).config.mesh
    x, y = perpendicular_positions(shower, load_detector(shower.detector))
    chosen = shower.layer == LAYER
    for inner, outer, sectors in zip(
        (0, *mesh.edges_mm), (*mesh.edges_mm, 2 * HALF_MM), mesh.sectors, strict=True
    ):
        ax.add_patch(mpl.patches.Circle((0, 0), outer, fill=False, ec=GREY, lw=0.4))
        angle = np.arange(sectors) * 2 * np.pi / sectors
        ends = np.array([[inner], [outer]])
        ax.plot(ends * np.cos(angle), ends * np.sin(angle), color=GREY, lw=0.4)
    size = 9 * np.sqrt(np.clip(shower.energy[chosen], 0.05, 5) / 0.2)
    ax.scatter(x[chosen], y[chosen], s=size, color=BLUE, alpha=0.75, lw=0)
    ax.set_title(title, loc="left", size=10.5, color=INK)
    limits = (-HALF_MM, HALF_MM)
    ax.set(xlim=limits, ylim=limits, aspect="equal", xlabel="along x' (mm)")


def draw_fractions(ax: Axes, letter: str, within: float, *samples: Showers) -> None:
    """Fraction of points with a neighbour, in rings around the axis."""
    edges = np.array((1.0, *RADIUS_BANDS_MM[1:], FARTHEST_MM))
    styles = (("Geant4", GREY, "-"), ("voxels filled", BLUE, "-"), ("independent", RED, "--"))
    for showers, (label, colour, line) in zip(samples, styles, strict=True):
        deposits = points(showers, load_detector(showers.detector))
        (has_neighbour,) = has_point_within(deposits, (within,))
        radius = np.maximum(deposits.radius, edges[0])
        fraction = np.histogram(radius[has_neighbour], edges)[0] / np.histogram(radius, edges)[0]
        is_truth = label == "Geant4"
        ax.stairs(fraction, edges, color=colour, ls=line, lw=1.6, fill=is_truth, label=label)
    ax.set(xscale="log", xlabel="distance to the axis (mm)", ylim=(0, 1.02), xlim=(1, edges[-1]))
    title = f"({letter}) with a neighbour within {within:g} mm in the layer"
    ax.set_title(title, loc="left", size=10.5, color=INK)
    ax.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
