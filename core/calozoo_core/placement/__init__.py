"""From the local frame of a shower into the global detector, and into its readout cells."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calozoo_core._grouping import group
from calozoo_core.detector import Detector, load_detector
from calozoo_core.errors import DetectorError, InputError
from calozoo_core.showers import Showers

__all__ = ["Hits", "Placement"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Hits:
    """Energies of the readout cells that n showers hit, one shower after the other.

    The hits of shower i are rows `offsets[i]:offsets[i + 1]`. A cell appears once a shower.

    Arguments:
        offsets: Where each shower begins, and the end, shape (n + 1,), int64.
        cell: Index of the cell, unique in the detector, shape (N,), int64.
        layer: Index of the sensitive layer, from 0 at the face, shape (N,), uint8.
        x: Global position of the cell's middle, in mm, shape (N,), float32.
        y: Likewise.
        z: Likewise, along the beam.
        energy: Energy in the cell, in MeV, shape (N,), float32.
    """

    offsets: IntArray
    cell: IntArray
    layer: NDArray[np.uint8]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    z: NDArray[np.float32]
    energy: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.offsets) - 1


class Placement(ABC):
    """Puts local points into the global detector.

    Each shower has a place of its own: the global point where its primary crosses the calorimeter
    face. The local frame has its origin there, z' into the calorimeter and x' along the magnetic
    field; the middle of layer l lies at z' = `detector.layer_depth_mm[l]`. A kind of calorimeter
    (barrel, endcap, slab) derives from this and says how its frames and cells lie.

    Arguments:
        detector: The detector the showers are put into, gaps and all.
    """

    def __init__(self, detector: Detector) -> None:
        self.detector = detector

    @abstractmethod
    def local_direction(self, position: FloatArray, momentum: FloatArray) -> FloatArray:
        """Directions in the local frame, for a model's Incident.

        Arguments:
            position: Where the primaries cross the face, global, in mm, shape (n, 3).
            momentum: Their momenta, global, in any unit, shape (n, 3).

        Returns:
            Unit vectors, shape (n, 3).
        """

    @abstractmethod
    def to_global(self, points: FloatArray, position: FloatArray) -> FloatArray:
        """Local points in the global frame.

        Arguments:
            points: x', y', z' in mm, shape (N, 3).
            position: Where the primary of each point's shower crosses the face, global, in mm,
                shape (N, 3) or (3,).

        Returns:
            x, y, z in mm, shape (N, 3).
        """

    @abstractmethod
    def to_local(self, points: FloatArray, position: FloatArray) -> FloatArray:
        """Global points in the local frame: what undoes `to_global`.

        Arguments:
            points: x, y, z in mm, shape (N, 3).
            position: As in `to_global`.

        Returns:
            x', y', z' in mm, shape (N, 3).
        """

    @abstractmethod
    def cells(self, points: FloatArray, layer: NDArray[np.uint8]) -> IntArray:
        """The readout cell each global point falls into.

        Arguments:
            points: x, y, z in mm, shape (N, 3).
            layer: Sensitive layer of each point, shape (N,).

        Returns:
            Indices of cells, unique in the detector, shape (N,); -1 where a point falls into a gap
            or beside the detector.
        """

    @abstractmethod
    def cell_centres(self, cell: IntArray, layer: NDArray[np.uint8]) -> FloatArray:
        """Global positions of the middles of cells.

        Arguments:
            cell: Indices of cells, shape (N,), none of them -1.
            layer: Their layers, shape (N,).

        Returns:
            x, y, z in mm, shape (N, 3).
        """

    def place(self, showers: Showers, position: FloatArray) -> Hits:
        """The cells that these showers hit; energy that falls into gaps is lost.

        Arguments:
            showers: n showers, in their local frames.
            position: Where their primaries cross the face, global, in mm, shape (n, 3) or (3,).

        Returns:
            The hits, sorted by shower, layer and cell.

        Raises:
            DetectorError: If the showers come from a detector whose layers lie elsewhere.
            InputError: If the positions are not n points.
        """
        self._check_layers(showers)
        try:
            position = np.broadcast_to(np.asarray(position, np.float64), (len(showers), 3))
        except ValueError as error:
            msg = f"{len(showers)} showers need positions of shape ({len(showers)}, 3) or (3,)."
            raise InputError(msg) from error
        shower = showers.shower_index
        depth = self.detector.layer_depth_mm[showers.layer]
        points = self.to_global(np.stack([showers.x, showers.y, depth], axis=1), position[shower])
        cell = self.cells(points, showers.layer)
        inside = np.flatnonzero(cell >= 0)
        order, starts = group(shower[inside], showers.layer[inside].astype(np.int64), cell[inside])
        rows = inside[order]
        hit = rows[starts]
        energy = showers.energy[rows].astype(np.float64)
        centres = self.cell_centres(cell[hit], showers.layer[hit]).astype(np.float32)
        return Hits(
            offsets=np.searchsorted(shower[hit], np.arange(len(showers) + 1)),
            cell=cell[hit],
            layer=showers.layer[hit],
            x=centres[:, 0],
            y=centres[:, 1],
            z=centres[:, 2],
            energy=np.add.reduceat(energy, starts).astype(np.float32),
        )

    def _check_layers(self, showers: Showers) -> None:
        made_for = load_detector(showers.detector)
        depths, own = made_for.layer_depth_mm, self.detector.layer_depth_mm
        if depths.shape != own.shape or not np.allclose(depths, own, rtol=0, atol=1e-3):
            msg = (
                f"Showers made for {showers.detector} do not fit into {self.detector.name}, "
                "whose layers lie elsewhere."
            )
            raise DetectorError(msg)
