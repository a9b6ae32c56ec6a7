"""Solids inside solids: a detector's geometry as plain numbers, before Geant4 sees it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from calozoo_core.errors import DetectorError

__all__ = [
    "AIR",
    "IDENTITY",
    "Axes",
    "Box",
    "Part",
    "Prism",
    "Trapezoid",
    "Tube",
    "Volume",
    "check_boxes",
]

AIR = "G4_AIR"
"""What is around a detector, by Geant4's name."""

Axes = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
"""Where the x, y and z axis of a part point, in what it lies in."""

IDENTITY: Axes = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

Bounds = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]

_TOUCHING_MM = 1e-6


@dataclass(frozen=True)
class Box:
    """A box around the origin, by its half lengths."""

    half_mm: tuple[float, float, float]


@dataclass(frozen=True)
class Trapezoid:
    """A box around the origin whose width in y changes evenly from its front to its back in z."""

    half_x_mm: float
    half_y_front_mm: float
    half_y_back_mm: float
    half_z_mm: float


@dataclass(frozen=True)
class Prism:
    """A plate, from minus to plus half its thickness in z, with convex corners in x and y.

    Arguments:
        corners_mm: Anticlockwise, seen against z.
        half_z_mm: Half the thickness.
    """

    corners_mm: tuple[tuple[float, float], ...]
    half_z_mm: float


@dataclass(frozen=True)
class Tube:
    """What lies between two cylinders around the z axis."""

    inner_mm: float
    outer_mm: float
    half_z_mm: float


Solid = Box | Trapezoid | Prism | Tube


@dataclass(frozen=True, eq=False)
class Volume:
    """A solid filled with a material, and what lies in it instead.

    Arguments:
        name: For people.
        solid: Its shape.
        material: The name the detector gives it; None for the air around the detector.
        is_sensitive: Whether steps in it are recorded.
        parts: What lies in it.
    """

    name: str
    solid: Solid
    material: str | None
    is_sensitive: bool = False
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, eq=False)
class Part:
    """A volume at its place in another; one volume may have many places.

    Arguments:
        volume: What is placed.
        at_mm: Where its origin goes.
        axes: Where its axes point.
    """

    volume: Volume
    at_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    axes: Axes = IDENTITY


def check_boxes(detector: str, volume: Volume) -> None:
    """Refuse boxes that stick out of what they lie in, or into one another.

    Geant4 does not notice, and would track particles wrongly.

    Arguments:
        detector: Its name, for the message.
        volume: What to look into, and so on inside; boxes that are turned are left alone.

    Raises:
        DetectorError: If there are such boxes; it names them.
    """
    boxes = [(part.volume, _bounds(part)) for part in volume.parts if _is_upright_box(part)]
    for inner, bounds in boxes:
        if not _holds(volume.solid, bounds):
            msg = f"In detector {detector} a {inner.name} sticks out of its {volume.name}."
            raise DetectorError(msg)
    boxes.sort(key=lambda item: item[1][2])
    for i, (inner, bounds) in enumerate(boxes):
        for other, others in boxes[i + 1 :]:
            if others[2][0] > bounds[2][1] - _TOUCHING_MM:
                break  # the others begin even farther back
            if all(_reach(a, b) for a, b in zip(bounds, others, strict=True)):
                msg = (
                    f"In detector {detector} a {inner.name} and a {other.name} overlap "
                    f"in their {volume.name}."
                )
                raise DetectorError(msg)
    for inner in {id(part.volume): part.volume for part in volume.parts}.values():
        check_boxes(detector, inner)


def _is_upright_box(part: Part) -> bool:
    return isinstance(part.volume.solid, Box) and part.axes is IDENTITY


def _bounds(part: Part) -> Bounds:
    assert isinstance(part.volume.solid, Box)
    x, y, z = (
        (at - half, at + half)
        for at, half in zip(part.at_mm, part.volume.solid.half_mm, strict=True)
    )
    return x, y, z


def _reach(a: tuple[float, float], b: tuple[float, float]) -> bool:
    """Whether two stretches have more in common than their ends."""
    return min(a[1], b[1]) - max(a[0], b[0]) > _TOUCHING_MM


def _holds(solid: Solid, bounds: Bounds) -> bool:
    """Whether a box lies in a solid; all but tubes are convex, so its corners decide."""
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
