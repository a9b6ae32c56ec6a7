"""Filling of voxels with the points of Geant4 voxels, in numpy: the reference of the kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calozoo_core.clumps.lookup import GRID_MM
from calozoo_core.clumps.mesh import VoxelMesh
from calozoo_core.clumps.neighbourhood import filled_voxels
from calozoo_core.clumps.table import ClumpTable
from calozoo_core.errors import InputError
from calozoo_core.frames import axis_slopes, perpendicular_to_local
from calozoo_core.incident import Incident
from calozoo_core.ragged import row_blocks
from calozoo_core.typing import Float32Array, FloatArray, IntArray

__all__ = ["NOT_FINITE", "PlacedPoints", "coin_bytes", "numpy_points"]

NOT_FINITE: Final = "The energies of voxels must be finite."

_BLOCK: Final = 1 << 15
"""Points placed together: they fit in the cache, and what is in between takes little memory."""

MAX_PARTS: Final = 16
"""Patches in one voxel; what holds still more gets them scaled."""


class PlacedPoints(NamedTuple):
    """Points of n showers in the local frame, in the order of layers.

    Arguments:
        offsets: Where each shower begins, and the end, shape (n + 1,).
        x: In mm, shape (N,).
        y: In mm, shape (N,).
        layer: Shape (N,).
        energy: In MeV, shape (N,).
    """

    offsets: IntArray
    x: Float32Array
    y: Float32Array
    layer: NDArray[np.uint8]
    energy: Float32Array


def coin_bytes(streams: Sequence[np.random.Generator], counts: IntArray) -> bytes:
    """Random bytes of showers, one after the other.

    Arguments:
        streams: Random numbers of each shower, n of them.
        counts: Bytes of each shower, shape (n,).
    """
    pairs = zip(streams, counts.tolist(), strict=True)
    return b"".join([random.bytes(count) for random, count in pairs])


def numpy_points(
    energies: Float32Array,
    incident: Incident,
    table: ClumpTable,
    streams: Sequence[np.random.Generator],
) -> PlacedPoints:
    """Points of Geant4 voxels in voxels of given energies.

    Arguments:
        energies: In MeV, shape (n, n_layers, n_cells).
        incident: The n primaries.
        table: Geant4's voxels.
        streams: Random numbers of each shower, n of them.

    Raises:
        InputError: If an energy is not finite.
    """
    config, lookup, mesh = table.config, table.lookup, table.config.mesh
    n, n_layers = len(incident), len(config.layer_groups)
    voxels = filled_voxels(energies, mesh)
    if not np.isfinite(voxels.energy).all():
        raise InputError(NOT_FINITE)
    classes = config.class_of(voxels, incident)
    is_inner = (mesh.ring < config.exact_rings).take(voxels.cell)
    is_exact = is_inner | (voxels.energy > np.float32(config.exact_mev))
    # A voxel that holds more than any of Geant4's gets several patches.
    parts = np.ceil(np.minimum(voxels.energy / lookup.most.take(classes), MAX_PARTS))
    parts = np.maximum(parts, 1)
    parts[is_inner] = 1
    if parts.max(initial=1) > 1:
        parts = parts.astype(np.int64)
        voxels = voxels.divided(parts)
        classes, is_exact = np.repeat(classes, parts), np.repeat(is_exact, parts)
    first_voxel = np.searchsorted(voxels.row, np.arange(n + 1) * n_layers)
    coins = np.frombuffer(coin_bytes(streams, np.diff(first_voxel)), np.uint8)
    shift = np.subtract(coins & 3, 2, dtype=np.int8)
    patch = lookup.draw(classes, voxels.energy, shift, config.most_apart)
    mirror = np.where(voxels.is_symmetric, (coins & 4) > 0, voxels.is_mirrored)

    ratio = voxels.energy / lookup.energy.take(patch)
    is_exact |= np.maximum(ratio, 1 / ratio) > np.float32(config.most_apart)
    scale = np.where(is_exact, ratio, np.float32(1))

    most = max(mesh.sectors)
    turn = (
        (mesh.sector.take(voxels.cell) + mirror)
        * (most // np.array(mesh.sectors))[mesh.ring].take(voxels.cell)
        % most
    )
    turn += (voxels.row // n_layers * 2 + mirror) * most
    count = (lookup.first.take(patch + 1) - lookup.first.take(patch)).astype(np.int64)
    border = np.concatenate([[0], np.cumsum(count)])
    matrices = np.ascontiguousarray(_matrices(mesh, incident).T)
    axes = np.ascontiguousarray(_axes(incident, table.layer_depth_mm).T)
    layer = (voxels.row % n_layers).astype(np.uint8)
    x, y, energy = (np.empty(border[-1], np.float32) for _ in range(3))
    for own, points in row_blocks(border, _BLOCK):
        owner = np.repeat(np.arange(own.stop - own.start), count[own])
        point = (lookup.first.take(patch[own]) - border[own]).take(owner)
        point += np.arange(points.start, points.stop)
        columns = lookup.points.take(point, axis=0)
        px, py = (columns[:, axis] * GRID_MM for axis in range(2))
        xx, xy, yx, yy = (row.take(turn[own]).take(owner) for row in matrices)
        dx, dy = (row.take(voxels.row[own]).take(owner) for row in axes)
        x[points] = xx * px + xy * py + dx
        y[points] = yx * px + yy * py + dy
        energy[points] = columns[:, 2].view(np.float16)
        energy[points] *= scale[own].take(owner)
    return PlacedPoints(border[first_voxel], x, y, np.repeat(layer, count), energy)


def _matrices(mesh: VoxelMesh, incident: Incident) -> Float32Array:
    """From the first sector of a ring to the local frame, shape (n * 2 * sectors, 4).

    For each shower not mirrored and mirrored, and turned by any number of the narrowest sectors.
    """
    local = perpendicular_to_local(incident.direction)
    turn = mesh.turns
    # Row by row: a product of matrices may depend on how many there are.
    product = local[:, None, :, :1, None] * turn[:, :1] + local[:, None, :, 1:, None] * turn[:, 1:]
    return np.ascontiguousarray(product.transpose(0, 1, 4, 2, 3).reshape(-1, 4), np.float32)


def _axes(incident: Incident, depth_mm: FloatArray) -> Float32Array:
    """Where the axis of each shower crosses each layer, in mm, shape (n * n_layers, 2)."""
    slopes = axis_slopes(incident.direction.astype(np.float64))
    return (depth_mm[:, None] * slopes[:, None]).reshape(-1, 2).astype(np.float32)
