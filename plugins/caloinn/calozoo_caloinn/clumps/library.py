"""Library of Geant4 showers as voxels: halo and azimuth of showers whose core is known.

What lies beyond 8 mm of the axis, and how each ring divides among its sectors, is taken from one of
the library's showers that are nearest in energy, direction and the depth of the core; mirrored at
x' = 0 where that is nearer. It keeps together what goes together: tracks through several layers,
the lean of the core, empty places.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from calozoo_caloinn.clumps.config import ClumpsConfig
from calozoo_core.typing import AnyFloatArray, BoolArray, Float32Array, FloatArray, IntArray

__all__ = ["HaloLibrary", "LibraryTables", "core_features", "fit_library"]

MIRRORED_FEATURE = 4
"""Index of p_x, the feature that changes its sign in the mirror."""

STEPS = (1, -1, 2, -2, 3, -3)
"""Neighbouring layers that a ring takes its division from, where the library's own is empty."""


class LibraryTables(NamedTuple):
    """Tables of the library and the calibration of the flows.

    Arguments:
        features: Features of each shower, shape (showers, 8).
        first: First voxel of each shower, and their number, shape (showers + 1,).
        cell: Layer times cells of a layer, plus cell, shape (voxels,).
        energy: Energy of each voxel, in MeV, shape (voxels,).
        threshold: Energy below which a ring of the core is empty, in MeV, shape (layers x rings,).
        calibration: Factor on the energy of each ring of the core, shape (layers x rings,).
    """

    features: Tensor
    first: Tensor
    cell: Tensor
    energy: Tensor
    threshold: Tensor
    calibration: Tensor

    @classmethod
    def zeros(cls, config: ClumpsConfig) -> LibraryTables:
        """Empty tables of a configuration."""
        showers, voxels = config.library.showers, config.library.voxels
        rings = config.flows.codec.layers * config.core_rings
        return cls(
            features=torch.zeros(showers, len(config.library.metric)),
            first=torch.zeros(showers + 1, dtype=torch.int32),
            cell=torch.zeros(voxels, dtype=torch.int16),
            energy=torch.zeros(voxels, dtype=torch.float16),
            threshold=torch.zeros(rings),
            calibration=torch.zeros(rings),
        )


def core_features(
    core: AnyFloatArray, energy_gev: Float32Array, direction: Float32Array
) -> FloatArray:
    """Features in which showers are near to each other, shape (n, 8).

    ln E, mean layer and width in layers of the core, ln of its energy in MeV over E in GeV, p_x,
    p_y, and ln of the parts of its energy in the innermost and in the outermost ring: a core beside
    the axis has little in the first and much in the last.

    Arguments:
        core: Energies of the rings of the core, in MeV, shape (n, layers, rings).
        energy_gev: Incident energies, shape (n,).
        direction: Unit vectors, shape (n, 3).
    """
    by_layer = core.sum(axis=2, dtype=np.float64)
    total = np.maximum(by_layer.sum(axis=1), 1e-3)
    layer = np.arange(core.shape[1])
    mean = by_layer @ layer / total
    width = np.sqrt(np.maximum(by_layer @ layer**2 / total - mean**2, 0))
    log_energy = np.log(energy_gev.astype(np.float64))
    inner, outer = (
        np.log(core[:, :, ring].sum(axis=1, dtype=np.float64) / total + 1e-2) for ring in (0, -1)
    )
    shape = [log_energy, mean, width, np.log(total) - log_energy]
    return np.column_stack([*shape, direction[:, 0], direction[:, 1], inner, outer])


def fit_library(
    energies: Float32Array,
    energy_gev: Float32Array,
    direction: Float32Array,
    config: ClumpsConfig,
    rows: IntArray,
) -> tuple[ClumpsConfig, LibraryTables]:
    """Configuration with the sizes of a library, and the library without a calibration.

    Arguments:
        energies: Voxels of Geant4 showers, in MeV, shape (n, layers, cells).
        energy_gev: Their incident energies, shape (n,).
        direction: Their directions, shape (n, 3).
        config: Configuration whose mesh they have.
        rows: Showers that the library is made of.
    """
    chosen = energies[rows]
    shower, voxel = np.nonzero(chosen.reshape(len(rows), -1))
    sizes = {"showers": len(rows), "voxels": len(voxel)}
    fitted = config.model_copy(update={"library": config.library.model_copy(update=sizes)})
    core = config.mesh.ring_energies(chosen)[:, :, : config.core_rings]
    features = core_features(core, energy_gev[rows], direction[rows])
    first = np.searchsorted(shower, np.arange(len(rows) + 1))
    tables = LibraryTables.zeros(fitted)._replace(
        features=torch.from_numpy(features.astype(np.float32)),
        first=torch.from_numpy(first.astype(np.int32)),
        cell=torch.from_numpy(voxel.astype(np.int16)),
        energy=torch.from_numpy(chosen.reshape(len(rows), -1)[shower, voxel].astype(np.float16)),
    )
    return fitted, tables


