"""Solids and volumes of a detector as plain numbers, before they become objects of Geant4."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from calozoo_core.errors import DetectorError

__all__ = [
    "AIR",
    "IDENTITY",
    "Axes",
    "Box",
    "PlacedVolume",
    "Prism",
    "Trapezoid",
    "Tube",
    "Volume",
    "check_boxes",
]

AIR = "G4_AIR"
"""Material around a detector, by Geant4's name."""

Axes = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
"""Directions of the x, y and z axis of a volume in its mother volume."""

IDENTITY: Axes = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

Bounds = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]

_TOUCHING_MM = 1e-6


@dataclass(frozen=True)
class Box:
    """Box around the origin, by its half lengths."""

    half_mm: tuple[float, float, float]


@dataclass(frozen=True)
class Trapezoid:
    """Trapezoid around the origin, whose width in y changes linearly from front to back in z."""

    half_x_mm: float
    half_y_front_mm: float
    half_y_back_mm: float
    half_z_mm: float


@dataclass(frozen=True)
class Prism:
    """Convex prism around the origin along z.

    Arguments:
        corners_mm: Corners in x and y, anticlockwise, seen against z.
        half_z_mm: Half the thickness.
    """

    corners_mm: tuple[tuple[float, float], ...]
    half_z_mm: float


@dataclass(frozen=True)
class Tube:
    """Tube around the z axis."""

    inner_mm: float
    outer_mm: float
    half_z_mm: float


Solid = Box | Trapezoid | Prism | Tube


@dataclass(frozen=True, eq=False)
class Volume:
    """Logical volume: a solid of one material with daughter volumes.

    Arguments:
        name: Name in messages.
        solid: Its shape.
        material: Name of a material of the detector; `None` for the air around it.
        is_sensitive: `True` records its steps.
        daughters: Volumes placed in it.
    """

    name: str
    solid: Solid
    material: str | None
    is_sensitive: bool = False
    daughters: tuple[PlacedVolume, ...] = ()


@dataclass(frozen=True, eq=False)
class PlacedVolume:
    """Volume placed in another; one volume may be placed many times.

    Arguments:
        volume: The volume.
        at_mm: Position of its origin.
        axes: Directions of its axes.
    """

    volume: Volume
    at_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    axes: Axes = IDENTITY


def check_boxes(detector: str, volume: Volume) -> None:
    """Refuse boxes that stick out of their mother volume or overlap.

    Geant4 does not notice, and would track particles wrongly.

    Arguments:
        detector: Name of the detector, for the message.
        volume: Volume whose daughters are checked, and theirs; rotated boxes are not checked.

    Raises:
        DetectorError: If there are such boxes; it names them.
    """
    boxes = [
        (placed.volume, _bounds(placed)) for placed in volume.daughters if _is_upright_box(placed)
    ]
    for inner, bounds in boxes:
        if not _holds(volume.solid, bounds):
            msg = f"In detector {detector} a {inner.name} sticks out of its {volume.name}."
            raise DetectorError(msg)
    boxes.sort(key=lambda item: item[1][2])
    for i, (inner, bounds) in enumerate(boxes):
        for other, others in boxes[i + 1 :]:
            if others[2][0] > bounds[2][1] - _TOUCHING_MM:
                break  # the others begin farther back
            if all(_overlap(a, b) for a, b in zip(bounds, others, strict=True)):
                msg = (
                    f"In detector {detector} a {inner.name} and a {other.name} overlap "
                    f"in their {volume.name}."
                )
                raise DetectorError(msg)
    for inner in {id(placed.volume): placed.volume for placed in volume.daughters}.values():
        check_boxes(detector, inner)


def _is_upright_box(placed: PlacedVolume) -> bool:
    return isinstance(placed.volume.solid, Box) and placed.axes is IDENTITY


def _bounds(placed: PlacedVolume) -> Bounds:
    assert isinstance(placed.volume.solid, Box)
    x, y, z = (
        (at - half, at + half)
        for at, half in zip(placed.at_mm, placed.volume.solid.half_mm, strict=True)
    )
    return x, y, z


def _overlap(a: tuple[float, float], b: tuple[float, float]) -> bool:
    """`True` if two intervals have more in common than their ends."""
    return min(a[1], b[1]) - max(a[0], b[0]) > _TOUCHING_MM


def _holds(solid: Solid, bounds: Bounds) -> bool:
    """`True` if a box lies in a solid; all but tubes are convex, so its corners decide."""
    if isinstance(solid, Tube):
        return False
    return all(
        _holds_point(solid, x, y, z) for x in bounds[0] for y in bounds[1] for z in bounds[2]
    )


def _holds_point(solid: Box | Trapezoid | Prism, x: float, y: float, z: float) -> bool:
    if isinstance(solid, Box):
        return all(
            abs(c) <= half + _TOUCHING_MM for c, half in zip((x, y, z), solid.half_mm, strict=True)
        )
    if abs(z) > solid.half_z_mm + _TOUCHING_MM:
        return False
    if isinstance(solid, Trapezoid):
        widening = (solid.half_y_back_mm - solid.half_y_front_mm) / 2
        half_y = (solid.half_y_front_mm + solid.half_y_back_mm) / 2 + widening * z / solid.half_z_mm
        return abs(x) <= solid.half_x_mm + _TOUCHING_MM and abs(y) <= half_y + _TOUCHING_MM
    corners = (*solid.corners_mm, solid.corners_mm[0])
    return all(
        (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) >= -_TOUCHING_MM * (abs(x1 - x0) + abs(y1 - y0))
        for (x0, y0), (x1, y1) in pairwise(corners)
    )
