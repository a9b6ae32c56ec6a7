"""Points of showers about their own axes: what is looked at, and what is moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector
from calozoo_core.frames import axis_slopes, check_layers
from calozoo_core.incident import Incident
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray

__all__ = ["Cloud"]

Points = NDArray[np.float32]

COLUMNS = ("layer", "dx", "dy", "square_distance", "energy")


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points of n showers, their positions relative to where the axis crosses their layer.

    In 32 bits, unlike `observables.Deposits`: every shower that a refined model proposes passes
    through here, and this must cost little beside the model itself.

    Arguments:
        offsets: Where each shower begins, and the end, shape (n + 1,).
        layer: Index of the layer, shape (N,).
        dx: Position along x' from the axis, in mm, shape (N,).
        dy: Likewise along y'.
        square_distance: Square of the shortest distance to the axis, in mm^2, shape (N,).
        energy: In MeV, shape (N,).
        incident: The n primaries.
        detector: Whose layers these are.
    """

    offsets: NDArray[np.int64]
    layer: NDArray[np.uint8]
    dx: Points
    dy: Points
    square_distance: Points
    energy: Points
    incident: Incident
    detector: Detector

    @classmethod
    def of(cls, showers: Showers, detector: Detector) -> Cloud:
        """The points of showers made for this detector.

        Raises:
            DetectorError: If a layer is beyond the detector's last.
        """
        check_layers(showers.layer, detector)
        n_points = showers.n_points
        along_x, along_y = _crossings(showers.incident, detector, n_points, showers.layer)
        dx, dy = showers.x - along_x, showers.y - along_y
        across = showers.incident.direction[:, :2].T
        along = dx * np.repeat(across[0], n_points) + dy * np.repeat(across[1], n_points)
        distance = np.maximum(dx**2 + dy**2 - along**2, 0)
        points = (showers.layer, dx, dy, distance, showers.energy)
        return cls(showers.offsets, *points, showers.incident, detector)

    def __len__(self) -> int:
        return len(self.incident)

    @cached_property
    def row(self) -> NDArray[np.int32]:
        """Which layer of which shower each point lies in, of n x n_layers, shape (N,)."""
        first = np.arange(len(self), dtype=np.int32) * np.int32(self.detector.n_layers)
        return np.repeat(first, np.diff(self.offsets)) + self.layer.astype(np.int32)

    @cached_property
    def layer_energy(self) -> FloatArray:
        """Energy in each layer, in MeV, shape (n, n_layers)."""
        n, n_layers = len(self), self.detector.n_layers
        sums = np.bincount(self.row, self.energy, minlength=n * n_layers)
        return sums.astype(np.float64).reshape(n, n_layers)

    @classmethod
    def concatenate(cls, clouds: Sequence[Cloud]) -> Cloud:
        """One out of several, of one detector."""
        counts = np.concatenate([np.diff(cloud.offsets) for cloud in clouds])
        columns = {
            name: np.concatenate([getattr(cloud, name) for cloud in clouds]) for name in COLUMNS
        }
        incident = Incident.concatenate([cloud.incident for cloud in clouds])
        offsets = np.concatenate([[0], np.cumsum(counts)])
        return cls(offsets, **columns, incident=incident, detector=clouds[0].detector)

    def take(self, showers: NDArray[np.int64]) -> Cloud:
        """Some of the showers, in this order."""
        counts = np.diff(self.offsets)[showers]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        points = np.repeat(self.offsets[showers] - offsets[:-1], counts) + np.arange(offsets[-1])
        columns = {name: getattr(self, name)[points] for name in COLUMNS}
        return Cloud(offsets, **columns, incident=self.incident[showers], detector=self.detector)

    def sums(self, values: Points) -> FloatArray:
        """Sum of the values of each shower, shape (n,)."""
        # A shower without points has no row to sum from; the value behind the last stands in.
        starts = np.append(values, np.float32(0))
        found = np.add.reduceat(starts, self.offsets[:-1], dtype=np.float64)
        return np.where(np.diff(self.offsets) > 0, found, 0.0)

    def showers(self, representation: str) -> Showers:
        """The same points in the local frame."""
        n_points = np.diff(self.offsets)
        along_x, along_y = _crossings(self.incident, self.detector, n_points, self.layer)
        return Showers(
            offsets=self.offsets,
            x=self.dx + along_x,
            y=self.dy + along_y,
            layer=self.layer,
            energy=self.energy,
            incident=self.incident,
            representation=representation,
            detector=self.detector.name,
        )


def _crossings(
    incident: Incident,
    detector: Detector,
    n_points: NDArray[np.int64],
    layer: NDArray[np.uint8],
) -> tuple[Points, Points]:
    """Where the axis crosses the layer of each point, in mm, two of shape (N,)."""
    depth = detector.layer_depth_mm.astype(np.float32)[layer]
    slope_x, slope_y = axis_slopes(incident.direction.astype(np.float64)).astype(np.float32).T
    return depth * np.repeat(slope_x, n_points), depth * np.repeat(slope_y, n_points)
