"""Plot of a simulated event: from the side, and on the face, as the photon finder sees it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from calozoo.plotting.event_view import EventView, view_event
from calozoo.plotting.hits import HIT_ENERGY_MEV, draw_side
from calozoo.plotting.style import COLOURS, check_picture, save_picture
from calozoo.reconstruction.parameters import finder_parameters
from calozoo.reconstruction.photon_finder import PhotonFinder
from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError
from calozoo_core.io.events import EventFile
from calozoo_core.placement import load_placement
from calozoo_core.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_face", "plot_event_file"]

SIZE_INCHES = (7.2, 3.5)
HALF_WIDTH_MM = 80.0
RING_POINTS = 12.0


def plot_event_file(
    path: Path, picture: Path, *, event: int = 0, reconstruct: bool = False
) -> None:
    """Draw one event of a file of simulated events.

    Left its hits from the side, around the strongest primary; right all of them on the face, along
    lines from the interaction point, with the true photons and, if asked for, those that are found.

    Arguments:
        path: The file.
        picture: `.png`, `.pdf` or `.svg`; replaced if it is there.
        event: Number of the event, from 0.
        reconstruct: Draw the photons that calozoo's photon finder finds.

    Raises:
        CalozooError: If matplotlib is not installed, or the picture cannot be written.
        InputError: If there is no such event, the file has no hits, or the picture's suffix is none
            of these.
        ShowerFileError: If the file is missing or damaged.
        DetectorError: If photons cannot be looked for in the detector.
    """
    check_picture(picture)
    with EventFile(path) as file:
        if not file.is_simulated:
            msg = f"{path} has primaries and no hits; simulate it, and draw what comes out."
            raise InputError(msg)
        if not 0 <= event < len(file):
            msg = f"{path} has events 0 to {len(file) - 1}; there is no event {event}."
            raise InputError(msg)
        rows = slice(event, event + 1)
        placement = load_placement(load_detector(str(file.detector)))
        finder = PhotonFinder(placement.detector, finder_parameters()) if reconstruct else None
        view = view_event(file.events(rows), file.hits(rows), placement, finder)
        title = f"event {event} of {file.model}: {view.description}"
    save_picture(picture, lambda: _draw(view, title))


def draw_face(axes: Axes, view: EventView) -> Any:
    """Draw the map of an event on the face: its hits along lines from the interaction point.

    Arguments:
        axes: Where to draw.
        view: The event.

    Returns:
        The map, for a colour bar.
    """
    from matplotlib.colors import LogNorm

    cell = view.placement.detector.cell_mm
    x, y = view.on_face(view.placed.local).T
    edges = np.arange(-HALF_WIDTH_MM, HALF_WIDTH_MM + cell, cell)
    energy, _, _ = np.histogram2d(x, y, [edges, edges], weights=view.placed.hits.energy)
    low, high = HIT_ENERGY_MEV
    shown = np.ma.masked_less_equal(energy.T, 0)
    mesh = axes.pcolormesh(edges, edges, shown, norm=LogNorm(low, 3 * high), cmap="inferno_r")
    entries = [line.entry for line in view.primary_lines if line is not None]
    for i, entry in enumerate(entries):
        _mark(axes, entry, "+", 6.0, "black", "primary" if i == 0 else None)
    for i, line in enumerate(view.photon_lines):
        if line is not None and view.photons is not None:
            colour = COLOURS[(int(view.tint_of_photon[i]) + 1) % len(COLOURS)]
            name = f"found: {view.photons.energy[i]:.3g} GeV"
            _mark(axes, line.entry, "o", RING_POINTS, colour, name)
    axes.set_xlim(-HALF_WIDTH_MM, HALF_WIDTH_MM)
    axes.set_ylim(-HALF_WIDTH_MM, HALF_WIDTH_MM)
    axes.set_aspect("equal")
    axes.set_xlabel(r"$x'$ on the face [mm]")
    axes.set_ylabel(r"$y'$ on the face [mm]")
    axes.set_title("hits along lines from the interaction point", loc="left", fontsize=8)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            loc="upper right", frameon=True, framealpha=0.85, edgecolor="none", markerscale=0.65
        )
    return mesh


def _mark(
    axes: Axes, at: FloatArray, marker: str, size: float, colour: str, name: str | None
) -> None:
    """A marker with a white edge, to be seen on dark and light bins."""
    x, y, _ = at
    axes.plot(x, y, marker, ms=size, mfc="none", mec="white", mew=3.0)
    axes.plot(x, y, marker, ms=size, mfc="none", mec=colour, mew=1.5, label=name)


def _draw(view: EventView, title: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    side, face = figure.subplots(1, 2)
    depth = view.placement.detector.depth_mm
    lines = [line for line in view.primary_lines if line is not None]
    cells = draw_side(side, view.placed, [np.stack([line.entry, line.at(depth)]) for line in lines])
    figure.colorbar(cells, ax=side, extend="both", pad=0.02).set_label("energy in a cell [MeV]")
    mesh = draw_face(face, view)
    figure.colorbar(mesh, ax=face, extend="both", pad=0.02).set_label("energy in a bin [MeV]")
    figure.suptitle(title, fontsize=8)
    return figure
