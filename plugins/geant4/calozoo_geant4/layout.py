"""Layout of a detector: volumes in the world, and the local frames that showers start in.

Geant4's frame has x along the beam; y and z are the global x and y, so that the stave on top of a
barrel has its local axes along them. A plain slab has its face at z = 0.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from calozoo_core.detector import Detector, Slab
from calozoo_core.typing import BoolArray, FloatArray
from calozoo_geant4 import barrel, endcap
from calozoo_geant4.solids import AIR, IDENTITY, Axes, Box, PlacedVolume, Tube, Volume, check_boxes

__all__ = [
    "CylinderFrame",
    "FlatFrame",
    "Layout",
    "LocalFrame",
    "frame_of",
    "layout",
    "world_half_mm",
]

_SLAB_HALF_WIDTH_MM = 1400.0  # five times the depth if that is more
_MARGIN_MM = 100.0  # between the detector and the end of the world
_BEHIND_AND_BEFORE_MM = 1300.0  # of a slab
_ALONG_BEAM: Axes = ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))


class LocalFrame(ABC):
    """Local frame of the showers that enter a part of the detector."""

    @abstractmethod
    def start(self, u: float, v: float) -> tuple[float, float, float]:
        """Start of a primary on the face, in Geant4's frame, in mm."""

    @abstractmethod
    def direction(self, local: tuple[float, float, float]) -> tuple[float, float, float]:
        """Direction in Geant4's frame of a local direction."""

    @abstractmethod
    def local(self, points: FloatArray, u: float, v: float) -> tuple[FloatArray, BoolArray]:
        """Positions in the local frame of a primary, and which of them are in this part.

        Arguments:
            points: Positions in Geant4's frame, in mm, shape (N, 3).
            u: Start of the primary on the face, along x'.
            v: Start of the primary along y'.

        Returns:
            x', y' and depth in mm, shape (N, 3), and a mask of shape (N,).
        """


@dataclass(frozen=True)
class FlatFrame(LocalFrame):
    """Local frame of a flat part: a slab, a stave or an endcap.

    Arguments:
        axes: x', y' and z' in Geant4's frame.
        face_mm: Distance of the face from the origin.
        half_u_mm: Half length along x'.
        depth_mm: Depth behind the face.
        ends_mm: Lower and upper end along y' at the face.
        slant: Decrease of the distance of both ends per depth.
    """

    axes: Axes
    face_mm: float
    half_u_mm: float = math.inf
    depth_mm: float = math.inf
    ends_mm: tuple[float, float] = (-math.inf, math.inf)
    slant: float = 0.0

    def start(self, u: float, v: float) -> tuple[float, float, float]:
        return self.direction((u, v, self.face_mm))

    def direction(self, local: tuple[float, float, float]) -> tuple[float, float, float]:
        x, y, z = (
            sum(c * axis[i] for c, axis in zip(local, self.axes, strict=True)) for i in range(3)
        )
        return x, y, z

    def local(self, points: FloatArray, u: float, v: float) -> tuple[FloatArray, BoolArray]:
        own = points @ np.array(self.axes).T
        depth = own[:, 2] - self.face_mm
        narrowing = self.slant * depth
        is_inside = (
            (np.abs(own[:, 0]) < self.half_u_mm)
            & (depth > 0)
            & (depth < self.depth_mm)
            & (own[:, 1] > self.ends_mm[0] + narrowing)
            & (own[:, 1] < self.ends_mm[1] - narrowing)
        )
        return np.stack([own[:, 0] - u, own[:, 1] - v, depth], axis=1), is_inside


@dataclass(frozen=True)
class CylinderFrame(LocalFrame):
    """Local frame of a cylinder around the beam; all primaries start on top of it."""

    face_mm: float

    def start(self, u: float, v: float) -> tuple[float, float, float]:
        return (u, 0.0, self.face_mm)

    def direction(self, local: tuple[float, float, float]) -> tuple[float, float, float]:
        return local

    def local(self, points: FloatArray, u: float, v: float) -> tuple[FloatArray, BoolArray]:
        x, y, z = points.T
        radius = np.hypot(y, z)
        around = radius * np.arctan2(y, z)
        inside = np.full(len(points), True)
        return np.stack([x - u, around, radius - self.face_mm], axis=1), inside


@dataclass(frozen=True, eq=False)
class Layout:
    """Volumes of a detector in its world, and local frames.

    Arguments:
        volumes: Volumes placed in the air of the world.
        half_mm: Half lengths of the world.
        frames: Local frames of the parts that showers can enter, see `frame_of`.
    """

    volumes: tuple[PlacedVolume, ...]
    half_mm: tuple[float, float, float]
    frames: tuple[LocalFrame, ...]


