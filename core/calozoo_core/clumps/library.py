"""Library of Geant4 showers as voxels: halo and azimuth of showers whose core is known.

What lies beyond the core, and how each ring of it divides among its sectors, is taken from one of
the showers that are nearest in energy, direction and the shape of the core; mirrored at x' = 0
where that is nearer. It keeps together what goes together: tracks through several layers, the lean
of the core, empty places. That part of a shower is resampled, not learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.clumps.bundled import bundled_folder
from calozoo_core.clumps.library_config import N_FEATURES, HaloLibraryConfig
from calozoo_core.clumps.linking import Linking
from calozoo_core.clumps.mesh import VoxelMesh, voxel_energies
from calozoo_core.clumps.table import ClumpTable
from calozoo_core.clumps.table_config import ShowerSource
from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError, WeightsError
from calozoo_core.incident import Incident
from calozoo_core.kernels import use_compiled
from calozoo_core.ragged import row_sums
from calozoo_core.showers import Showers
from calozoo_core.typing import BoolArray, Float32Array, FloatArray, IntArray
from calozoo_core.weights import read_arrays, read_config, write_weights

__all__ = ["HaloLibrary", "core_features", "load_library"]

_MIRRORED_FEATURE: Final = 4
"""Index of p_x, the feature that changes its sign in the mirror."""

_STEPS: Final = (1, -1, 2, -2, 3, -3)
"""Neighbouring layers that a ring takes its division from, where the library's own is empty."""

_BLOCK: Final = 500
"""Showers that are made into voxels together, so that a large sample fits in memory."""

_GAP: Final = 255
"""Longest way from one entry to the next; a longer one is made of entries without energy."""

_LEAST_MEV: Final = 1e-3
_LOG_STEP: Final = float(np.log(1e6)) / 254
"""Energies are kept in 255 steps of 5.6 %, from 1 keV to 1 GeV."""


