"""Plot of a shower file: one shower as a point cloud, and the mean profiles of all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from calozoo.plotting.hits import PlacedShower, draw_layer, draw_side
from calozoo.plotting.style import check_picture, save_picture
from calozoo_core.detector import Detector, load_detector
from calozoo_core.errors import InputError
from calozoo_core.frames import axis_offsets
from calozoo_core.io import ShowerFile
from calozoo_core.observables import ENERGY_EDGES_MEV, RADIUS_EDGES_MM, Profiles, profiles
from calozoo_core.placement import load_placement
from calozoo_core.shower_plot import HALF_WIDTH_MM, draw_points, draw_side_view
from calozoo_core.showers import Showers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["plot_file"]

SIZE_INCHES = (7.2, 4.8)
HITS_INCHES = 3.3
COLOUR, FILL = "#1f4e79", "#dbe5f0"


def plot_file(path: Path, picture: Path, *, event: int = 0) -> None:
    """Draw a shower file.

    Above, one shower as a point cloud: seen from the side, and along its axis. Below, of all
    showers: the mean energy in each layer, the energy around the axis, and the energies of points.
    If the file has hits, those of the shower are drawn between the two: in the detector as it
    stands, and cell by cell in the layer with the most energy.

    Arguments:
        path: The shower file; read batch by batch.
        picture: `.png`, `.pdf` or `.svg`; replaced if it is there.
        event: Number of the shower to draw, from 0.

    Raises:
        CalozooError: If matplotlib is not installed, or the picture cannot be written.
        InputError: If there is no such shower, or the picture's suffix is none of these.
        ShowerFileError: If the shower file is missing or damaged.
        DetectorError: If its detector is not known.
    """
    check_picture(picture)
    with ShowerFile(path) as file:
        if not 0 <= event < len(file):
            msg = f"{path} has showers 0 to {len(file) - 1}; there is no shower {event}."
            raise InputError(msg)
        detector = load_detector(file.detector)
        shower = file[event : event + 1]
        placed = _placed(file, event, shower)
        sums = profiles(file.batches(), detector)
    save_picture(picture, lambda: _draw(shower, event, sums, detector, placed))


def _placed(file: ShowerFile, event: int, shower: Showers) -> PlacedShower | None:
    position = shower.incident.position
    if file.hits_detector is None or position is None:
        return None
    return PlacedShower(
        hits=file.hits(slice(event, event + 1)),
        placement=load_placement(file.hits_detector),
        position=position[0],
        direction=shower.incident.direction[0].astype(np.float64),
    )


def _draw(
    shower: Showers,
    event: int,
    sums: Profiles,
    detector: Detector,
    placed: PlacedShower | None,
) -> Figure:
    from matplotlib.figure import Figure

    width, height = SIZE_INCHES
    if placed is None:
        figure = Figure(figsize=(width, height), layout="constrained")
        above, below = _stacked(figure, (1.15, 1))
    else:
        figure = Figure(figsize=(width, height + HITS_INCHES), layout="constrained")
        above, between, below = _stacked(figure, (1.15, 2 * HITS_INCHES / height, 1))
        _draw_hits(between, placed)
    side, front = above.subplots(1, 2, width_ratios=(2.1, 1))
    layers, radii, energies = below.subplots(1, 3)
    points = draw_side_view(
        side, detector, shower.layer, shower.x, shower.energy, shower.incident.direction[0]
    )
    _draw_front(front, shower, detector)
    bar = above.colorbar(points, ax=front, extend="both", pad=0.02)
    bar.set_label("point energy [MeV]")
    incident = shower.incident
    side.set_title(
        f"shower {event}: {incident.particle}, {incident.energy[0]:.3g} GeV, "
        rf"$\theta'$ = {incident.theta[0]:.1f}°",
        loc="left",
        fontsize=8,
    )
    n = len(sums.n_points)
    layers.set_title(f"mean of {n} showers" if n > 1 else "1 shower", loc="left", fontsize=8)
    _draw_layers(layers, sums)
    _draw_radii(radii, sums)
    _draw_energies(energies, sums)
    return figure


def _stacked(figure: Figure, heights: Sequence[float]) -> list[SubFigure]:
    rows = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    return [figure.add_subfigure(rows[i]) for i in range(len(heights))]


def _draw_hits(figure: SubFigure, placed: PlacedShower) -> None:
    side, layer = figure.subplots(1, 2)
    cells = draw_side(side, placed)
    draw_layer(layer, placed)
    bar = figure.colorbar(cells, ax=layer, extend="both", pad=0.02)
    bar.set_label("energy in a cell [MeV]")


def _draw_front(axes: Axes, shower: Showers, detector: Detector) -> None:
    dx, dy = axis_offsets(shower, detector)
    draw_points(axes, shower.x - dx, shower.y - dy, shower.energy)
    axes.set_xlim(-HALF_WIDTH_MM, HALF_WIDTH_MM)
    axes.set_ylim(-HALF_WIDTH_MM, HALF_WIDTH_MM)
    axes.set_aspect("equal")
    axes.set_xlabel(r"$x'$ from the axis [mm]")
    axes.set_ylabel(r"$y'$ from the axis [mm]")


def _draw_layers(axes: Axes, sums: Profiles) -> None:
    edges = np.arange(len(sums.layer_energy) + 1) - 0.5
    _steps(axes, sums.layer_energy / len(sums.n_points), edges)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("layer")
    axes.set_ylabel("mean energy [MeV]")


def _draw_radii(axes: Axes, sums: Profiles) -> None:
    widths = np.diff(RADIUS_EDGES_MM)
    energy = sums.radius_energy / widths / len(sums.n_points)
    _steps(axes, energy, RADIUS_EDGES_MM)
    axes.set_xlim(RADIUS_EDGES_MM[0], RADIUS_EDGES_MM[-1])
    _logarithmic(axes, energy)
    axes.set_xlabel("distance to the axis [mm]")
    axes.set_ylabel("mean energy [MeV/mm]")


def _draw_energies(axes: Axes, sums: Profiles) -> None:
    count = sums.energy_count / len(sums.n_points)
    _steps(axes, count, ENERGY_EDGES_MEV)
    axes.set_xscale("log")
    axes.set_xlim(ENERGY_EDGES_MEV[0], ENERGY_EDGES_MEV[-1])
    _logarithmic(axes, count)
    axes.set_xlabel("point energy [MeV]")
    axes.set_ylabel("mean points per bin")


def _steps(axes: Axes, values: Any, edges: Any) -> None:
    axes.stairs(values, edges, fill=True, color=FILL)
    axes.stairs(values, edges, color=COLOUR, lw=0.9)


def _logarithmic(axes: Axes, values: Any) -> None:
    """Set a logarithmic axis from below the smallest content that is not zero."""
    filled = values[values > 0]
    axes.set_ylim((filled.min() / 2, filled.max() * 2) if len(filled) else (0.1, 10))
    axes.set_yscale("log")
