"""Where the parts of a detector stand, and in which of them a shower is.

Geant4's frame has x along the beam; y and z are the global x and y, so that the stave on top of a
barrel has its local axes along them. A plain slab stands with its face at z = 0.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector, Slab
from calozoo_core.typing import FloatArray
from calozoo_geant4 import barrel, endcap
from calozoo_geant4.solids import AIR, IDENTITY, Axes, Box, Part, Tube, Volume, check_boxes

__all__ = ["Flat", "Frame", "Layout", "Round", "frame_of", "layout"]

_SLAB_HALF_WIDTH_MM = 1400.0  # five times the depth if that is more
_MARGIN_MM = 100.0  # of the world around everything
_BEHIND_AND_BEFORE_MM = 1300.0  # of a slab
_ALONG_BEAM: Axes = ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))


class Frame(ABC):
    """A part of the detector in which showers have a local frame."""

    @abstractmethod
    def start(self, u: float, v: float) -> tuple[float, float, float]:
        """Where on its face a primary begins, in Geant4's frame."""

    @abstractmethod
    def direction(self, local: tuple[float, float, float]) -> tuple[float, float, float]:
        """A local direction at any such place, in Geant4's frame."""

    @abstractmethod
    def local(self, points: FloatArray, u: float, v: float) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Points of Geant4's frame in the local frame of a primary, and which are in this part.

        Arguments:
            points: Shape (N, 3), in mm.
            u: Where the primary began.
            v: Likewise.

        Returns:
            x', y' and depth, shape (N, 3), and a mask of shape (N,).
        """


@dataclass(frozen=True)
class Flat(Frame):
    """A flat part.

    Arguments:
        axes: x', y' and z' in Geant4's frame.
        face_mm: Distance of its face from the origin.
        half_u_mm: How far it reaches along x', either way.
        depth_mm: How deep it is, from the face on.
        ends_mm: How far it reaches along y', to either side, at the face.
        slant: By how much less far it reaches, to positive y' and to negative, per depth.
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

    def local(self, points: FloatArray, u: float, v: float) -> tuple[FloatArray, NDArray[np.bool_]]:
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
class Round(Frame):
    """A cylinder around the beam; primaries begin on top, whatever their azimuth was."""

    face_mm: float

    def start(self, u: float, v: float) -> tuple[float, float, float]:
        return (u, 0.0, self.face_mm)

    def direction(self, local: tuple[float, float, float]) -> tuple[float, float, float]:
        return local

    def local(self, points: FloatArray, u: float, v: float) -> tuple[FloatArray, NDArray[np.bool_]]:
        x, y, z = points.T
        radius = np.hypot(y, z)
        around = radius * np.arctan2(y, z)
        inside = np.full(len(points), True)
        return np.stack([x - u, around, radius - self.face_mm], axis=1), inside


@dataclass(frozen=True, eq=False)
class Layout:
    """A detector in its world.

    Arguments:
        parts: What stands in the air of the world.
        half_mm: Half lengths of the world.
        frames: The parts that showers can enter, by their kind: see `frame_of`.
    """

    parts: tuple[Part, ...]
    half_mm: tuple[float, float, float]
    frames: tuple[Frame, ...]


def layout(detector: Detector) -> Layout:
    """The layout of a detector.

    Raises:
        DetectorError: If its parts overlap, or do not fit.
    """
    if detector.cylinder is not None:
        return _cylinder(detector)
    if detector.barrel is None and detector.endcap is None:
        return _slab(detector)
    parts: list[Part] = []
    frames: list[Frame] = []
    half = (0.0, 0.0)
    if detector.barrel is not None:
        stave = barrel.Stave(detector)
        parts += stave.parts()
        frames.append(
            Flat(
                IDENTITY,
                detector.face_mm,
                half_u_mm=stave.shape.half_length_mm,
                depth_mm=detector.depth_mm,
                ends_mm=stave.ends_mm,
                slant=stave.slant,
            )
        )
        half = (stave.shape.half_length_mm, stave.outer_mm)
    if detector.endcap is not None:
        parts += endcap.parts(detector)
        frames += [
            Flat(axes, detector.endcap.face_mm, depth_mm=detector.depth_mm) for axes in endcap.AXES
        ]
        reach = detector.endcap.face_mm + detector.depth_mm
        half = (max(half[0], reach), max(half[1], 1.1 * detector.endcap.outer_radius_mm))
    for volume in {id(part.volume): part.volume for part in parts}.values():
        check_boxes(detector.name, volume)
    along, across = half[0] + _MARGIN_MM, half[1] + _MARGIN_MM
    return Layout(tuple(parts), (along, across, across), tuple(frames))


def frame_of(detector: Detector, part: int) -> int:
    """Index in `Layout.frames` of a part as a placement counts them.

    All staves are alike, so a shower in any of them is simulated in the one on top.
    """
    if detector.barrel is None:
        return part
    return max(0, part - detector.barrel.sides + 1)


def _slab(detector: Detector) -> Layout:
    half_width = max(_SLAB_HALF_WIDTH_MM, 5 * detector.depth_mm)
    parts = []
    front = 0.0
    for i, sheet in enumerate(_joined(detector.slabs)):
        half = sheet.thickness_mm / 2
        if not _is_air(detector, sheet):
            box = Box((half_width, half_width, half))
            volume = Volume(f"sheet {i}", box, sheet.material, sheet.layer is not None)
            parts.append(Part(volume, (0.0, 0.0, front + half)))
        front += sheet.thickness_mm
    outside = half_width + _MARGIN_MM
    half_mm = (outside, outside, detector.depth_mm + _BEHIND_AND_BEFORE_MM)
    return Layout(tuple(parts), half_mm, (Flat(IDENTITY, 0.0),))


def _cylinder(detector: Detector) -> Layout:
    assert detector.cylinder is not None
    half_length = detector.cylinder.half_length_mm
    parts = []
    inner = detector.face_mm
    for i, sheet in enumerate(_joined(detector.slabs)):
        outer = inner + sheet.thickness_mm
        if not _is_air(detector, sheet):
            tube = Tube(inner, outer, half_length)
            volume = Volume(f"sheet {i}", tube, sheet.material, sheet.layer is not None)
            parts.append(Part(volume, axes=_ALONG_BEAM))
        inner = outer
    across = inner + _MARGIN_MM
    half_mm = (half_length + _MARGIN_MM, across, across)
    return Layout(tuple(parts), half_mm, (Round(detector.face_mm),))


def _is_air(detector: Detector, sheet: Slab) -> bool:
    """Whether it is what is there without it."""
    return sheet.layer is None and detector.materials[sheet.material] == AIR


def _joined(slabs: tuple[Slab, ...]) -> list[Slab]:
    """The slabs, with neighbours of one material as one: a border inside it only costs steps."""
    groups = groupby(slabs, key=lambda slab: (slab.material, slab.layer))
    return [
        Slab(material, sum(slab.thickness_mm for slab in group), layer)
        for (material, layer), group in groups
    ]
