"""Perfect models of a design: Geant4's own showers, redrawn but for what the design draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from calozoo_core.clumps import fill, load_table, voxel_energies
from calozoo_core.detector import load_detector
from calozoo_core.frames import axis_offsets, perpendicular_positions, perpendicular_to_local
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray

__all__ = ["DESIGNS", "filled_voxels", "points_in_rings", "points_in_voxels"]


def points_in_rings(showers: Showers, seed: int) -> Showers:
    """Independent points: each is turned about the axis by an angle of its own."""
    return _turned(showers, [stream(seed, i, "oracle") for i in range(len(showers))])


def points_in_voxels(showers: Showers, seed: int) -> Showers:
    """Independent points in voxels: each is turned to anywhere in its sector."""
    mesh = load_table(showers.detector).config.mesh
    x, y = perpendicular_positions(showers, load_detector(showers.detector))
    cell = mesh.cell(x, y)
    width = 2 * np.pi / np.array(mesh.sectors)[mesh.ring[cell]]
    inside = np.arctan2(y, x) - mesh.sector[cell] * width
    return _turned(
        showers, [stream(seed, i, "oracle") for i in range(len(showers))], width, -inside
    )


def filled_voxels(showers: Showers, seed: int) -> Showers:
    """True energies of voxels, filled from the table of clumps of other showers."""
    table = load_table(showers.detector)
    energies = voxel_energies(showers, table.config.mesh, table.config.linking)
    streams = [stream(seed, i, "clumps") for i in range(len(showers))]
    return fill(energies, showers.incident, table, streams)


DESIGNS: Final[dict[str, Callable[[Showers, int], Showers]]] = {
    "independent points in rings": points_in_rings,
    "independent points in voxels": points_in_voxels,
    "voxels filled from the table of clumps": filled_voxels,
}
"""What a design draws is true; the rest is drawn from a table or at random."""


def _turned(
    showers: Showers,
    streams: list[np.random.Generator],
    width: FloatArray | float = 2 * np.pi,
    start: FloatArray | float = 0.0,
) -> Showers:
    """Showers whose points are turned about the axis by `start` and up to `width` more."""
    detector = load_detector(showers.detector)
    uniform = [random.random(n) for random, n in zip(streams, showers.n_points, strict=True)]
    angle = start + width * np.concatenate(uniform)
    x, y = perpendicular_positions(showers, detector)
    turned = np.stack(
        [x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)]
    )
    matrix = perpendicular_to_local(showers.incident.direction)[showers.shower_index]
    local = np.einsum("pij,jp->ip", matrix, turned) + np.stack(axis_offsets(showers, detector))
    return replace(showers, x=local[0].astype(np.float32), y=local[1].astype(np.float32), time=None)
