"""Table of Geant4 voxels: the points of each, looked up by place, energy and neighbourhood."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.clumps.bundled import bundled_folder
from calozoo_core.clumps.linking import Linking, link_clumps
from calozoo_core.clumps.lookup import BLOCK, GRID_MM, Lookup, energy_level, sort_patches
from calozoo_core.clumps.mesh import VoxelMesh
from calozoo_core.clumps.neighbourhood import FilledVoxels, filled_voxels
from calozoo_core.clumps.table_config import ClumpTableConfig, ShowerSource
from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError, WeightsError
from calozoo_core.frames import perpendicular_positions
from calozoo_core.ragged import row_sums
from calozoo_core.showers import Showers
from calozoo_core.typing import BoolArray, Float32Array, FloatArray, IntArray
from calozoo_core.weights import read_arrays, read_config, write_weights

__all__ = ["ClumpTable", "load_table"]

_LIMIT: Final = int(np.iinfo(np.int16).max)


@dataclass(frozen=True, eq=False)
class ClumpTable:
    """Contents of Geant4 voxels ("patches"): points, sorted by class and energy of the patch.

    Each is stored in the first sector of its ring, with the neighbour of more energy before it.
    The contents of a voxel stay together: places, distances and energies of the clumps in it are
    as they were.

    Arguments:
        config: What it was made of.
        patches: Number of patches of each class, shape (n_classes,), int32.
        first: First point of each patch, and their number, shape (n_patches + 1,), int32.
        points: Position of each point in 1/32 mm, one way and the other, and the bits of its energy
            as a float16, in MeV, side by side since they are read together, shape (n_points, 3),
            int16.
    """

    config: ClumpTableConfig
    patches: NDArray[np.int32]
    first: NDArray[np.int32]
    points: NDArray[np.int16]

    @classmethod
    def from_showers(
        cls,
        showers: Showers,
        mesh: VoxelMesh | None = None,
        linking: Linking | None = None,
        sources: tuple[ShowerSource, ...] = (),
    ) -> ClumpTable:
        """Table of the voxels of some hundreds of Geant4 showers.

        Arguments:
            showers: Training showers, of many energies and angles.
            mesh: Rings and sectors; by default those of `VoxelMesh()`.
            linking: Distances that make a clump; by default those of `Linking()`.
            sources: Where the showers come from.

        Raises:
            InputError: If a ring of the mesh holds nothing in any shower.
        """
        mesh, linking = mesh or VoxelMesh(), linking or Linking()
        detector = load_detector(showers.detector)
        layers = np.arange(detector.n_layers)
        config = ClumpTableConfig(
            detector=showers.detector,
            representation=showers.representation,  # type: ignore[arg-type]  # checked by pydantic
            mesh=mesh,
            linking=linking,
            # The three layers at the front, then four each: two slabs with both of their sides.
            layer_groups=tuple(((layers + 1) // 4).tolist()),
            n_patches=1,
            n_points=1,
            sources=sources,
        )
        voxels, owner, columns = _patches(showers, mesh, linking)
        sums = np.bincount(owner, columns[:, 2].view(np.float16).astype(np.float64))
        count = np.bincount(owner)
        classes = config.class_of(voxels, showers.incident)
        order = np.lexsort((sums, classes))
        order = order[(sums[order] > 0) & (count[order] <= _LIMIT)]
        points = _ranges((np.cumsum(count) - count)[order], count[order])
        held = np.bincount(classes[order], minlength=math.prod(config.class_shape))
        table = cls(
            config.model_copy(update={"n_patches": len(order), "n_points": len(points)}),
            held.astype(np.int32),
            _starts(count[order]),
            columns[points],
        )
        missing = _empty_rings(table)
        if len(missing):
            msg = (
                f"No deposit of {len(showers)} showers lies in ring {missing[0]} of the mesh; "
                "take more showers, or fewer rings."
            )
            raise InputError(msg)
        return table

    @classmethod
    def read(cls, folder: Path) -> ClumpTable:
        """Table of a folder with `config.json` and `model.safetensors`.

        Raises:
            WeightsError: If the files are damaged or do not fit each other.
        """
        config = read_config(folder, ClumpTableConfig)
        arrays = read_arrays(
            folder,
            {
                "patches": (int(np.prod(config.class_shape)),),
                "count": (config.n_patches,),
                "points": (config.n_points, 3),
            },
            {"patches": "int32", "count": "int16", "points": "int16"},
        )
        count = arrays.pop("count")
        table = cls(config, first=_starts(count), **arrays)
        wrong = (
            "patches"
            if arrays["patches"].min() < 0 or arrays["patches"].sum() != config.n_patches
            else "count"
            if count.min() < 1 or count.sum() != config.n_points
            else "points"
            if not np.isfinite(table.energy).all()
            or table.energy.min() < 0
            or not _is_sorted(table)
            else "patches"
            if len(_empty_rings(table))
            else None
        )
        if wrong:
            msg = f"{folder} is not a table of clumps: its numbers of {wrong!r} contradict it."
            raise WeightsError(msg)
        return table

    def write(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors`, whole or not at all.

        Raises:
            WeightsError: If the folder cannot be written to.
        """
        arrays: dict[str, NDArray[Any]] = {
            "count": np.diff(self.first).astype(np.int16),
            "patches": self.patches,
            "points": self.points,
        }
        write_weights(folder, self.config, arrays)

    def check(self, mesh: VoxelMesh, detector: str) -> None:
        """Refuse to be used for other voxels or another detector than it was made for.

        Raises:
            WeightsError: If it was not made for them.
        """
        if detector != self.config.detector:
            msg = f"This table of clumps was made for {self.config.detector}, not for {detector}."
            raise WeightsError(msg)
        if mesh != self.config.mesh:
            msg = (
                "This table of clumps was made for other voxels: "
                f"{self.config.mesh.n_rings} rings of {self.config.mesh.n_cells} cells, "
                f"and the model has {mesh.n_rings} rings of {mesh.n_cells} cells."
            )
            raise WeightsError(msg)

    @property
    def energy(self) -> NDArray[np.float16]:
        """Energy of each point, in MeV, shape (n_points,)."""
        energy: NDArray[np.float16] = self.points[:, 2].view(np.float16)
        return energy

    @cached_property
    def layer_depth_mm(self) -> FloatArray:
        """Depth of the middle of each layer of its detector, shape (n_layers,)."""
        return load_detector(self.config.detector).layer_depth_mm

    @cached_property
    def _patch_energy(self) -> Float32Array:
        energy: Float32Array = row_sums(self.energy, self.first, np.float64, np.float32)
        return energy

    @cached_property
    def lookup(self) -> Lookup:
        """Patches by class and energy, in the smallest types that hold them."""
        energy = self._patch_energy
        groups, rings, primaries, kinds = self.config.class_shape
        n = len(energy)
        level, patch = np.empty(3 * n, np.uint16), np.empty(2 * n, np.int32)
        # Those of a class are in the order of their energies already.
        for part in (slice(start, start + BLOCK) for start in range(0, n, BLOCK)):
            level[:n][part] = energy_level(energy[part])
        runs, counts, n_runs = [], [], 0
        # Three kinds of runs: of a class, whatever the neighbourhood, and whatever the primary.
        for kind, width in enumerate((1, kinds, kinds * primaries)):
            held = self.patches.reshape(-1, width).sum(axis=1)
            counts.append(held[held > 0])
            number = np.cumsum(held > 0, dtype=np.int32) + np.int32(n_runs - 1)
            fewest = self.config.fewest if width < kinds * primaries else 1
            runs.append(np.repeat(np.where(held >= fewest, number, np.int32(-1)), width))
            if kind:
                there = patch[(kind - 1) * n :]
                sort_patches(energy, counts[kind], level[kind * n :], there)
            n_runs = int(number[-1]) + 1
        runs[2] = _with_nearest_group(runs[2].reshape(groups, rings, -1)).ravel()
        for narrow, wide in ((1, 2), (0, 1)):
            runs[narrow] = np.where(runs[narrow] >= 0, runs[narrow], runs[wide])
        start = _starts(np.concatenate(counts))
        return Lookup(
            np.stack(runs),
            energy[patch[start[runs[2] + 1] - 1 - n]],
            start,
            level,
            patch,
            self.first,
            energy,
            self.points,
        )


