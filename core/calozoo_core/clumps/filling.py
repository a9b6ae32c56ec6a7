"""Filling of voxels with the points of Geant4 voxels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from calozoo_core.clumps.lookup import GRID_MM
from calozoo_core.clumps.mesh import VoxelMesh
from calozoo_core.clumps.neighbourhood import filled_voxels
from calozoo_core.clumps.table import ClumpTable
from calozoo_core.errors import InputError
from calozoo_core.frames import axis_slopes, perpendicular_to_local
from calozoo_core.incident import Incident
from calozoo_core.ragged import row_blocks
from calozoo_core.showers import Showers
from calozoo_core.typing import Float32Array, FloatArray

__all__ = ["fill"]

_BLOCK: Final = 1 << 15
"""Points placed together: they fit in the cache, and what is in between takes little memory."""

MAX_PARTS: Final = 16
"""Patches in one voxel; what holds still more gets them scaled."""


def fill(
    energies: Float32Array,
    incident: Incident,
    table: ClumpTable,
    streams: Sequence[np.random.Generator],
) -> Showers:
    """Showers whose voxels have given energies, with Geant4's points in them.

    Each voxel gets the points of one of Geant4's, of the same ring and about the same depth, of a
    shower of similar energy, with a similar neighbourhood and about the same energy; turned, and
    mirrored where that makes the neighbourhoods alike. One that holds more energy than any gets
    several. Points keep their energies, or are scaled together to the voxel's: see
    `ClumpTableConfig`.

    Arguments:
        energies: Energy of each voxel, in MeV, shape (n, n_layers, n_cells), as `voxel_energies`
            gives it; what is not positive is empty.
        incident: The n primaries.
        table: Geant4's voxels.
        streams: Random numbers of each shower, n of them: shower i depends on its own alone. One
            byte a patch is drawn, all at once.

    Returns:
        Showers in the local frame, their points in the order of layers.

    Raises:
        InputError: If the shapes do not fit, or an energy is not finite.

    Example:
        >>> from calozoo_core.clumps import load_table
        >>> from calozoo_core.random import stream
        >>> table = load_table("ild_siecal_regular")
        >>> energies = np.zeros((1, 30, table.config.mesh.n_cells), np.float32)
        >>> energies[0, 7, 0] = 12.0
        >>> showers = fill(energies, Incident(10, (0, 0, 1)), table, [stream(1, 0, "clumps")])
        >>> set(showers.layer.tolist()), round(float(showers.visible_energy[0]), 2)
        ({7}, 12.0)
    """
    config, lookup, mesh = table.config, table.lookup, table.config.mesh
    n, n_layers = len(incident), len(config.layer_groups)
    if energies.shape != (n, n_layers, mesh.n_cells) or len(streams) != n:
        msg = (
            f"{n} primaries need energies of shape {(n, n_layers, mesh.n_cells)} and as many "
            f"streams, not {energies.shape} and {len(streams)}."
        )
        raise InputError(msg)
    voxels = filled_voxels(energies, mesh)
    if not np.isfinite(voxels.energy).all():
        msg = "The energies of voxels must be finite."
        raise InputError(msg)
    classes = config.class_of(voxels, incident)
    is_inner = (mesh.ring < config.exact_rings).take(voxels.cell)
    is_exact = is_inner | (voxels.energy > np.float32(config.exact_mev))
    # A voxel that holds more than any of Geant4's gets several patches.
    parts = np.ceil(np.minimum(voxels.energy / lookup.most.take(classes), MAX_PARTS))
    parts[is_inner] = 1
    if parts.max(initial=1) > 1:
        parts = parts.astype(np.int64)
        voxels = voxels.divided(parts)
        classes, is_exact = np.repeat(classes, parts), np.repeat(is_exact, parts)
    first_voxel = np.searchsorted(voxels.row, np.arange(n + 1) * n_layers)
    drawn = [
        random.bytes(int(number))
        for random, number in zip(streams, np.diff(first_voxel), strict=True)
    ]
    coins = np.frombuffer(b"".join(drawn), np.uint8)
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
    count = lookup.n_points.take(patch).astype(np.int64)
    border = np.concatenate([[0], np.cumsum(count)])
    matrices = np.ascontiguousarray(_matrices(mesh, incident).T)
    axes = np.ascontiguousarray(_axes(incident, table.layer_depth_mm).T)
    layer = (voxels.row % n_layers).astype(np.uint8)
    x, y, energy = (np.empty(border[-1], np.float32) for _ in range(3))
    for own, points in row_blocks(border, _BLOCK):
        owner = np.repeat(np.arange(own.stop - own.start), count[own])
        point = (lookup.first.take(patch[own]) - border[own]).take(owner)
        point += np.arange(points.start, points.stop)
        px, py = (column.take(point) * GRID_MM for column in (lookup.x, lookup.y))
        xx, xy, yx, yy = (row.take(turn[own]).take(owner) for row in matrices)
        dx, dy = (row.take(voxels.row[own]).take(owner) for row in axes)
        x[points] = xx * px + xy * py + dx
        y[points] = yx * px + yy * py + dy
        energy[points] = lookup.point_energy.take(point)
        energy[points] *= scale[own].take(owner)
    return Showers(
        offsets=border[first_voxel],
        x=x,
        y=y,
        layer=np.repeat(layer, count),
        energy=energy,
        incident=incident,
        representation=config.representation,
        detector=config.detector,
    )


def _matrices(mesh: VoxelMesh, incident: Incident) -> Float32Array:
    """From the first sector of a ring to the local frame, shape (n * 2 * sectors, 4).

    For each shower not mirrored and mirrored, and turned by any number of the narrowest sectors.
    """
    local = perpendicular_to_local(incident.direction)
    angle = 2 * np.pi / max(mesh.sectors) * np.arange(max(mesh.sectors))
    cos, sin = np.cos(angle), np.sin(angle)
    turn: FloatArray = np.array([[[cos, -sin], [sin, cos]], [[cos, sin], [sin, -cos]]])
    # Row by row: a product of matrices may depend on how many there are.
    product = local[:, None, :, :1, None] * turn[:, :1] + local[:, None, :, 1:, None] * turn[:, 1:]
    return np.ascontiguousarray(product.transpose(0, 1, 4, 2, 3).reshape(-1, 4), np.float32)


def _axes(incident: Incident, depth_mm: FloatArray) -> Float32Array:
    """Where the axis of each shower crosses each layer, in mm, shape (n * n_layers, 2)."""
    slopes = axis_slopes(incident.direction.astype(np.float64))
    return (depth_mm[:, None] * slopes[:, None]).reshape(-1, 2).astype(np.float32)