def layout(detector: Detector) -> Layout:
    """Layout of a detector.

    Raises:
        DetectorError: If its parts overlap, or do not fit.
    """
    if detector.cylinder is not None:
        return _cylinder(detector)
    if detector.barrel is None and detector.endcap is None:
        return _slab(detector)
    volumes: list[PlacedVolume] = []
    frames: list[LocalFrame] = []
    if detector.barrel is not None:
        stave = barrel.Stave(detector)
        volumes += stave.placed()
        frames.append(
            FlatFrame(
                IDENTITY,
                detector.face_mm,
                half_u_mm=stave.shape.half_length_mm,
                depth_mm=detector.depth_mm,
                ends_mm=stave.ends_mm,
                slant=stave.slant,
            )
        )
    if detector.endcap is not None:
        volumes += endcap.quadrants(detector)
        frames += [
            FlatFrame(axes, detector.endcap.face_mm, depth_mm=detector.depth_mm)
            for axes in endcap.AXES
        ]
    for volume in {id(placed.volume): placed.volume for placed in volumes}.values():
        check_boxes(detector.name, volume)
    return Layout(tuple(volumes), world_half_mm(detector), tuple(frames))


def world_half_mm(detector: Detector) -> tuple[float, float, float]:
    """Half lengths of the world around a detector, in mm, in Geant4's frame.

    Raises:
        DetectorError: If its stack is too thick for its barrel.
    """
    if detector.cylinder is not None:
        along = detector.cylinder.half_length_mm
        across = detector.face_mm + detector.depth_mm
    elif detector.barrel is None and detector.endcap is None:
        outside = _slab_half_width_mm(detector) + _MARGIN_MM
        return outside, outside, detector.depth_mm + _BEHIND_AND_BEFORE_MM
    else:
        along = across = 0.0
        if detector.barrel is not None:
            along, across = detector.barrel.half_length_mm, barrel.Stave(detector).outer_mm
        if detector.endcap is not None:
            along = max(along, detector.endcap.face_mm + detector.depth_mm)
            across = max(across, 1.1 * detector.endcap.outer_radius_mm)
    return along + _MARGIN_MM, across + _MARGIN_MM, across + _MARGIN_MM


def frame_of(detector: Detector, part: int) -> int:
    """Index in `Layout.frames` of a part in the numbering of a placement.

    All staves are equal, so a shower in any of them is simulated in the one on top.
    """
    if detector.barrel is None:
        return part
    return max(0, part - detector.barrel.sides + 1)


def _slab(detector: Detector) -> Layout:
    half_width = _slab_half_width_mm(detector)
    volumes = []
    front = 0.0
    for i, sheet in enumerate(_joined_sheets(detector.slabs)):
        half = sheet.thickness_mm / 2
        if not _is_air(detector, sheet):
            box = Box((half_width, half_width, half))
            volume = Volume(f"sheet {i}", box, sheet.material, sheet.layer is not None)
            volumes.append(PlacedVolume(volume, (0.0, 0.0, front + half)))
        front += sheet.thickness_mm
    return Layout(tuple(volumes), world_half_mm(detector), (FlatFrame(IDENTITY, 0.0),))


def _slab_half_width_mm(detector: Detector) -> float:
    return max(_SLAB_HALF_WIDTH_MM, 5 * detector.depth_mm)


def _cylinder(detector: Detector) -> Layout:
    assert detector.cylinder is not None
    half_length = detector.cylinder.half_length_mm
    volumes = []
    inner = detector.face_mm
    for i, sheet in enumerate(_joined_sheets(detector.slabs)):
        outer = inner + sheet.thickness_mm
        if not _is_air(detector, sheet):
            tube = Tube(inner, outer, half_length)
            volume = Volume(f"sheet {i}", tube, sheet.material, sheet.layer is not None)
            volumes.append(PlacedVolume(volume, axes=_ALONG_BEAM))
        inner = outer
    return Layout(tuple(volumes), world_half_mm(detector), (CylinderFrame(detector.face_mm),))


def _is_air(detector: Detector, sheet: Slab) -> bool:
    """`True` for air, which is there without a volume."""
    return sheet.layer is None and detector.materials[sheet.material] == AIR


def _joined_sheets(slabs: tuple[Slab, ...]) -> list[Slab]:
    """Slabs with neighbours of one material joined, since a border inside it only costs steps."""
    groups = groupby(slabs, key=lambda slab: (slab.material, slab.layer))
    return [
        Slab(material, sum(slab.thickness_mm for slab in group), layer)
        for (material, layer), group in groups
    ]
