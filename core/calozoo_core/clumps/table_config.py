"""Configuration of a table of clumps: what it was made of, and the classes of its patches."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import Field, model_validator

from calozoo_core.clumps.linking import Linking
from calozoo_core.clumps.mesh import MAX_RINGS, VoxelMesh
from calozoo_core.clumps.neighbourhood import N_NEIGHBOURHOODS, FilledVoxels
from calozoo_core.detector import MAX_LAYERS
from calozoo_core.incident import Incident
from calozoo_core.specs import RepresentationName
from calozoo_core.strict_model import StrictModel
from calozoo_core.typing import IntArray

__all__ = ["ClumpTableConfig", "ShowerSource"]

MAX_PATCHES: Final = 1 << 22
MAX_POINTS: Final = 1 << 24
MAX_CLASSES: Final = 1 << 18

_Count = Annotated[int, Field(ge=0)]


class ShowerSource(StrictModel):
    """Showers of one file that a table was made of.

    Arguments:
        file: Name of the file.
        sha256: Its hash.
        seed: Seed it was made with, as the file says.
        rows: Which of its showers.
    """

    file: str
    sha256: str
    seed: str
    rows: tuple[_Count, ...]


class ClumpTableConfig(StrictModel):
    """Configuration of a table of clumps: its sources, and the classes in which patches are found.

    Arguments:
        version: Version of the format.
        detector: Name of the detector of the showers.
        representation: How finely their points are merged.
        mesh: Rings and sectors of the voxels.
        linking: Distances that make a clump.
        layer_groups: Group of each layer; layers of one group share their patches.
        energy_edges_gev: Incident energies that separate classes.
        angle_edges_deg: Likewise, angles to the normal; a slanted shower crosses a layer on a
            larger area, and has more points for its energy.
        exact_rings: Innermost rings whose voxels get exactly their energy; farther out a patch
            keeps its own, so that minimum-ionising deposits stay what they are.
        exact_mev: Energy above which all voxels do.
        fewest: Patches that a class needs; in one with fewer, the neighbourhood is ignored.
        most_apart: Energy of a voxel over that of its patch, or the inverse, up to which the patch
            fits; else one is drawn from a wider class.
        n_patches: Number of patches.
        n_points: Number of points of all patches.
        sources: Showers it was made of.
    """

    version: Literal[2] = 2
    detector: str
    representation: RepresentationName
    mesh: VoxelMesh = VoxelMesh()
    linking: Linking = Linking()
    layer_groups: Annotated[tuple[_Count, ...], Field(min_length=1, max_length=MAX_LAYERS)]
    energy_edges_gev: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(max_length=32)] = (
        15.85,
        25.12,
        39.81,
        63.1,
        100.0,
    )
    angle_edges_deg: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=90)], ...], Field(max_length=8)
    ] = (15.0, 30.0, 45.0)
    exact_rings: Annotated[int, Field(ge=0, le=MAX_RINGS)] = 5
    exact_mev: Annotated[float, Field(ge=0)] = 1.0
    fewest: Annotated[int, Field(ge=1, le=1000)] = 60
    most_apart: Annotated[float, Field(gt=1)] = 1.15
    n_patches: Annotated[int, Field(ge=1, le=MAX_PATCHES)]
    n_points: Annotated[int, Field(ge=1, le=MAX_POINTS)]
    sources: Annotated[tuple[ShowerSource, ...], Field(max_length=1000)] = ()

    @model_validator(mode="after")
    def _groups_and_edges_fit(self) -> ClumpTableConfig:
        if max(self.layer_groups) >= len(self.layer_groups):
            msg = "layer_groups must be numbered from 0 without gaps"
            raise ValueError(msg)
        for name in ("energy_edges_gev", "angle_edges_deg"):
            if any(low >= high for low, high in pairwise(getattr(self, name))):
                msg = f"{name} must grow"
                raise ValueError(msg)
        if math.prod(self.class_shape) > MAX_CLASSES:
            msg = f"rings, groups of layers and primaries make more than {MAX_CLASSES} classes"
            raise ValueError(msg)
        return self

    @property
    def n_groups(self) -> int:
        """Groups of layers."""
        return max(self.layer_groups) + 1

    @property
    def class_shape(self) -> tuple[int, int, int, int]:
        """Classes of patches: groups of layers, rings, primaries and neighbourhoods."""
        primaries = (len(self.energy_edges_gev) + 1) * (len(self.angle_edges_deg) + 1)
        return self.n_groups, self.mesh.n_rings, primaries, N_NEIGHBOURHOODS

    def class_of(self, voxels: FilledVoxels, incident: Incident) -> IntArray:
        """Number of the class of voxels, shape (m,).

        Arguments:
            voxels: Filled voxels of n showers.
            incident: The n primaries.
        """
        _, _, primaries, kinds = self.class_shape
        ring = self.mesh.ring * primaries
        base = self.primary_classes(incident)
        return np.asarray((base.take(voxels.row) + ring.take(voxels.cell)) * kinds) + (
            voxels.neighbourhood
        )

    def primary_classes(self, incident: Incident) -> IntArray:
        """Number that a layer of a shower has among groups, rings and primaries, in ring 0.

        Arguments:
            incident: The n primaries.

        Returns:
            One a layer of a shower, so that voxels need a single look, shape (n * n_layers,).
        """
        _, rings, primaries, _ = self.class_shape
        energy = np.searchsorted(self.energy_edges_gev, incident.energy, side="right")
        angle = np.searchsorted(self.angle_edges_deg, incident.theta, side="right")
        primary = energy * (len(self.angle_edges_deg) + 1) + angle
        group = np.array(self.layer_groups) * (rings * primaries)
        return np.asarray((group + primary[:, None]).ravel())
