"""Detectors: the stack of materials, the sensitive layers, the cells, the field and the shape."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from calozoo_core.detector_description import (
    Barrel,
    Cylinder,
    Description,
    Endcap,
    Material,
    Wafers,
)
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

_MAX_CHARACTERS = 1_000_000


@dataclass(frozen=True)
class Slab:
    """One sheet of the stack.

    Arguments:
        material: Its name among the detector's materials.
        thickness_mm: How thick it is.
        layer: Its index among the sensitive layers, if it is read out.
        alveolus: Number of the alveolus it lies in, from the face; None for the structure itself,
            and in detectors that have no alveoli.
    """

    material: str
    thickness_mm: float
    layer: int | None = None
    alveolus: int | None = None


@dataclass(frozen=True, repr=False)
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
        physics: Geant4's electromagnetic constructor.
        materials: Material by the name the stack uses: a Geant4 (NIST) name, or a mixture.
        slabs: The sheets from the face inwards.
        barrel: How they stand around the beam; without any shape they are one plain slab.
        endcap: How they stand at either end.
        cylinder: How they are bent around the beam.
        wafers: How the layers are cut; without them every layer is sensitive everywhere.

    Example:
        >>> ild = load_detector("ild_siecal_regular")
        >>> ild.n_layers, round(float(ild.layer_depth_mm[0]), 3)
        (30, 6.903)
        >>> ild
        <Detector ild_siecal_regular: 30 layers of 5.088 mm cells in 224 mm, field (3.5, 0, 0) T>
    """

    name: str
    summary: str
    face_mm: float
    cell_mm: float
    field_tesla: tuple[float, float, float]
    range_cut_mm: float
    physics: str
    materials: dict[str, str | Material]
    slabs: tuple[Slab, ...]
    barrel: Barrel | None = None
    endcap: Endcap | None = None
    cylinder: Cylinder | None = None
    wafers: Wafers | None = None

    def __repr__(self) -> str:
        field = ", ".join(f"{component:g}" for component in self.field_tesla)
        parts = ("barrel", "endcap", "cylinder", "wafers")
        shape = "".join(f", {part}" for part in parts if getattr(self, part) is not None)
        return (
            f"<Detector {self.name}: {self.n_layers} layers of {self.cell_mm:.4g} mm cells in "
            f"{self.depth_mm:.3g} mm, field ({field}) T{shape}>"
        )

    @cached_property
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

    @cached_property
    def layer_depth_mm(self) -> NDArray[np.float64]:
        """Depth of the middle of each sensitive layer, shape (n_layers,), read-only."""
        fronts = self.slab_front_mm
        depths = np.array(
            [
                front + slab.thickness_mm / 2
                for front, slab in zip(fronts, self.slabs, strict=True)
                if slab.layer is not None
            ]
        )
        depths.flags.writeable = False
        return depths


def list_detectors() -> list[str]:
    """Names of the detectors that come with calozoo."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in _folder().iterdir()
        if entry.name.endswith(".toml")
    )


def load_detector(name: str | os.PathLike[str]) -> Detector:
    """Detector of this name, or of a description in a file.

    Arguments:
        name: Name of a detector that comes with calozoo, or path of a `.toml` file, whose stem
            becomes its name.

    Raises:
        DetectorError: If there is none of that name, or its description is not a detector.
    """
    if not isinstance(name, str | os.PathLike):
        msg = f"A detector is named by a text or the path of a .toml file, not by {name!r}."
        raise DetectorError(msg)
    name = os.fspath(name)
    return _load_file(Path(name)) if name.endswith(".toml") else _load_named(name)


@cache
def _load_named(name: str) -> Detector:
    if name not in list_detectors():
        msg = (
            f"No detector is called {name!r}; there are {', '.join(list_detectors())}, "
            "or give the path of a .toml file."
        )
        raise DetectorError(msg)
    return parse_detector(name, (_folder() / f"{name}.toml").read_text(encoding="utf-8"))


def _load_file(path: Path) -> Detector:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_MAX_CHARACTERS + 1)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        msg = f"The detector description {path} cannot be read: {why.lower()}."
        raise DetectorError(msg) from error
    if len(text) > _MAX_CHARACTERS:
        msg = f"The detector description {path} is longer than {_MAX_CHARACTERS} characters."
        raise DetectorError(msg)
    return parse_detector(path.stem, text)


def parse_detector(name: str, text: str) -> Detector:
    """A detector from the text of its TOML description.

    Raises:
        DetectorError: If the text is no detector: bad TOML, a negative thickness, an unknown
            material or section; the message says which.
    """
    try:
        description = Description.model_validate(tomllib.loads(text))
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
        physics=description.physics,
        barrel=description.barrel,
        endcap=description.endcap,
        cylinder=description.cylinder,
        wafers=description.wafers,
        materials=dict(description.materials),
        slabs=_slabs(name, description),
    )


def _slabs(name: str, description: Description) -> tuple[Slab, ...]:
    slabs: list[Slab] = []
    alveoli = description.wafers.alveoli if description.wafers else frozenset()
    layer = alveolus = 0
    for section in description.stack:
        if section not in description.sections:
            msg = f"The stack of detector {name} names section {section!r}, which it does not have."
            raise DetectorError(msg)
        for entry in description.sections[section]:
            if entry.material not in description.materials:
                msg = f"Detector {name} uses {entry.material!r}, which its materials do not have."
                raise DetectorError(msg)
            slabs.append(
                Slab(
                    entry.material,
                    entry.thickness_mm,
                    layer if entry.sensitive else None,
                    alveolus if section in alveoli else None,
                )
            )
            layer += entry.sensitive
        alveolus += section in alveoli
    if not 0 < layer <= MAX_LAYERS:
        msg = f"Detector {name} has {layer} sensitive layers; it needs 1 to {MAX_LAYERS}."
        raise DetectorError(msg)
    return tuple(slabs)


def _folder() -> Traversable:
    return files("calozoo_core") / "detectors"