@dataclass(frozen=True, eq=False)
class HaloLibrary:
    """Voxels of some thousands of Geant4 showers, in the order of their energies.

    An entry is a byte that says how many voxels it lies behind the last one, and a byte for the
    logarithm of its energy: showers fit in memory as they are in the file.

    Arguments:
        config: Sizes and metric.
        features: Features of each shower, shape (n_showers, 8), float32.
        first: First entry of each shower, and their number, shape (n_showers + 1,), int32.
        step: Voxels from the last entry, shape (n_entries,), uint8.
        level: Energy in steps of 5.6 %; 0 for none, shape (n_entries,), uint8.
    """

    config: HaloLibraryConfig
    features: Float32Array
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
            InputError: If there are no showers.
        """
        if len(showers) == 0:
            msg = "A library needs showers; give some thousands of Geant4's."
            raise InputError(msg, argument="showers")
        mesh, linking = mesh or VoxelMesh(), linking or Linking()
        order = np.argsort(showers.incident.energy, kind="stable")
        features, counts, steps, levels = [], [], [], []
        for start in range(0, len(order), _BLOCK):
            block = showers[order[start : start + _BLOCK]]
            energies = voxel_energies(block, mesh, linking)
            core = mesh.ring_energies(energies)[:, :, :core_rings]
            features.append(core_features(core, block.incident).astype(np.float32))
            count, step, level = _encoded(energies.reshape(len(block), -1))
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
        entries = (config.n_entries,)
        arrays = read_arrays(
            folder,
            {
                "features": (config.n_showers, N_FEATURES),
                "first": (config.n_showers + 1,),
                "step": entries,
                "level": entries,
            },
            {"first": "int32", "step": "uint8", "level": "uint8"},
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
        names = ("features", "first", "step", "level")
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

    def nearest(self, features: FloatArray, coin: Float32Array) -> IntArray:
        """Numbers of showers, one of the nearest of each; behind the last, their mirror images.

        Arguments:
            features: As `core_features` gives them, shape (n, 8).
            coin: Uniform random numbers that choose among the nearest, shape (n,).
        """
        own = self._scaled
        asked = features * np.array(self.config.metric)
        window = min(self.config.window, len(own))
        candidates = min(self.config.candidates, 2 * window)
        if use_compiled():
            return _compiled_nearest(own, asked, coin, window, candidates)
        middle = np.searchsorted(own[:, 0], asked[:, 0])
        start = np.clip(middle - window // 2, 0, len(own) - window)
        number = start[:, None] + np.arange(window)
        there = own[number]
        # Sums of each row by itself: which is nearest must not depend on the size of a batch.
        direct = ((there - asked[:, None]) ** 2).sum(axis=2)
        sideways = 4 * there[:, :, _MIRRORED_FEATURE] * asked[:, None, _MIRRORED_FEATURE]
        distance = np.concatenate([direct, direct + sideways], axis=1)
        rows = np.arange(len(asked))
        near = np.empty((len(asked), candidates), np.int64)
        # A primary with p_x = 0 is as near to a shower as to its mirror image; of those that are
        # equally near the first is taken, which a partition would leave to the processor.
        for k in range(candidates):
            near[:, k] = distance.argmin(axis=1)
            distance[rows, near[:, k]] = np.inf
        near.sort(axis=1)
        chosen = near[rows, (coin * candidates).astype(np.int64)]
        is_mirrored = chosen >= window
        return np.asarray(start + chosen % window + is_mirrored * len(own), np.int64)

    def voxels(self, numbers: IntArray) -> Float32Array:
        """Voxel energies of showers of the library, in MeV, shape (n, n_layers, n_cells).

        Arguments:
            numbers: As `nearest` gives them, shape (n,).
        """
        row, is_mirrored = numbers % self.config.n_showers, numbers >= self.config.n_showers
        start = self.first[row].astype(np.int64)
        count = self.first[row + 1] - start
        ends = np.cumsum(count)
        entry = np.arange(count.sum()) + np.repeat(start - ends + count, count)
        walked = np.cumsum(self.step[entry], dtype=np.int64)
        before = np.concatenate([[0], walked[ends[:-1] - 1]])[: len(numbers)]
        voxel = walked - np.repeat(before, count) - 1
        size = len(self._place) // 2
        place = self._place[voxel + np.repeat(is_mirrored * size, count)]
        place += np.repeat(np.arange(len(numbers)) * size, count)
        level = self.level[entry]
        energies = np.zeros(len(numbers) * size, np.float32)
        filled = level > 0
        energies[place[filled]] = _ENERGIES[level[filled]]
        return energies.reshape(len(numbers), self.n_layers, self.config.mesh.n_cells)

    def around(self, core: Float32Array, incident: Incident, coin: Float32Array) -> Float32Array:
        """Voxel energies of whole showers, in MeV, shape (n, n_layers, n_cells).

        Rings of the core keep their energies and are divided as in the library's shower; what lies
        beyond is the library's.

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
        numbers = self.nearest(core_features(core, incident), coin)
        if use_compiled():
            return self._compiled_around(numbers, core, coin)
        energies = self.voxels(numbers)
        sectors = self.config.mesh.sectors[: self.config.core_rings]
        parts = energies[:, :, : sum(sectors)]
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
        self, numbers: IntArray, core: Float32Array, coin: Float32Array
    ) -> Float32Array:
        from calozoo_core.kernels import _compiled

        config = self.config
        shape = (len(numbers), self.n_layers, config.mesh.n_cells)
        energies = np.empty(shape, np.float32)
        _compiled.voxels_around(
            numbers,
            np.ascontiguousarray(core, np.float32),
            np.asarray(coin, np.float64),
            self.first,
            self.step,
            self.level,
            _ENERGIES,
            *config.mesh.tables,
            energies,
            self.n_layers,
            config.core_rings,
        )
        return energies

    @cached_property
    def _scaled(self) -> FloatArray:
        scaled: FloatArray = self.features.astype(np.float64) * np.array(self.config.metric)
        return scaled

    @cached_property
    def _place(self) -> IntArray:
        """From a voxel to its place, as it is and in the mirror."""
        mesh, layers = self.config.mesh, np.arange(self.n_layers)[:, None]
        straight = np.arange(self.n_layers * mesh.n_cells)
        return np.concatenate([straight, (layers * mesh.n_cells + mesh.mirror).ravel()])

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
        count = np.diff(self.first)
        if self.first[0] != 0 or self.first[-1] != self.config.n_entries or count.min() < 1:
            return "first"
        if np.any(np.diff(self.features[:, 0]) < 0):
            return "features"
        walked = row_sums(self.step, self.first, np.int32, np.int32)
        if self.step.min() < 1 or walked.max() > self.n_layers * self.config.mesh.n_cells:
            return "step"
        return None


