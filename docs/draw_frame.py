"""Draws docs/images/frame.png: the local frame, a slanted shower, and the representations.

Run it from anywhere: python docs/draw_frame.py [FILE]
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from numpy.typing import ArrayLike, NDArray

from calozoo_core.detector import load_detector
from calozoo_toy import ILD_PHOTON
from calozoo_toy.model import ToyGenerator

INK, PALE, FACE = "#1c2733", "#9aa7b4", "#dfe7ee"
BLUE, RED = "#1f6fb4", "#c8442b"
THETA_DEG, PHI_DEG = 35.0, 50.0
MARGIN = 0.12


def main() -> None:
    """Write the picture."""
    default = Path(__file__).parent / "images" / "frame.png"
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    with mpl.rc_context({"font.size": 10, "mathtext.fontset": "dejavusans", "text.color": INK}):
        figure = Figure(figsize=(12.5, 4.7), layout="constrained")
        axes = figure.subplots(1, 3, width_ratios=[1.05, 1.2, 0.9])
        draw_frame(axes[0])
        draw_slanted_shower(axes[1])
        draw_representations(axes[2])
        figure.savefig(target, dpi=130, bbox_inches="tight")


def draw_frame(ax: Axes) -> None:
    """The face of the calorimeter, the three axes, the direction and its two angles."""
    title(ax, "a", "the local frame")
    corners = screen([[-0.75, -0.75, 0], [0.75, -0.75, 0], [0.75, 0.75, 0], [-0.75, 0.75, 0]])
    for depth, alpha in ((0.36, 0.35), (0.18, 0.5), (0.0, 1.0)):
        shifted = corners + screen([[0, 0, depth]])
        ax.add_patch(Polygon(shifted, facecolor=FACE, edgecolor=PALE, lw=0.8, alpha=alpha))
    ax.text(*screen([[-0.72, 0.72, 0]])[0] + [0.05, 0.05], "face", color="#5b6874", size=9)

    arrow(ax, [0, 0, 0], [1.15, 0, 0], "$x'$ (along $B$)", INK, (0.06, 0.02))
    arrow(ax, [0, 0, 0], [0, 1.3, 0], "$y'$", INK, (-0.14, -0.06))
    arrow(ax, [0, 0, 0], [0, 0, 1.7], "$z'$ (into the calorimeter)", INK, (-0.75, -0.14))

    p = direction(THETA_DEG, PHI_DEG)
    arrow(ax, -0.9 * p, [0, 0, 0], "", RED)
    arrow(ax, [0, 0, 0], 1.75 * p, r"$\vec p$", RED, (0.05, 0.02))
    ax.text(
        *screen([-0.9 * p])[0] + [0.02, 0.1], "incident\nparticle", color=RED, size=9, ha="center"
    )
    foot = 1.75 * p * [1, 1, 0]
    for start, end in ((1.75 * p, foot), (np.zeros(3), foot)):
        ax.plot(*screen([start, end]).T, color=RED, lw=0.8, ls=(0, (4, 3)))

    theta = np.linspace(0, THETA_DEG, 30)
    ax.plot(*screen([0.75 * direction(t, PHI_DEG) for t in theta]).T, color=RED, lw=1)
    ax.text(
        *screen([0.86 * direction(THETA_DEG / 2, PHI_DEG)])[0], r"$\theta$", color=RED, va="center"
    )
    phi = np.linspace(0, PHI_DEG, 30)
    ax.plot(*screen([0.45 * direction(90, f) for f in phi]).T, color=RED, lw=1)
    ax.text(
        *screen([0.58 * direction(90, PHI_DEG * 0.4)])[0],
        r"$\phi$",
        color=RED,
        ha="center",
        va="center",
    )
    ax.plot(0, 0, "o", color=INK, ms=4)
    ax.set(xlim=(-1.15, 1.95), ylim=(-1.15, 1.4), aspect="equal")
    ax.axis("off")


def draw_slanted_shower(ax: Axes) -> None:
    """A shower of the toy at 35 degrees, seen along -y', with the depths that shear it."""
    title(ax, "b", "a slanted shower, seen from $y'$")
    detector = load_detector("ild_siecal_regular")
    depth = detector.layer_depth_mm
    p = direction(THETA_DEG, 0)
    shower = ToyGenerator(ILD_PHOTON).generate(energy=20, direction=p, n=1, seed=4)
    ax.add_patch(Rectangle((0, -50), detector.depth_mm, 240, facecolor=FACE, edgecolor="none"))
    for d in depth:
        ax.plot([d, d], [-50, 190], color="white", lw=1.4)
    ax.scatter(
        depth[shower.layer], shower.x, s=9 * shower.energy, color=BLUE, lw=0, alpha=0.6, zorder=3
    )

    slope = p[0] / p[2]
    ax.plot(
        [-55, detector.depth_mm],
        [-55 * slope, detector.depth_mm * slope],
        color=RED,
        lw=1.2,
        zorder=4,
    )
    ax.annotate("", (0, 0), (-55, -55 * slope), arrowprops={"arrowstyle": "-|>", "color": RED})
    layer = 25
    d, shift = depth[layer], depth[layer] * slope
    ax.plot([0, d], [0, 0], color=INK, lw=0.9, ls=(0, (4, 3)))
    for start, end in (((0, -25), (d, -25)), ((d, 0), (d, shift))):
        ax.annotate(
            "",
            start,
            end,
            arrowprops={"arrowstyle": "<->", "color": INK, "shrinkA": 0, "shrinkB": 0},
        )
    ax.text(d / 2, -31, f"depth $d$ of layer {layer}", ha="center", va="top")
    ax.text(d + 5, shift / 2, r"$d\,\dfrac{p_x}{p_z}$", va="center")
    ax.text(4, 184, "calorimeter", va="top", color="#5b6874", size=9)
    ax.set(xlim=(-60, detector.depth_mm + 4), ylim=(-50, 190), aspect="equal")
    ax.set(xlabel="$z'$, depth behind the face (mm)", ylabel="$x'$ (mm)")
    ax.spines[["top", "right"]].set_visible(False)


