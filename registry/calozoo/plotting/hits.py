"""Plot of a shower's hits: in the detector from the side, and cell by cell in one layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from calozoo_core.hits import Hits
from calozoo_core.placement import Placement
from calozoo_core.typing import BoolArray, FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PlacedShower", "draw_layer", "draw_side", "live_rectangles"]

SILICON, AXIS = "#c9d3df", "0.35"
HALF_WIDTH_MM = 80.0
STEP_MM = 0.2
SHEET_MM = 2.0  # thinner than the layers are apart, thicker than silicon, to be seen
HIT_ENERGY_MEV = (0.1, 100.0)
GLOBAL_AXES = "xyz"


@dataclass(frozen=True)
class PlacedShower:
    """Shower in its detector.

    Arguments:
        hits: Its hits.
        placement: The detector.
        position: Entry point of the incident particle, global, in mm, shape (3,).
        direction: Direction of the incident particle, in the local frame, shape (3,).
    """

    hits: Hits
    placement: Placement
    position: FloatArray
    direction: FloatArray

    @property
    def local(self) -> FloatArray:
        """Centres of the cells in the local frame, in mm, shape (N, 3)."""
        centres = np.stack([self.hits.x, self.hits.y, self.hits.z], axis=1).astype(np.float64)
        return self.placement.to_local(centres, self.position)

    def to_global(self, x: Any, y: Any, depth: Any) -> FloatArray:
        """Global positions of local ones, which are broadcast, shape (N, 3)."""
        points = np.stack(np.broadcast_arrays(x, y, depth), axis=-1).astype(np.float64)
        return self.placement.to_global(points.reshape(-1, 3), self.position)

    def is_live(self, x: Any, y: Any, layer: int) -> BoolArray:
        """Mask of the local positions of a layer that lie in a cell, shape (N,)."""
        points = self.to_global(x, y, self.placement.detector.layer_depth_mm[layer])
        return self.placement.cells(points, np.full(len(points), layer, np.uint8)) >= 0

    def axis(self, depth: Any) -> tuple[Any, Any]:
        """Position x', y' of the shower axis at a depth, in mm."""
        p_x, p_y, p_z = (float(p) for p in self.direction)
        return depth * p_x / p_z, depth * p_y / p_z


def draw_side(axes: Axes, shower: PlacedShower, paths: Sequence[FloatArray] | None = None) -> Any:
    """Draw the hits from the side, in the global frame, and return them for a colour bar.

    Arguments:
        axes: Where to draw.
        shower: The shower.
        paths: Local positions in mm of the two ends of what flew in, each of shape (2, 3); None for
            the axis of the shower.
    """
    from matplotlib.collections import LineCollection

    local, depths = shower.local, shower.placement.detector.layer_depth_mm
    energy = shower.hits.energy.astype(np.float64)
    across, up = _view(shower)
    strongest = local[energy.argmax(), 0] if len(energy) else 0.0
    middle = shower.axis(depths.mean())[1]
    # A turned stave shows more of itself in the corners of the picture.
    window = middle + np.arange(-3 * HALF_WIDTH_MM, 3 * HALF_WIDTH_MM, STEP_MM)
    sheets = [
        shower.to_global(strongest, live, depth)[:, [across, up]]
        for layer, depth in enumerate(depths)
        for live in _live_ranges(window, shower.is_live(strongest, window, layer))
    ]
    axes.add_collection(LineCollection(sheets, colors=SILICON, linewidths=0.7, zorder=0))
    columns, sums = _summed(shower.hits.layer, local[:, 1], energy)
    half = shower.placement.detector.cell_mm / 2
    corners = [
        shower.to_global(
            strongest,
            y + half * np.array([-1, 1, 1, -1]),
            depths[int(layer)] + SHEET_MM / 2 * np.array([-1, -1, 1, 1]),
        )[:, [across, up]]
        for layer, y in columns
    ]
    cells = _filled(axes, corners, sums)
    track = np.array([0.0, shower.placement.detector.depth_mm])
    if paths is None:
        paths = [np.stack([*shower.axis(track), track], axis=1)]
    for ends in paths:
        path = shower.to_global(*ends.T)[:, [across, up]]
        axes.plot(*path.T, color=AXIS, lw=0.7, ls="--")
        axes.plot(*path[0], marker="o", ms=2.5, color=AXIS)
    frame = shower.to_global(
        strongest,
        middle + HALF_WIDTH_MM * np.array([-1, 1, 1, -1]),
        track[[0, 0, 1, 1]] + np.array([-8, -8, 0, 0]),
    )[:, [across, up]]
    axes.set_xlim(frame[:, 0].min(), frame[:, 0].max())
    axes.set_ylim(frame[:, 1].min(), frame[:, 1].max())
    axes.set_aspect("equal")
    axes.set_xlabel(f"${GLOBAL_AXES[across]}$ [mm]")
    axes.set_ylabel(f"${GLOBAL_AXES[up]}$ [mm]")
    along = GLOBAL_AXES[3 - across - up]
    axes.set_title(
        f"hits in {shower.placement.detector.name}, summed along ${along}$", loc="left", fontsize=8
    )
    return cells


def draw_layer(axes: Axes, shower: PlacedShower) -> None:
    """Draw the cells of the layer with the most energy, and the gaps between them."""
    detector = shower.placement.detector
    energy = shower.hits.energy.astype(np.float64)
    layer = int(np.bincount(shower.hits.layer, energy, minlength=1).argmax())
    x0, y0 = shower.axis(detector.layer_depth_mm[layer])
    steps = np.arange(-HALF_WIDTH_MM, HALF_WIDTH_MM, STEP_MM) + STEP_MM / 2
    x, y = np.meshgrid(x0 + steps, y0 + steps)
    live = shower.is_live(x, y, layer).reshape(x.shape)
    edges = (x0 - HALF_WIDTH_MM, x0 + HALF_WIDTH_MM, y0 - HALF_WIDTH_MM, y0 + HALF_WIDTH_MM)
    axes.imshow(
        np.where(live, 0.12, 0.0),
        origin="lower",
        extent=edges,
        cmap="Greys",
        vmin=0,
        vmax=1,
        interpolation="nearest",
        zorder=0,
    )
    half = detector.cell_mm / 2
    square = half * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    rows = shower.hits.layer == layer
    _filled(axes, [centre + square for centre in shower.local[rows, :2]], energy[rows])
    for width, colour in ((2.0, "black"), (0.9, "white")):  # to be seen on dark and light cells
        axes.plot(x0, y0, marker="+", ms=7, mew=width, color=colour)
    axes.set_xlim(edges[:2])
    axes.set_ylim(edges[2:])
    axes.set_aspect("equal")
    axes.set_xlabel(r"$x'$ from the entry [mm]")
    axes.set_ylabel(r"$y'$ from the entry [mm]")
    axes.set_title(f"cells of layer {layer}, where most energy is", loc="left", fontsize=8)


def live_rectangles(shower: PlacedShower) -> Iterator[tuple[int, FloatArray]]:
    """Sensitive areas around a shower: between gaps along x' and y', as wafers are.

    Returns:
        Layer, and x' and y' of two opposite corners in mm, shape (4,), of each area.
    """
    detector = shower.placement.detector
    local, energy = shower.local, shower.hits.energy
    window = np.arange(-HALF_WIDTH_MM, HALF_WIDTH_MM, STEP_MM) + STEP_MM / 2
    for layer, depth in enumerate(detector.layer_depth_mm):
        x0, y0 = shower.axis(depth)
        rows = np.flatnonzero(shower.hits.layer == layer)
        # A hit lies in a cell, which the axis of a shower need not do.
        x, y = local[rows[energy[rows].argmax()], :2] if len(rows) else (x0, y0)
        along_x = list(_live_ranges(x0 + window, shower.is_live(x0 + window, y, layer)))
        along_y = list(_live_ranges(y0 + window, shower.is_live(x, y0 + window, layer)))
        for one in along_x:
            for other in along_y:
                yield layer, np.array([one[0], one[-1], other[0], other[-1]])


def _view(shower: PlacedShower) -> tuple[int, int]:
    """Two global axes in whose plane layers are seen from the side, along x'."""
    inwards = shower.to_global(0.0, 0.0, [0.0, 1.0])
    return (2, 1) if abs(inwards[1, 2] - inwards[0, 2]) > np.sqrt(0.5) else (0, 1)


def _live_ranges(at: FloatArray, is_live: BoolArray) -> Iterator[FloatArray]:
    """Ranges of positions in cells, thinned out."""
    changes = np.flatnonzero(np.diff(np.concatenate([[False], is_live, [False]])))
    for first, end in zip(changes[::2], changes[1::2], strict=True):
        yield np.append(at[first : end - 1 : 20], at[end - 1])


def _summed(layer: Any, y: FloatArray, energy: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Layer and y' of each column of cells along x', shape (M, 2), and its energy, shape (M,)."""
    keys = np.stack([layer.astype(np.float64), y.round(2)], axis=1)
    columns, inverse = np.unique(keys, axis=0, return_inverse=True)
    sums = np.zeros(len(columns))
    np.add.at(sums, inverse.reshape(-1), energy)
    return columns, sums


def _filled(axes: Axes, corners: list[FloatArray], energy: FloatArray) -> Any:
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import LogNorm

    cells = PolyCollection(
        corners,
        array=energy,
        norm=LogNorm(*HIT_ENERGY_MEV),
        cmap="inferno_r",
        edgecolors="white",
        linewidths=0.25,
    )
    axes.add_collection(cells)
    return cells