@cache
def load_table(detector: str) -> ClumpTable:
    """Table that comes with calozoo for a detector.

    Raises:
        InputError: If there is none.
    """
    with bundled_folder("tables", "table of clumps", detector) as folder:
        return ClumpTable.read(folder)


def _patches(
    showers: Showers, mesh: VoxelMesh, linking: Linking
) -> tuple[FilledVoxels, IntArray, NDArray[np.int16]]:
    """Filled voxels of showers; and of their points the voxel, and what the table keeps of it.

    Points are in the order of voxels, each voxel turned and mirrored as the table keeps it.
    """
    detector = load_detector(showers.detector)
    clumps = link_clumps(showers, linking)
    rows = clumps.shower * detector.n_layers + clumps.layer
    voxel = (rows * mesh.n_cells + mesh.cell(clumps.x, clumps.y))[clumps.of_point]
    shape = (len(showers), detector.n_layers, mesh.n_cells)
    sums = np.bincount(voxel, showers.energy, math.prod(shape)).astype(np.float32)
    voxels = filled_voxels(sums.reshape(shape), mesh)
    points = np.argsort(voxel, kind="stable")
    points = points[sums[voxel[points]] > 0]
    owner = np.unique(voxel[points], return_inverse=True)[1].reshape(-1)
    x, y = (p[points] for p in perpendicular_positions(showers, detector))
    x, y = _in_first_sector(x, y, mesh, voxels.cell[owner], voxels.is_mirrored[owner])
    columns = np.empty((len(points), 3), np.int16)
    for axis, position in enumerate((x, y)):
        columns[:, axis] = np.clip(np.rint(position / GRID_MM), -_LIMIT, _LIMIT)
    energy = np.minimum(showers.energy[points], np.finfo(np.float16).max).astype(np.float16)
    columns[:, 2] = energy.view(np.int16)
    return voxels, owner, columns


