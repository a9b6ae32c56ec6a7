"""Energies of rings about the axis, summed from points in the local or in the upright frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calozoo_core.clumps.mesh import VoxelMesh
from calozoo_core.detector import load_detector
from calozoo_core.frames import axis_offsets, check_layers, perpendicular_to_axis
from calozoo_core.kernels import use_compiled
from calozoo_core.showers import Showers
from calozoo_core.typing import Float32Array, FloatArray, IntArray

__all__ = ["core_energies", "upright_core_energies"]


def core_energies(showers: Showers, mesh: VoxelMesh, rings: int) -> Float32Array:
    """Energies of the innermost rings of showers, in MeV, shape (n, n_layers, rings).

    Arguments:
        showers: Showers of any representation.
        mesh: Rings about the axis.
        rings: How many of them.
    """
    detector, edges_mm = load_detector(showers.detector), mesh.edges_mm[:rings]
    direction = showers.incident.direction.astype(np.float64)
    if use_compiled():
        check_layers(showers.layer, detector)
        points = showers.offsets, showers.x, showers.y, showers.layer, showers.energy
        return _compiled_sums(*points, direction, detector.layer_depth_mm, edges_mm)
    axis_x, axis_y = axis_offsets(showers, detector)
    upright = showers.x - axis_x, showers.y - axis_y
    return _sums(
        showers.offsets,
        *upright,
        showers.layer,
        showers.energy,
        direction,
        detector.n_layers,
        edges_mm,
    )


def upright_core_energies(
    offsets: IntArray,
    x: Float32Array,
    y: Float32Array,
    layer: NDArray[np.uint8],
    energy: Float32Array,
    direction: Float32Array,
    n_layers: int,
    edges_mm: tuple[float, ...],
) -> Float32Array:
    """Energies of the innermost rings of upright points, in MeV, shape (n, n_layers, rings).

    Arguments:
        offsets: Index of the first point of each shower, and the total, shape (n + 1,).
        x: x' in the upright frame, in mm, shape (N,).
        y: y' in the upright frame, in mm, shape (N,).
        layer: Layer index, shape (N,).
        energy: Deposited energy, in MeV, shape (N,).
        direction: Directions of the primaries in the local frame, shape (n, 3).
        n_layers: Number of layers.
        edges_mm: Radii between the rings, and the one at which the last ends.
    """
    directions = direction.astype(np.float64)
    if use_compiled():
        at_face = np.zeros(n_layers)  # where local and upright positions are the same
        return _compiled_sums(offsets, x, y, layer, energy, directions, at_face, edges_mm)
    double = x.astype(np.float64), y.astype(np.float64)
    return _sums(offsets, *double, layer, energy, directions, n_layers, edges_mm)


def _sums(
    offsets: IntArray,
    x: FloatArray,
    y: FloatArray,
    layer: NDArray[np.uint8],
    energy: Float32Array,
    direction: FloatArray,
    n_layers: int,
    edges_mm: tuple[float, ...],
) -> Float32Array:
    owner, rings = np.repeat(np.arange(len(direction)), np.diff(offsets)), len(edges_mm)
    across_x, across_y = perpendicular_to_axis(x, y, owner, direction)
    ring = np.searchsorted(np.array(edges_mm), np.hypot(across_x, across_y), side="right")
    inside = np.flatnonzero(ring < rings)
    row = owner[inside] * n_layers + layer[inside]
    shape = (len(direction), n_layers, rings)
    sums = np.bincount(row * rings + ring[inside], energy[inside], int(np.prod(shape)))
    return sums.reshape(shape).astype(np.float32)


def _compiled_sums(
    offsets: IntArray,
    x: Float32Array,
    y: Float32Array,
    layer: NDArray[np.uint8],
    energy: Float32Array,
    direction: FloatArray,
    depth_mm: FloatArray,
    edges_mm: tuple[float, ...],
) -> Float32Array:
    from calozoo_core.kernels import _compiled

    sums = np.empty((len(direction), len(depth_mm), len(edges_mm)))
    edges = np.array(edges_mm)
    _compiled.sum_rings(offsets, x, y, layer, energy, direction, depth_mm, edges, sums)
    return sums.astype(np.float32)
