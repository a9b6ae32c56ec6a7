"""Description of a detector in TOML: materials, slabs, and the shape of its parts."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, model_validator

from calozoo_core.strict_model import StrictModel

__all__ = ["Barrel", "Cylinder", "Description", "Endcap", "Material", "Wafers"]


class Barrel(StrictModel):
    """A polygon of flat staves around the beam, each overlapping the next.

    A stave is a trapezoid whose ends are cut at the angle between neighbours, so that no gap points
    at the beam: it begins at the edge of the polygon and ends on the back of its neighbour, before
    the support. Along the beam it is made of modules, these of towers.

    References:
        | ILD's driver for this calorimeter, SEcal06: https://github.com/key4hep/k4geo

    Arguments:
        sides: Number of staves.
        inner_radius_mm: From the beam to the front of the stack, without the air before it.
        half_length_mm: Along the beam.
        modules: Number of modules along the beam.
        towers_per_module: Rows of wafer pairs in a module.
        lateral_mm: Thickness of the side wall of a module; two of them part neighbours.
        support_mm: Thickness of the plate at the back, which the next stave ends before.
    """

    sides: int = Field(ge=3, le=64)
    inner_radius_mm: float = Field(gt=0)
    half_length_mm: float = Field(gt=0)
    modules: int = Field(ge=1, le=100)
    towers_per_module: int = Field(ge=1, le=100)
    lateral_mm: float = Field(ge=0)
    support_mm: float = Field(ge=0)

    @property
    def half_width_mm(self) -> float:
        """Half of a side of the polygon at its inner radius."""
        return self.inner_radius_mm * math.tan(math.pi / self.sides)

    @property
    def module_mm(self) -> float:
        """Length of a module along the beam."""
        return 2 * self.half_length_mm / self.modules

    @property
    def tower_mm(self) -> float:
        """Width of a tower along the beam."""
        return (self.module_mm - 2 * self.lateral_mm) / self.towers_per_module


class Endcap(StrictModel):
    """An octagonal disk at either end, with a square hole, in four quadrants like a pinwheel.

    References:
        | ILD's driver for this calorimeter, SEcal06: https://github.com/key4hep/k4geo

    Arguments:
        face_mm: From the interaction point to the face, along the beam.
        inner_radius_mm: Half the side of the hole.
        outer_radius_mm: From the beam to the middle of a side of the octagon.
        modules: Number of modules of a quadrant, from the hole outwards.
        towers_per_module: Rows of wafer pairs in a module.
        lateral_mm: Thickness of the side wall of a module; two of them part neighbours.
    """

    face_mm: float = Field(gt=0)
    inner_radius_mm: float = Field(gt=0)
    outer_radius_mm: float = Field(gt=0)
    modules: int = Field(ge=1, le=100)
    towers_per_module: int = Field(ge=1, le=100)
    lateral_mm: float = Field(ge=0)

    @model_validator(mode="after")
    def _ring(self) -> Endcap:
        if self.inner_radius_mm >= self.outer_radius_mm:
            msg = "its inner radius must be smaller than its outer one"
            raise ValueError(msg)
        return self

    @property
    def tower_mm(self) -> float:
        """Width of a tower."""
        radial = self.outer_radius_mm - self.inner_radius_mm
        return (radial / self.modules - 2 * self.lateral_mm) / self.towers_per_module


class Cylinder(StrictModel):
    """Concentric cylinders around the beam, the first at the detector's face.

    Arguments:
        half_length_mm: Along the beam.
    """

    half_length_mm: float = Field(gt=0)


class Wafers(StrictModel):
    """Square silicon wafers, two or so across a tower, in the alveoli of a carbon fibre structure.

    References:
        | CaloClouds3, figure 1: https://arxiv.org/abs/2511.01460
        | ILD's driver for this calorimeter, SEcal06: https://github.com/key4hep/k4geo

    Arguments:
        cells: Readout cells along a side of a wafer.
        guard_mm: Dead rim around a wafer.
        per_tower: Wafers side by side in a tower.
        tower_gap_mm: From the edge of a tower to the first wafer's rim.
        wall_mm: Thickness of the wall of an alveolus, part of that gap.
        plug_mm: From the beginning of a slab to the first wafer's rim.
        alveoli: Sections of the stack that are slabs in alveoli; the others are the structure.
    """

    cells: int = Field(ge=1, le=1000)
    guard_mm: float = Field(ge=0)
    per_tower: int = Field(ge=1, le=100)
    tower_gap_mm: float = Field(ge=0)
    wall_mm: float = Field(ge=0)
    plug_mm: float = Field(ge=0)
    alveoli: frozenset[str] = Field(min_length=1)

    @model_validator(mode="after")
    def _wall_fits(self) -> Wafers:
        if self.wall_mm > self.tower_gap_mm:
            msg = "a wall thicker than the gap beside the wafers would overlap them"
            raise ValueError(msg)
        return self

    def tower_mm(self, cell_mm: float) -> float:
        """Width that a tower of these wafers takes, for cells of this pitch."""
        wafer = self.cells * cell_mm + 2 * self.guard_mm
        return self.per_tower * wafer + 2 * self.tower_gap_mm


_TOWER_TOLERANCE_MM = 0.02


class Material(StrictModel):
    """A mixture of elements that is not in Geant4's own list.

    Arguments:
        density_g_cm3: Density.
        mass_fractions: Of each element, adding up to 1.
    """

    density_g_cm3: float = Field(gt=0)
    mass_fractions: dict[str, Annotated[float, Field(gt=0, le=1)]]

    @model_validator(mode="after")
    def _fractions_add_up(self) -> Material:
        total = sum(self.mass_fractions.values())
        if abs(total - 1) > 1e-6:
            msg = f"its mass fractions add up to {total:g}, not to 1"
            raise ValueError(msg)
        return self


class _SlabEntry(StrictModel):
    material: str
    thickness_mm: float = Field(gt=0)
    sensitive: bool = False


class Description(StrictModel):
    """A detector's TOML file, word for word."""

    summary: str
    face_mm: float = Field(gt=0)
    cell_mm: float = Field(gt=0)
    field_tesla: tuple[float, float, float]
    range_cut_mm: float = Field(gt=0)
    physics: str = Field(default="G4EmStandardPhysics", min_length=1)
    barrel: Barrel | None = None
    endcap: Endcap | None = None
    cylinder: Cylinder | None = None
    wafers: Wafers | None = None
    materials: dict[str, str | Material]
    sections: dict[str, tuple[_SlabEntry, ...]]
    stack: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_shape(self) -> Description:
        if self.cylinder and (self.barrel or self.endcap):
            msg = "a cylinder overlaps a barrel of staves or endcaps; describe one of them"
            raise ValueError(msg)
        if self.wafers and not (self.barrel or self.endcap):
            msg = (
                "wafers lie in the towers of a barrel or an endcap; describe one, or leave them out"
            )
            raise ValueError(msg)
        if self.barrel and self.barrel.inner_radius_mm < self.face_mm:
            msg = "the barrel begins before the face, from which depths count"
            raise ValueError(msg)
        self._check_towers()
        return self

    def _check_towers(self) -> None:
        if self.wafers is None:
            return
        needed = self.wafers.tower_mm(self.cell_mm)
        for part, shape in (("barrel", self.barrel), ("endcap", self.endcap)):
            if shape is not None and abs(shape.tower_mm - needed) > _TOWER_TOLERANCE_MM:
                msg = (
                    f"the wafers of a tower take {needed:.3f} mm, but the towers of the {part} "
                    f"are {shape.tower_mm:.3f} mm wide"
                )
                raise ValueError(msg)
        missing = sorted(self.wafers.alveoli - set(self.stack))
        if missing:
            msg = f"its alveoli name section {missing[0]!r}, which is not in the stack"
            raise ValueError(msg)
