"""Filling of voxels with the points of Geant4 voxels, by compiled kernels.

What they draw is what `numpy_points` draws: the logarithms that choose patches are numpy's in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from calozoo_core.clumps.lookup import energy_level
from calozoo_core.clumps.numpy_filling import NOT_FINITE, PlacedPoints
from calozoo_core.clumps.table import ClumpTable
from calozoo_core.errors import InputError
from calozoo_core.frames import axis_slopes, perpendicular_to_local
from calozoo_core.incident import Incident
from calozoo_core.kernels import _compiled
from calozoo_core.typing import Float32Array

__all__ = ["compiled_points"]

_PATCH_BYTES: Final = 16
"""Size of a record of a patch."""


def compiled_points(
    energies: Float32Array,
    incident: Incident,
    table: ClumpTable,
    streams: Sequence[np.random.Generator],
) -> PlacedPoints:
    """Points of Geant4 voxels in voxels of given energies, as `numpy_points`."""
    config, lookup = table.config, table.lookup
    cells, rings = config.mesh.tables
    _, _, primaries, kinds = config.class_shape
    n, n_layers = len(incident), len(config.layer_groups)
    counts, sums = np.empty(n, np.int64), np.empty(n, np.int64)
    try:
        voxels, voxel_energies = _compiled.find_voxels(
            energies,
            config.primary_classes(incident),
            lookup.most,
            cells,
            rings,
            counts,
            primaries,
            kinds,
            config.exact_rings,
            config.exact_mev,
        )
    except FloatingPointError as error:
        raise InputError(NOT_FINITE) from error
    level = energy_level(np.frombuffer(voxel_energies, np.float32))
    coins = np.empty(len(level), np.uint8)
    _compiled.random_bytes(tuple(random.bit_generator for random in streams), counts, coins)
    patches = np.empty(_PATCH_BYTES * len(level), np.uint8)
    _compiled.draw_patches(
        voxels,
        level,
        coins,
        cells,
        rings,
        lookup.runs,
        lookup.start,
        lookup.level,
        lookup.patch,
        lookup.first,
        lookup.energy,
        patches,
        sums,
        n_layers,
        len(lookup.points),
        config.most_apart,
    )
    offsets = np.zeros(n + 1, np.int64)
    np.cumsum(sums, out=offsets[1:])
    x, y, energy = np.empty((3, offsets[-1]), np.float32)
    layer = np.empty(offsets[-1], np.uint8)
    _compiled.place_points(
        patches,
        lookup.points,
        perpendicular_to_local(incident.direction),
        config.mesh.turns,
        axis_slopes(incident.direction.astype(np.float64)),
        table.layer_depth_mm,
        x,
        y,
        layer,
        energy,
    )
    return PlacedPoints(offsets, x, y, layer, energy)
