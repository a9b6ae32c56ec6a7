"""Frame of a Geant4 world, seen from the global frame of a detector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calozoo_core.detector import Detector
from calozoo_core.errors import InputError
from calozoo_core.typing import FloatArray

__all__ = ["ALONG_BEAM", "GLOBAL", "WorldFrame"]

Vector = tuple[float, float, float]

_ROUNDING = 1e-6
"""Largest difference of the axes' products from those of perpendicular unit vectors."""


@dataclass(frozen=True)
class WorldFrame:
    """Axes and origin of a Geant4 world in the global frame, which has z along the beam.

    Arguments:
        axes: Directions of the world's x, y and z: perpendicular unit vectors, right-handed.
        origin_mm: Position of the world's origin.

    Raises:
        InputError: If the axes are none of a rotated frame, or the origin is not finite.
    """

    axes: tuple[Vector, Vector, Vector] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    origin_mm: Vector = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        axes, origin = np.array(self.axes, np.float64), np.array(self.origin_mm, np.float64)
        is_turned = axes.shape == (3, 3) and np.abs(axes @ axes.T - np.eye(3)).max() <= _ROUNDING
        if not is_turned or np.linalg.det(axes) < 0:
            msg = (
                "The axes of a world must be three perpendicular unit vectors, right-handed, not "
                f"{self.axes}."
            )
            raise InputError(msg)
        if origin.shape != (3,) or not np.isfinite(origin).all():
            msg = (
                f"The origin of a world must be three finite positions in mm, not {self.origin_mm}."
            )
            raise InputError(msg)

    @classmethod
    def of(cls, detector: Detector) -> WorldFrame:
        """Frame of the world in which `calozoo_geant4.layout` builds a detector."""
        if detector.barrel or detector.endcap or detector.cylinder:
            return ALONG_BEAM
        return cls(origin_mm=(0.0, 0.0, detector.face_mm))

    def to_global(self, points: FloatArray) -> FloatArray:
        """Global positions of points in the world, in mm, shape (n, 3)."""
        turned: FloatArray = points @ np.array(self.axes) + self.origin_mm
        return turned

    def to_world(self, points: FloatArray) -> FloatArray:
        """Points in the world of global positions, in mm, shape (n, 3)."""
        turned: FloatArray = (points - self.origin_mm) @ np.array(self.axes).T
        return turned

    def direction_to_global(self, direction: Vector) -> Vector:
        """Global direction of a direction in the world."""
        x, y, z = (
            sum(c * axis[i] for c, axis in zip(direction, self.axes, strict=True)) for i in range(3)
        )
        return x, y, z

    def position_to_global(self, point: Vector) -> Vector:
        """Global position of one point in the world, in mm."""
        x, y, z = self.direction_to_global(point)
        return x + self.origin_mm[0], y + self.origin_mm[1], z + self.origin_mm[2]

    def direction_to_world(self, direction: Vector) -> Vector:
        """Direction in the world of a global direction."""
        x, y, z = (sum(c * a for c, a in zip(direction, axis, strict=True)) for axis in self.axes)
        return x, y, z

    def position_to_world(self, point: Vector) -> Vector:
        """Position in the world of a global point, in mm."""
        x, y, z = (a - b for a, b in zip(point, self.origin_mm, strict=True))
        return self.direction_to_world((x, y, z))


GLOBAL = WorldFrame()
"""World whose frame is the global one."""

ALONG_BEAM = WorldFrame(axes=((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)))
"""World whose x axis is the beam, in which this package builds barrels, endcaps and cylinders."""
