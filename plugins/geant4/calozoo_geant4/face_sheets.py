"""Thin sheets of air in front of a calorimeter, as plain numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator

from calozoo_core.detector import Detector
from calozoo_geant4.solids import Axes, Box, PlacedVolume, Tube, Volume
from calozoo_geant4.world_frame import WorldFrame

__all__ = ["SHEET_MM", "face_sheets"]

SHEET_MM = 0.1
"""Thickness of a sheet."""

_RIM_MM = 0.2  # left free at the corners of a polygon, where two sheets would overlap
_SLAB_HALF_WIDTH_MM = 1400.0

Vector = tuple[float, float, float]


def face_sheets(detector: Detector, frame: WorldFrame) -> list[PlacedVolume]:
    """Sheets that end on the face: one for each stave and endcap, a tube, or one for a slab.

    Arguments:
        detector: The detector.
        frame: Frame of the world in which they are placed.
    """
    return [_in_world(placed, frame) for placed in _global_sheets(detector)]


def _global_sheets(detector: Detector) -> Iterator[PlacedVolume]:
    half = SHEET_MM / 2
    if detector.cylinder is not None:
        inner = detector.face_mm - SHEET_MM
        tube = Tube(inner, detector.face_mm, detector.cylinder.half_length_mm)
        yield PlacedVolume(Volume("face of the cylinder", tube, None))
        return
    if detector.barrel is None and detector.endcap is None:
        box = Box((_SLAB_HALF_WIDTH_MM, _SLAB_HALF_WIDTH_MM, half))
        yield PlacedVolume(Volume("face of the slab", box, None), (0, 0, detector.face_mm - half))
    if detector.barrel is not None:
        shape, middle = detector.barrel, detector.face_mm - half
        half_width = (detector.face_mm - SHEET_MM) * math.tan(math.pi / shape.sides) - _RIM_MM
        volume = Volume("face of a stave", Box((shape.half_length_mm, half_width, half)), None)
        for side in range(shape.sides):
            angle = 2 * math.pi * side / shape.sides
            cos, sin = math.cos(angle), math.sin(angle)
            axes: Axes = ((0.0, 0.0, 1.0), (sin, -cos, 0.0), (cos, sin, 0.0))
            yield PlacedVolume(volume, (middle * cos, middle * sin, 0.0), axes)
    if detector.endcap is not None:
        end = detector.endcap
        tube = Tube(end.inner_radius_mm, end.outer_radius_mm, half)
        volume = Volume("face of an endcap", tube, None)
        for sign in (1, -1):
            yield PlacedVolume(volume, (0.0, 0.0, sign * (end.face_mm - half)))


def _in_world(placed: PlacedVolume, frame: WorldFrame) -> PlacedVolume:
    x, y, z = (frame.direction_to_world(axis) for axis in placed.axes)
    return PlacedVolume(placed.volume, frame.position_to_world(placed.at_mm), (x, y, z))
