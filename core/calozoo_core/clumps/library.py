"""Library of Geant4 showers as voxels: halo and azimuth of showers whose core is known.

What lies beyond the core in a layer, and how each ring of it divides among its sectors, is taken
from a layer of one of Geant4's showers, found by `CoreMatcher`; mirrored at x' = 0 where that is
nearer. It keeps together what goes together: the halo of a layer and its core, the lean of the
shower, empty places. That part of a shower is resampled, not learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.clumps.bundled import bundled_folder
from calozoo_core.clumps.core_matching import CoreMatcher, core_features
from calozoo_core.clumps.energy_levels import LEAST_MEV, LEVEL_MEV, energy_levels
from calozoo_core.clumps.library_config import N_FEATURES, HaloLibraryConfig
from calozoo_core.clumps.linking import Linking
from calozoo_core.clumps.mesh import VoxelMesh, voxel_energies
from calozoo_core.clumps.table import ClumpTable
from calozoo_core.clumps.table_config import ShowerSource
from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError, WeightsError
from calozoo_core.frames import perpendicular_positions
from calozoo_core.incident import Incident
from calozoo_core.kernels import use_compiled
from calozoo_core.ragged import row_blocks
from calozoo_core.showers import Showers
from calozoo_core.typing import BoolArray, Float32Array, IntArray
from calozoo_core.weights import read_arrays, read_config, write_weights

__all__ = ["HaloLibrary", "load_library"]

_STEPS: Final = (1, -1, 2, -2, 3, -3)
"""Neighbouring layers that a ring takes its division from, where the library's own is empty."""

_BLOCK: Final = 500
"""Showers that are made into voxels together, so that a large sample fits in memory."""

_ENTRIES: Final = 1 << 17
"""Entries that are checked together, likewise."""

_GAP: Final = 255
"""Longest way from one entry to the next; a longer one is made of entries without energy."""

_LEAN_RADIUS_MM: Final = 33.0
"""Distance from the axis beyond which points do not count for the lean."""


