"""Configuration of a library of halos: its voxels, and the metric in which showers are near."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from calozoo_core.clumps.linking import Linking
from calozoo_core.clumps.mesh import MAX_RINGS, VoxelMesh
from calozoo_core.clumps.table_config import ShowerSource
from calozoo_core.strict_model import StrictModel

__all__ = ["LAYERS_APART", "N_FEATURES", "HaloLibraryConfig"]

N_FEATURES: Final = 8
"""Number of `calozoo_core.clumps.core_matching.core_features`."""

LAYERS_APART: Final = (-1, 1, -2, 2)
"""Layers whose energies count where layers are matched, from that of each."""

Weight = Annotated[float, Field(ge=0, le=1e6)]


class HaloLibraryConfig(StrictModel):
    """Sizes of a library, and the metric in which showers are near.

    Arguments:
        version: Version of the format.
        detector: Name of the detector of the showers.
        mesh: Rings and sectors of the voxels.
        linking: Distances that make a clump.
        core_rings: Innermost rings, whose energies a model draws.
        metric: Factor on each feature before distances are taken: see `core_features`.
        window: Number of showers next in energy among which the nearest are looked for.
        candidates: Number of nearest showers whose layers may be taken.
        references: Number of showers, most alike in all layers, of which one is drawn for its lean.
        floor_mev: Added to energies before the logarithms that layers are compared by, in MeV.
        layer_weights: Weight of the squared distance in each of `LAYERS_APART`; a ring has 1.
        shower_weight: Weight of the squared distance of whole showers.
        lean_weight: Weight of the squared distance of the lean from that drawn, per mm^2.
        n_showers: Number of showers.
        n_entries: Number of entries: filled voxels, and those that bridge a gap.
        sources: Showers it was made of.
    """

    version: Literal[2] = 2
    detector: str
    mesh: VoxelMesh = VoxelMesh()
    linking: Linking = Linking()
    core_rings: Annotated[int, Field(ge=1, le=MAX_RINGS)] = 5
    metric: Annotated[tuple[float, ...], Field(min_length=N_FEATURES, max_length=N_FEATURES)] = (
        *(8.0, 1.0, 1.0, 4.0),
        *(6.0, 6.0, 1.0, 1.0),
    )
    window: Annotated[int, Field(ge=1, le=1 << 16)] = 768
    candidates: Annotated[int, Field(ge=1, le=64)] = 48
    references: Annotated[int, Field(ge=1, le=64)] = 3
    floor_mev: Annotated[float, Field(gt=0, le=1e3)] = 0.3
    layer_weights: Annotated[
        tuple[Weight, ...], Field(min_length=len(LAYERS_APART), max_length=len(LAYERS_APART))
    ] = (0.25, 0.25, 0.0625, 0.0625)
    shower_weight: Weight = 0.5
    lean_weight: Weight = 4.0
    n_showers: Annotated[int, Field(ge=1, le=1 << 17)]
    n_entries: Annotated[int, Field(ge=1, le=1 << 27)]
    sources: Annotated[tuple[ShowerSource, ...], Field(max_length=1000)] = ()

    @model_validator(mode="after")
    def _the_mesh_has_the_core(self) -> HaloLibraryConfig:
        if self.core_rings > self.mesh.n_rings:
            msg = f"a mesh of {self.mesh.n_rings} rings has no core of {self.core_rings}"
            raise ValueError(msg)
        if self.references > self.candidates:
            msg = f"{self.candidates} candidates have no {self.references} references among them"
            raise ValueError(msg)
        return self

    @property
    def core_edges_mm(self) -> tuple[float, ...]:
        """Radii between the rings of the core, and the one at which it ends."""
        return self.mesh.edges_mm[: self.core_rings]