class HaloLibrary:
    """Library that is ready for generation.

    Arguments:
        config: Configuration of the model.
        tables: Tables of the library.
    """

    def __init__(self, config: ClumpsConfig, tables: LibraryTables) -> None:
        self._config = config
        self._metric = np.array(config.library.metric)
        # Double precision: which showers are nearest must not depend on the size of a batch.
        features = tables.features.numpy() * self._metric
        mirrored = features.copy()
        mirrored[:, MIRRORED_FEATURE] *= -1
        self._features = np.concatenate([features, mirrored])
        self._norm = (self._features**2).sum(axis=1)
        self._first = tables.first.numpy().astype(np.int64)
        self._cell = tables.cell.numpy().astype(np.int64)
        self._energy = tables.energy.numpy().astype(np.float32)
        cells, layers = config.mesh.n_cells, config.flows.codec.layers
        layer = np.arange(layers)[:, None] * cells
        # From a voxel to its place, as it is and in the mirror.
        self._place = np.concatenate(
            [np.arange(layers * cells), (layer + config.mesh.mirror).ravel()]
        )

    def nearest(self, features: AnyFloatArray, coin: Float32Array) -> IntArray:
        """Showers of the library, one of the nearest of each; behind the last, their mirror images.

        Arguments:
            features: As `core_features` gives them, shape (n, 8).
            coin: Uniform random numbers that choose among the nearest, shape (n,).
        """
        scaled = features * self._metric
        distance = self._norm - 2 * scaled @ self._features.T
        candidates = min(self._config.library.candidates, distance.shape[1])
        near = np.argpartition(distance, candidates - 1, axis=1)[:, :candidates]
        # Sorted, since the order in which a partition leaves them means nothing.
        near.sort(axis=1)
        chosen = (coin * candidates).astype(np.int64)
        return np.asarray(near[np.arange(len(near)), chosen], np.int64)

    def voxels(self, showers: IntArray) -> Float32Array:
        """Voxel energies of showers of the library, in MeV, shape (n, layers, cells)."""
        number = len(self._first) - 1
        row, is_mirrored = showers % number, showers >= number
        count = self._first[row + 1] - self._first[row]
        ends = np.cumsum(count)
        voxel = np.arange(ends[-1]) + np.repeat(self._first[row] - ends + count, count)
        size = len(self._place) // 2
        place = self._place[self._cell[voxel] + np.repeat(is_mirrored * size, count)]
        energies = np.zeros(len(showers) * size, np.float32)
        energies[place + np.repeat(np.arange(len(showers)) * size, count)] = self._energy[voxel]
        return energies.reshape(len(showers), -1, self._config.mesh.n_cells)

    def around(
        self, core: Float32Array, incident_features: AnyFloatArray, coin: Float32Array
    ) -> Float32Array:
        """Voxel energies of whole showers, in MeV, shape (n, layers, cells).

        Rings of the core keep their energies and are divided as in the library's shower; what lies
        beyond is the library's.

        Arguments:
            core: Energies of the rings of the core, in MeV, shape (n, layers, rings).
            incident_features: As `core_features` gives them, shape (n, 8).
            coin: Uniform random numbers, shape (n,).
        """
        energies = self.voxels(self.nearest(incident_features, coin))
        cells, starts = self._config.core_cells, self._config.mesh.ring_start
        starts = starts[: self._config.core_rings]
        parts = energies[:, :, :cells]
        sums = np.add.reduceat(parts, starts, axis=2)
        missing = (sums == 0) & (core > 0)
        if missing.any():
            parts = parts.copy()
            self._borrow(parts, sums, missing, coin)
        factor = np.where(sums > 0, core / np.where(sums > 0, sums, 1), 0).astype(np.float32)
        sectors = self._config.mesh.sectors[: self._config.core_rings]
        energies[:, :, :cells] = parts * np.repeat(factor, sectors, axis=2)
        return energies

    def _borrow(
        self, parts: Float32Array, sums: Float32Array, missing: BoolArray, coin: Float32Array
    ) -> None:
        """Divide rings that are empty in the library as those of a layer nearby, in place."""
        own = parts.copy()
        layers = parts.shape[1]
        starts, sectors = self._config.mesh.ring_start, self._config.mesh.sectors
        for shower, layer, ring in zip(*np.nonzero(missing), strict=True):
            cells = slice(starts[ring], starts[ring] + sectors[ring])
            nearby = (layer + step for step in STEPS if 0 <= layer + step < layers)
            filled = [near for near in nearby if own[shower, near, cells].any()]
            if filled:
                parts[shower, layer, cells] = own[shower, filled[0], cells]
            else:
                parts[shower, layer, starts[ring] + int(coin[shower] * sectors[ring])] = 1
            sums[shower, layer, ring] = parts[shower, layer, cells].sum()
