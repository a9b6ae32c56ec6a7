"""Filling of voxels with the points of Geant4 voxels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calozoo_core.clumps.numpy_filling import PlacedPoints, numpy_points
from calozoo_core.clumps.table import ClumpTable
from calozoo_core.errors import InputError
from calozoo_core.incident import Incident
from calozoo_core.kernels import use_compiled
from calozoo_core.showers import Showers
from calozoo_core.typing import Float32Array

__all__ = ["fill"]


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
    n, n_layers, n_cells = len(incident), len(table.config.layer_groups), table.config.mesh.n_cells
    if energies.shape != (n, n_layers, n_cells) or len(streams) != n:
        msg = (
            f"{n} primaries need energies of shape {(n, n_layers, n_cells)} and as many "
            f"streams, not {energies.shape} and {len(streams)}."
        )
        raise InputError(msg)
    points = _points(np.ascontiguousarray(energies, np.float32), incident, table, streams)
    return Showers(
        offsets=points.offsets,
        x=points.x,
        y=points.y,
        layer=points.layer,
        energy=points.energy,
        incident=incident,
        representation=table.config.representation,
        detector=table.config.detector,
    )


def _points(
    energies: Float32Array,
    incident: Incident,
    table: ClumpTable,
    streams: Sequence[np.random.Generator],
) -> PlacedPoints:
    if not use_compiled():
        return numpy_points(energies, incident, table, streams)
    from calozoo_core.clumps.compiled_filling import compiled_points

    return compiled_points(energies, incident, table, streams)
