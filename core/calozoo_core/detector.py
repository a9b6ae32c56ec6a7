"""Detectors: the stack of materials, the sensitive layers, the cells and the field."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from calozoo_core.errors import DetectorError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = [
    "Detector",
    "Material",
    "Slab",
    "list_detectors",
    "load_detector",
    "parse_detector",
]

MAX_LAYERS = 256
"""A layer's index is stored in 8 bits."""


@dataclass(frozen=True)
class Slab:
    """One sheet of the stack: material, thickness in mm, and its layer index if it is read out."""

    material: str
    thickness_mm: float
    layer: int | None = None


_STRICT = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Material(BaseModel):
    """A mixture of elements that is not in Geant4's own list.

    Arguments:
        density_g_cm3: Density.
        mass_fractions: Of each element, adding up to 1.
    """

    model_config = _STRICT

    density_g_cm3: float = Field(gt=0)
    mass_fractions: dict[str, Annotated[float, Field(gt=0, le=1)]]

    @model_validator(mode="after")
    def _fractions_add_up(self) -> Material:
        total = sum(self.mass_fractions.values())
        if abs(total - 1) > 1e-6:
            msg = f"its mass fractions add up to {total:g}, not to 1"
            raise ValueError(msg)
        return self


class _SlabEntry(BaseModel):
    model_config = _STRICT

    material: str
    thickness_mm: float = Field(gt=0)
    sensitive: bool = False


class _Description(BaseModel):
    """A detector's TOML file, word for word."""

    model_config = _STRICT

    summary: str
    face_mm: float = Field(gt=0)
    cell_mm: float = Field(gt=0)
    field_tesla: tuple[float, float, float]
    range_cut_mm: float = Field(gt=0)
    materials: dict[str, str | Material]
    sections: dict[str, tuple[_SlabEntry, ...]]
    stack: tuple[str, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Detector:
    """A sampling calorimeter in its local frame.

    Depths are measured from the calorimeter face, along z'. Sensitive layers are numbered from 0.

    Arguments:
        name: Name in the zoo.
        summary: One sentence.
        face_mm: Distance of the face from the interaction point.
        cell_mm: Pitch of the square readout cells.
        field_tesla: Magnetic field in the local frame.
        range_cut_mm: Geant4's production threshold.
        materials: Material by the name the stack uses: a Geant4 (NIST) name, or a mixture.
        slabs: The sheets from the face inwards.

    Example:
        >>> ild = load_detector("ild_siecal_regular")
        >>> ild.n_layers, round(float(ild.layer_depth_mm[0]), 3)
        (30, 6.903)
    """

    name: str
    summary: str
    face_mm: float
    cell_mm: float
    field_tesla: tuple[float, float, float]
    range_cut_mm: float
    materials: dict[str, str | Material]
    slabs: tuple[Slab, ...]

    @property
    def n_layers(self) -> int:
        """Number of sensitive layers."""
        return sum(slab.layer is not None for slab in self.slabs)

    @property
    def depth_mm(self) -> float:
        """Thickness of the whole stack."""
        return sum(slab.thickness_mm for slab in self.slabs)

    @property
    def slab_front_mm(self) -> NDArray[np.float64]:
        """Depth of the front of each slab, shape (n_slabs,)."""
        ends = np.cumsum([slab.thickness_mm for slab in self.slabs])
        return np.concatenate([[0.0], ends[:-1]])

    @property
    def layer_depth_mm(self) -> NDArray[np.float64]:
        """Depth of the middle of each sensitive layer, shape (n_layers,)."""
        fronts = self.slab_front_mm
        return np.array(
            [
                front + slab.thickness_mm / 2
                for front, slab in zip(fronts, self.slabs, strict=True)
                if slab.layer is not None
            ]
        )


def list_detectors() -> list[str]:
    """Names of the detectors that come with calozoo."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in _folder().iterdir()
        if entry.name.endswith(".toml")
    )


@cache
def load_detector(name: str) -> Detector:
    """A detector by its name.

    Raises:
        DetectorError: If there is none of that name, or its description is not a detector.
    """
    if name not in list_detectors():
        msg = f"No detector is called {name!r}; there are {', '.join(list_detectors())}."
        raise DetectorError(msg)
    return parse_detector(name, (_folder() / f"{name}.toml").read_text(encoding="utf-8"))


def parse_detector(name: str, text: str) -> Detector:
    """A detector from the text of its TOML description.

    Raises:
        DetectorError: If the text is no detector: bad TOML, a negative thickness, an unknown
            material or section; the message says which.
    """
    try:
        description = _Description.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        msg = f"The description of detector {name} is not TOML: {str(error).rstrip('.')}."
        raise DetectorError(msg) from error
    except ValidationError as error:
        last = error.errors()[-1]  # of a material: that it is no name comes first
        place = ".".join(str(part) for part in last["loc"])
        reason = last["msg"].rstrip(".")
        msg = f"The description of detector {name} is wrong at {place}: {reason}."
        raise DetectorError(msg) from error
    return Detector(
        name=name,
        summary=description.summary,
        face_mm=description.face_mm,
        cell_mm=description.cell_mm,
        field_tesla=description.field_tesla,
        range_cut_mm=description.range_cut_mm,
        materials=dict(description.materials),
        slabs=_slabs(name, description),
    )


def _slabs(name: str, description: _Description) -> tuple[Slab, ...]:
    slabs: list[Slab] = []
    layer = 0
    for section in description.stack:
        if section not in description.sections:
            msg = f"The stack of detector {name} names section {section!r}, which it does not have."
            raise DetectorError(msg)
        for entry in description.sections[section]:
            if entry.material not in description.materials:
                msg = f"Detector {name} uses {entry.material!r}, which its materials do not have."
                raise DetectorError(msg)
            slabs.append(
                Slab(entry.material, entry.thickness_mm, layer if entry.sensitive else None)
            )
            layer += entry.sensitive
    if not 0 < layer <= MAX_LAYERS:
        msg = f"Detector {name} has {layer} sensitive layers; it needs 1 to {MAX_LAYERS}."
        raise DetectorError(msg)
    return tuple(slabs)


def _folder() -> Traversable:
    return files("calozoo_core") / "detectors"