def _in_first_sector(
    x: FloatArray, y: FloatArray, mesh: VoxelMesh, cell: IntArray, is_mirrored: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Positions turned to the first sector of their ring, and mirrored there where asked for."""
    width = 2 * np.pi / np.array(mesh.sectors)[mesh.ring[cell]]
    angle = -mesh.sector[cell] * width
    x, y = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    # The mirror image in the middle line of the sector.
    image_x, image_y = x * np.cos(width) + y * np.sin(width), x * np.sin(width) - y * np.cos(width)
    return np.where(is_mirrored, image_x, x), np.where(is_mirrored, image_y, y)


def _starts(count: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    """First one of each of n groups, and the number of all, shape (n + 1,)."""
    first = np.zeros(len(count) + 1, np.int32)
    np.cumsum(count, out=first[1:])
    return first


def _ranges(first: IntArray, count: IntArray) -> IntArray:
    """Numbers from each `first` on, `count` of them, one after the other."""
    before = np.cumsum(count) - count
    number: IntArray = np.arange(count.sum()) + np.repeat(first - before, count)
    return number


def _is_sorted(table: ClumpTable) -> bool:
    """True if the patches of each class have energy, and more and more of it."""
    energy = table._patch_energy
    falls = np.flatnonzero(energy[1:] < energy[:-1]) + 1
    return bool(np.all(energy > 0) and np.isin(falls, np.cumsum(table.patches)).all())


def _empty_rings(table: ClumpTable) -> IntArray:
    held = table.patches.reshape(table.config.class_shape).sum(axis=(0, 2, 3), dtype=np.int64)
    return np.flatnonzero(held == 0)


def _with_nearest_group(run: IntArray) -> IntArray:
    """Runs of classes, shape (groups, rings, k), with those of the nearest group where none is."""
    filled = run.copy()
    for ring in range(run.shape[1]):
        held = np.flatnonzero(run[:, ring, 0] >= 0)
        for group in np.flatnonzero(run[:, ring, 0] < 0):
            filled[group, ring] = run[held[np.argmin(np.abs(held - group))], ring]
    return filled