def draw_representations(ax: Axes) -> None:
    """The deposits of four cells of one layer, and what x1, x9 and x25 make of them."""
    title(ax, "c", "four cells of a layer, merged sideways")
    cell = load_detector("ild_siecal_regular").cell_mm
    rng = np.random.default_rng(11)
    radius = 2.2 * np.sqrt(rng.exponential(1, 90))
    angle = rng.uniform(0, 2 * np.pi, len(radius))
    xy = np.stack([1.1 + radius * np.cos(angle), 0.7 + radius * np.sin(angle)], axis=1)
    energy = rng.gamma(2, 0.2, len(xy))
    inside = np.all(np.abs(xy) < cell, axis=1)
    xy, energy = xy[inside], energy[inside]
    for panel, (name, split) in enumerate({"steps": None, "x25": 5, "x9": 3, "x1": 1}.items()):
        centre = np.array([panel % 2, -(panel // 2)]) * (2 * cell + 3.2)
        points, merged = (xy, energy) if split is None else merge(xy, energy, cell / split)
        for line in np.linspace(-cell, cell, 2 * (split or 1) + 1):
            for x, y in (([line, line], [-cell, cell]), ([-cell, cell], [line, line])):
                on_cell = np.isclose(abs(line), (0, cell), atol=1e-6).any()
                ax.plot(
                    x + centre[0],
                    y + centre[1],
                    color=INK if on_cell else PALE,
                    lw=1 if on_cell else 0.5,
                )
        ax.scatter(*(points + centre).T, s=16 * merged, color=BLUE, alpha=0.75, lw=0)
        text = f"{name}: {len(points)} points"
        ax.text(centre[0], centre[1] + cell + 0.35, text, ha="center", va="bottom", size=9)
    bottom = -(2 * cell + 3.2) - cell
    ax.annotate(
        "",
        (-cell, bottom - 0.9),
        (0, bottom - 0.9),
        arrowprops={"arrowstyle": "<->", "color": INK, "shrinkA": 0, "shrinkB": 0},
    )
    ax.text(-cell / 2, bottom - 1.3, f"{cell:.2f} mm", ha="center", va="top", size=9)
    ax.set(aspect="equal", xlim=(-cell - 1, 3 * cell + 4.2), ylim=(bottom - 3, cell + 2))
    ax.axis("off")


def merge(
    xy: NDArray[np.float64], energy: NDArray[np.float64], pitch: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Deposits summed by square, each at the place of the largest of its square."""
    square = np.floor(xy / pitch).astype(int)
    _, group = np.unique(square, axis=0, return_inverse=True)
    largest = [
        np.flatnonzero(group == g)[energy[group == g].argmax()] for g in range(group.max() + 1)
    ]
    return xy[largest], np.bincount(group, energy)


def screen(points: ArrayLike) -> NDArray[np.float64]:
    """Where points of the local frame fall on the paper: z' right, x' up, y' towards the reader."""
    x, y, z = np.atleast_2d(np.asarray(points, dtype=float)).T
    return np.stack([z - 0.42 * y, x - 0.34 * y], axis=1)


def direction(theta_deg: float, phi_deg: float) -> NDArray[np.float64]:
    """Unit vector at these angles."""
    t, f = np.radians([theta_deg, phi_deg])
    return np.array([np.sin(t) * np.cos(f), np.sin(t) * np.sin(f), np.cos(t)])


def arrow(
    ax: Axes,
    start: ArrayLike,
    end: ArrayLike,
    text: str,
    colour: str,
    shift: tuple[float, float] = (0, 0),
) -> None:
    """An arrow of the local frame, with its name beside the tip."""
    a, b = screen([start, end])
    style = {"arrowstyle": "-|>", "color": colour, "lw": 1.4, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", b, a, arrowprops=style)
    ax.text(*(b + shift), text, color=colour, va="center")


def title(ax: Axes, letter: str, text: str) -> None:
    """A panel's letter and what it shows."""
    ax.set_title(f"({letter}) {text}", loc="left", size=10.5, color=INK)


if __name__ == "__main__":
    main()