def _compiled_nearest(
    own: FloatArray, asked: FloatArray, coin: Float32Array, window: int, candidates: int
) -> IntArray:
    from calozoo_core.kernels import _compiled

    numbers = np.empty(len(asked), np.int64)
    _compiled.nearest_showers(
        own,
        np.ascontiguousarray(asked),
        np.asarray(coin, np.float64),
        numbers,
        own.shape[1],
        window,
        candidates,
        _MIRRORED_FEATURE,
    )
    return numbers


def core_features(core: FloatArray | Float32Array, incident: Incident) -> FloatArray:
    """Features in which showers are near to each other, shape (n, 8).

    ln E, mean layer and width in layers of the core, ln of its energy in MeV over E in GeV, p_x,
    p_y, and ln of the parts of its energy in the innermost and in the outermost ring: a core beside
    the axis has little in the first and much in the last.

    Arguments:
        core: Energies of the rings of the core, in MeV, shape (n, n_layers, rings).
        incident: The n primaries.
    """
    by_layer = core.sum(axis=2, dtype=np.float64)
    total = np.maximum(by_layer.sum(axis=1), 1e-3)
    layer = np.arange(core.shape[1])
    # Row by row: a product of matrices may depend on how many there are.
    mean = (by_layer * layer).sum(axis=1) / total
    width = np.sqrt(np.maximum((by_layer * layer**2).sum(axis=1) / total - mean**2, 0))
    log_energy = np.log(incident.energy.astype(np.float64))
    inner, outer = (
        np.log(core[:, :, ring].sum(axis=1, dtype=np.float64) / total + 1e-2) for ring in (0, -1)
    )
    shape = [log_energy, mean, width, np.log(total) - log_energy]
    direction = incident.direction.astype(np.float64)
    return np.column_stack([*shape, direction[:, 0], direction[:, 1], inner, outer])


@cache
def load_library(detector: str) -> HaloLibrary:
    """Library that comes with calozoo for a detector.

    Raises:
        InputError: If there is none.
    """
    with bundled_folder("libraries", "library of showers", detector) as folder:
        return HaloLibrary.read(folder)


_ENERGIES: Final = (_LEAST_MEV * np.exp(_LOG_STEP * (np.arange(256) - 1))).astype(np.float32)


def _encoded(energies: Float32Array) -> tuple[IntArray, NDArray[np.uint8], NDArray[np.uint8]]:
    """Entries of showers: their number, shape (n,), their steps and levels, shape (m,)."""
    shower, voxel = np.nonzero(energies > _LEAST_MEV / 2)
    empty = np.flatnonzero(np.bincount(shower, minlength=len(energies)) == 0)
    if len(empty):
        msg = "A library takes showers with energy only; leave out those without."
        raise InputError(msg, argument="showers")
    is_first = np.concatenate([[True], np.diff(shower) > 0])
    way = np.where(is_first, voxel + 1, np.diff(voxel, prepend=0))
    bridges = (way - 1) // _GAP
    own = np.cumsum(bridges + 1) - 1
    step = np.full(len(way) + bridges.sum(), _GAP, np.uint8)
    step[own] = way - bridges * _GAP
    level = np.zeros(len(step), np.uint8)
    exact = np.log(energies[shower, voxel] / _LEAST_MEV) / _LOG_STEP
    level[own] = np.clip(np.rint(exact) + 1, 1, 255)
    return np.bincount(shower, bridges + 1, len(energies)).astype(np.int64), step, level
