"""What the text of a detector's description may say, checked word by word."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from calozoo_core.detector_shape import Barrel, Cylinder, Endcap, Wafers
from calozoo_core.strict_model import StrictModel

__all__ = ["Description", "Material"]

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