@dataclass(frozen=True, eq=False)
class HaloLibrary:
    """Voxels of some thousands of Geant4 showers, in the order of their energies.

    An entry is a byte that says how many voxels of its layer it lies behind the last one, and a
    byte for the level of its energy: showers fit in memory as they are in the file.

    Arguments:
        config: Sizes and metric.
        features: `core_features` of each shower, shape (n_showers, 8), float32.
        core: Levels of the rings of its core, shape (n_showers, n_layers, core_rings), uint8.
        lean: Its centre of gravity in x' and y', in mm, shape (n_showers, 2), float32.
        first: First entry of each layer of each shower, and their number, shape
            (n_showers * n_layers + 1,), int32.
        step: Voxels from the last entry of the layer, shape (n_entries,), uint8.
        level: Level of its energy; 0 for none, shape (n_entries,), uint8.
    """

    config: HaloLibraryConfig
    features: Float32Array
    core: NDArray[np.uint8]
    lean: Float32Array
    first: NDArray[np.int32]
    step: NDArray[np.uint8]
    level: NDArray[np.uint8]

    @classmethod
    def from_showers(
        cls,
        showers: Showers,
        *,
        mesh: VoxelMesh | None = None,
        linking: Linking | None = None,
        core_rings: int = 5,
        sources: tuple[ShowerSource, ...] = (),
    ) -> HaloLibrary:
        """Library of Geant4 showers.

        Arguments:
            showers: Training showers, of many energies and angles.
            mesh: Rings and sectors; by default those of `VoxelMesh()`.
            linking: Distances that make a clump; by default those of `Linking()`.
            core_rings: Innermost rings, whose energies a model draws.
            sources: Where the showers come from.

        Raises:
            InputError: If there are no showers, or one without energy.
        """
        if len(showers) == 0:
            msg = "A library needs showers; give some thousands of Geant4's."
            raise InputError(msg, argument="showers")
        mesh, linking = mesh or VoxelMesh(), linking or Linking()
        order = np.argsort(showers.incident.energy, kind="stable")
        features, cores, leans, counts, steps, levels = [], [], [], [], [], []
        for start in range(0, len(order), _BLOCK):
            block = showers[order[start : start + _BLOCK]]
            energies = voxel_energies(block, mesh, linking)
            if not energies.any(axis=(1, 2)).all():
                msg = "A library takes showers with energy only; leave out those without."
                raise InputError(msg, argument="showers")
            core = mesh.ring_energies(energies)[:, :, :core_rings]
            features.append(core_features(core, block.incident).astype(np.float32))
            cores.append(energy_levels(core))
            leans.append(_lean(block))
            count, step, level = _encoded(energies.reshape(-1, mesh.n_cells))
            counts.append(count)
            steps.append(step)
            levels.append(level)
        first = np.cumsum(np.concatenate([[0], *counts]))
        config = HaloLibraryConfig(
            detector=showers.detector,
            mesh=mesh,
            linking=linking,
            core_rings=core_rings,
            n_showers=len(showers),
            n_entries=int(first[-1]),
            sources=sources,
        )
        return cls(
            config,
            np.concatenate(features),
            np.concatenate(cores),
            np.concatenate(leans),
            first.astype(np.int32),
            np.concatenate(steps),
            np.concatenate(levels),
        )

    @classmethod
    def read(cls, folder: Path) -> HaloLibrary:
        """Library of a folder with `config.json` and `model.safetensors`.

        Raises:
            WeightsError: If the files are damaged or do not fit each other.
        """
        config = read_config(folder, HaloLibraryConfig)
        n, layers = config.n_showers, load_detector(config.detector).n_layers
        arrays = read_arrays(
            folder,
            {
                "features": (n, N_FEATURES),
                "core": (n, layers, config.core_rings),
                "lean": (n, 2),
                "first": (n * layers + 1,),
                "step": (config.n_entries,),
                "level": (config.n_entries,),
            },
            {"core": "uint8", "first": "int32", "step": "uint8", "level": "uint8"},
        )
        library = cls(config, **arrays)
        wrong = library._contradiction()
        if wrong:
            msg = f"{folder} is not a library of showers: its {wrong!r} contradicts the rest."
            raise WeightsError(msg)
        return library

    def write(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors`, whole or not at all.

        Raises:
            WeightsError: If the folder cannot be written to.
        """
        names = ("features", "core", "lean", "first", "step", "level")
        write_weights(folder, self.config, {name: getattr(self, name) for name in names})

    def check(self, table: ClumpTable) -> None:
        """Refuse a table of clumps for other voxels.

        Raises:
            WeightsError: If mesh or detector differ.
        """
        table.check(self.config.mesh, self.config.detector)

    @property
    def n_layers(self) -> int:
        """Number of layers of the detector."""
        return load_detector(self.config.detector).n_layers

    def voxels(self, numbers: IntArray) -> Float32Array:
        """Voxel energies of layers of the library's showers, in MeV, shape (n, n_layers, n_cells).

        Arguments:
            numbers: Shower that each layer is taken from, shape (n, n_layers); from the number of
                showers on their mirror images.
        """
        mesh, n_showers, layers = self.config.mesh, self.config.n_showers, self.n_layers
        slices = (numbers % n_showers * layers + np.arange(layers)).ravel()
        start = self.first[slices].astype(np.int64)
        count = self.first[slices + 1] - start
        ends = np.cumsum(count)
        entry = np.arange(count.sum()) + np.repeat(start - ends + count, count)
        walked = np.concatenate([[0], np.cumsum(self.step[entry], dtype=np.int64)])
        cell = walked[1:] - np.repeat(walked[ends - count], count) - 1
        straight = np.arange(mesh.n_cells)
        is_mirrored = np.repeat(numbers.ravel() >= n_showers, count)
        cell = np.stack([straight, mesh.mirror])[is_mirrored.astype(np.int64), cell]
        level = self.level[entry]
        filled = level > 0
        place = (cell + np.repeat(np.arange(len(slices)) * mesh.n_cells, count))[filled]
        energies = np.zeros(len(slices) * mesh.n_cells, np.float32)
        energies[place] = LEVEL_MEV[level[filled]]
        return energies.reshape(len(numbers), layers, mesh.n_cells)

    def around(self, core: Float32Array, incident: Incident, coin: Float32Array) -> Float32Array:
        """Voxel energies of whole showers, in MeV, shape (n, n_layers, n_cells).

        Rings of the core keep their energies and are divided as in the library's layers; what lies
        beyond is the library's, in proportion to the incident energy.

        Arguments:
            core: Energies of the rings of the core, in MeV, shape (n, n_layers, core_rings).
            incident: The n primaries.
            coin: Uniform random numbers, shape (n,).

        Raises:
            InputError: If the shapes do not fit.
        """
        expected = (len(incident), self.n_layers, self.config.core_rings)
        if core.shape != expected:
            msg = f"{len(incident)} primaries need a core of shape {expected}, not {core.shape}."
            raise InputError(msg, argument="core")
        numbers = self.matcher(core, incident, coin)
        factors = incident.energy[:, None] / self._energies[numbers % self.config.n_showers]
        around = self._compiled_around if use_compiled() else self._numpy_around
        return around(numbers, core, coin, factors)

    def _numpy_around(
        self, numbers: IntArray, core: Float32Array, coin: Float32Array, factors: Float32Array
    ) -> Float32Array:
        energies = self.voxels(numbers)
        sectors = self.config.mesh.sectors[: self.config.core_rings]
        parts, beyond = np.split(energies, [sum(sectors)], axis=2)
        beyond *= factors[..., None]
        starts = self.config.mesh.ring_start[: self.config.core_rings]
        sums = np.add.reduceat(parts, starts, axis=2)
        missing = (sums == 0) & (core > 0)
        if missing.any():
            self._borrow(parts, missing, coin)
            sums = np.add.reduceat(parts, starts, axis=2)
        factor = np.where(sums > 0, core / np.where(sums > 0, sums, 1), 0).astype(np.float32)
        parts *= np.repeat(factor, sectors, axis=2)
        return energies

    def _compiled_around(
        self, numbers: IntArray, core: Float32Array, coin: Float32Array, factors: Float32Array
    ) -> Float32Array:
        from calozoo_core.kernels import _compiled

        config = self.config
        shape = (len(numbers), self.n_layers, config.mesh.n_cells)
        energies = np.zeros(shape, np.float32)
        _compiled.voxels_around(
            numbers,
            np.ascontiguousarray(core, np.float32),
            np.asarray(coin, np.float64),
            factors,
            self.first,
            self.step,
            self.level,
            LEVEL_MEV,
            *config.mesh.tables,
            energies,
            self.n_layers,
            config.core_rings,
        )
        return energies

    @cached_property
    def _energies(self) -> Float32Array:
        """Incident energy of each shower, in GeV, shape (n_showers,)."""
        energies: Float32Array = np.exp(self.features[:, 0])
        return energies

    @cached_property
    def matcher(self) -> CoreMatcher:
        """Finder of the showers whose layers fit a core."""
        return CoreMatcher(self.config, self.features, self.core, self.lean)

    def _borrow(self, parts: Float32Array, missing: BoolArray, coin: Float32Array) -> None:
        """Divide rings that are empty in the library as those of a layer nearby, in place."""
        own = parts.copy()
        layers = parts.shape[1]
        starts, sectors = self.config.mesh.ring_start, self.config.mesh.sectors
        for shower, layer, ring in zip(*np.nonzero(missing), strict=True):
            cells = slice(starts[ring], starts[ring] + sectors[ring])
            nearby = (layer + step for step in _STEPS if 0 <= layer + step < layers)
            filled = [near for near in nearby if own[shower, near, cells].any()]
            if filled:
                parts[shower, layer, cells] = own[shower, filled[0], cells]
            else:
                parts[shower, layer, starts[ring] + int(coin[shower] * sectors[ring])] = 1

    def _contradiction(self) -> str | None:
        """Name of an array that contradicts the configuration, if one does."""
        if self.first[0] != 0 or self.first[-1] != self.config.n_entries:
            return "first"
        if np.any(self.first[1:] < self.first[:-1]):
            return "first"
        if np.any(np.diff(self.features[:, 0]) < 0):
            return "features"
        if self.step.min() < 1 or self._farthest() > self.config.mesh.n_cells:
            return "step"
        return None

    def _farthest(self) -> int:
        """Largest number of a voxel that the steps of a layer lead to, counted from 1."""
        farthest = 0
        for rows, points in row_blocks(self.first, _ENTRIES):
            borders = self.first[rows.start : rows.stop + 1] - self.first[rows.start]
            filled = np.flatnonzero(borders[1:] > borders[:-1])
            if len(filled):
                walked = np.add.reduceat(self.step[points], borders[filled], dtype=np.int32)
                farthest = max(farthest, int(walked.max()))
        return farthest


@cache
def load_library(detector: str) -> HaloLibrary:
    """Library that comes with calozoo for a detector.

    Raises:
        InputError: If there is none.
    """
    with bundled_folder("libraries", "library of showers", detector) as folder:
        return HaloLibrary.read(folder)


def _lean(showers: Showers) -> Float32Array:
    """Centre of gravity in x' and y' about the axis, in mm, shape (n, 2)."""
    x, y = perpendicular_positions(showers, load_detector(showers.detector))
    inside = np.where(np.hypot(x, y) < _LEAN_RADIUS_MM, showers.energy, 0)
    total = np.bincount(showers.shower_index, showers.energy, len(showers))
    sums = [np.bincount(showers.shower_index, inside * axis, len(showers)) for axis in (x, y)]
    return np.stack([one / total for one in sums], axis=1).astype(np.float32)


def _encoded(energies: Float32Array) -> tuple[IntArray, NDArray[np.uint8], NDArray[np.uint8]]:
    """Entries of layers: their number, shape (n,), their steps and levels, shape (m,)."""
    row, cell = np.nonzero(energies > LEAST_MEV / 2)
    is_first = np.concatenate([[True], np.diff(row) > 0])
    way = np.where(is_first, cell + 1, np.diff(cell, prepend=0))
    bridges = (way - 1) // _GAP
    own = np.cumsum(bridges + 1) - 1
    step = np.full(len(way) + bridges.sum(), _GAP, np.uint8)
    step[own] = way - bridges * _GAP
    level = np.zeros(len(step), np.uint8)
    level[own] = energy_levels(energies[row, cell])
    return np.bincount(row, bridges + 1, len(energies)).astype(np.int64), step, level
