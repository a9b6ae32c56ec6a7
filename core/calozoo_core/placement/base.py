"""From the local frame of a shower into the global detector, and into its readout cells."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calozoo_core.detector import Detector, load_detector
from calozoo_core.errors import DetectorError, InputError
from calozoo_core.frames import as_text, vectors
from calozoo_core.hits import Hits
from calozoo_core.placement.readout import CellReadout, Entry
from calozoo_core.placement.trigger import Trigger
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import BoolArray, FloatArray, IntArray

__all__ = ["FACE_TOLERANCE_MM", "Entry", "Placement"]

FACE_TOLERANCE_MM = 1.0
"""Largest distance from the face at which a primary still counts as crossing it."""

_LINES_AT_ONCE, _MOST_ROUNDS = 16, 1000


class Placement(CellReadout):
    """Puts local points into the global detector.

    Each shower has a place of its own: the global point where its primary crosses the calorimeter
    face. The local frame has its origin there, z' into the calorimeter and x' along the magnetic
    field; the middle of layer l lies at z' = `detector.layer_depth_mm[l]`. The global frame has
    its origin at the interaction point and z along the beam. A kind of calorimeter (barrel,
    endcap, cylinder, slab) derives from this and says how its frames and cells lie.

    Arguments:
        detector: The detector the showers are put into, gaps and all.
    """

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self._n_layers = detector.n_layers
        self._fitting = {detector.name}  # detectors whose showers fit into this one

    @property
    @abstractmethod
    def extent(self) -> str:
        """Extent of the face, as the end of a sentence about the detector."""

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
            Indices of cells, unique in the detector, shape (N,); -1 where a point lies in a gap,
            beside the detector, or not in that layer.
        """

    @abstractmethod
    def depth(self, points: FloatArray) -> FloatArray:
        """Depth of global points behind the face of the part they lie in.

        Arguments:
            points: x, y, z in mm, shape (N, 3).

        Returns:
            In mm, shape (N,); negative before the face.
        """

    def layers(self, points: FloatArray) -> NDArray[np.uint8]:
        """Sensitive layers nearest in depth to global points.

        Arguments:
            points: x, y, z in mm, shape (N, 3).

        Returns:
            Shape (N,).
        """
        middles = self.detector.layer_depth_mm
        borders = (middles[1:] + middles[:-1]) / 2
        return np.searchsorted(borders, self.depth(points)).astype(np.uint8)

    def cell_centres(self, cell: IntArray, layer: NDArray[np.uint8]) -> FloatArray:
        """Global positions of the middles of cells.

        Arguments:
            cell: Indices of cells, shape (N,), none of them -1.
            layer: Their layers, shape (N,).

        Returns:
            x, y, z in mm, shape (N, 3).

        Raises:
            InputError: If a cell is not in its layer.
        """
        own_layer, centres = self.middles(*np.divmod(cell, self.cells_per_part))
        if np.any(own_layer != layer):
            msg = "Each cell needs the layer that it is in."
            raise InputError(msg)
        return centres

    def enter(self, momentum: ArrayLike) -> FloatArray:
        """Entry points of straight lines from the interaction point: where they cross the face.

        Arguments:
            momentum: Momenta, global, in any unit, shape (n, 3) or (3,).

        Returns:
            Global positions, in mm, shape (n, 3).

        Raises:
            InputError: If a line misses the face; the message names the first.
        """
        lines = vectors("momentum", momentum)
        position, is_hit = self.crossing(lines)
        if not is_hit.all():
            msg = (
                f"A straight line along {as_text(lines[~is_hit][0])} from the interaction point "
                f"misses {self.detector.name}, {self.extent}."
            )
            raise InputError(msg)
        return position

    def check(self, position: ArrayLike) -> None:
        """Make sure that positions are on the face, to a millimetre.

        Arguments:
            position: Global, in mm, shape (n, 3) or (3,).

        Raises:
            InputError: If one is not; the message names the first, and the face.
        """
        points = vectors("position", position)
        is_on_face = self.on_face(points)
        if not is_on_face.all():
            msg = (
                f"The position {as_text(points[~is_on_face][0])} is not on the face of "
                f"{self.detector.name}, {self.extent}."
            )
            raise InputError(msg)

    def draw(self, n: int, seed: int, first: int = 0) -> tuple[FloatArray, FloatArray]:
        """Random primaries from the interaction point that the trigger's angles accept.

        Lines are isotropic; of those of a shower, the first that the trigger accepts and that
        crosses the face is taken. In a plain slab, positions are uniform over one cell and lines
        go straight in.

        Arguments:
            n: How many.
            seed: The user's seed; primary i depends on it and on i alone.
            first: Number of the first of them in the sample.

        Returns:
            Positions on the face, global, in mm, shape (n, 3), and unit vectors along the global
            momenta, shape (n, 3).

        Raises:
            DetectorError: If next to no line is accepted.
        """
        trigger = Trigger.of(self.detector)
        streams = [stream(seed, first + i, "primary") for i in range(n)]
        position, momentum = np.zeros((n, 3)), np.zeros((n, 3))
        missing = np.arange(n)
        for _ in range(_MOST_ROUNDS):
            if not len(missing):
                return position, momentum
            lines = _isotropic(np.stack([streams[i].random((_LINES_AT_ONCE, 2)) for i in missing]))
            crossing, is_hit = self.crossing(lines.reshape(-1, 3))
            is_taken = (is_hit & trigger.aims(lines.reshape(-1, 3))).reshape(lines.shape[:2])
            found = np.flatnonzero(is_taken.any(axis=1))
            taken = is_taken[found].argmax(axis=1)
            position[missing[found]] = crossing.reshape(lines.shape)[found, taken]
            momentum[missing[found]] = lines[found, taken]
            missing = np.delete(missing, found)
        msg = f"The trigger takes next to no line that hits {self.detector.name}."
        raise DetectorError(msg)

    @abstractmethod
    def crossing(self, momentum: FloatArray) -> tuple[FloatArray, BoolArray]:
        """Crossings of straight lines from the interaction point with the face.

        Arguments:
            momentum: Shape (n, 3), finite.

        Returns:
            Global positions, in mm, shape (n, 3), and whether each is one, shape (n,).
        """

    @abstractmethod
    def on_face(self, position: FloatArray) -> BoolArray:
        """Mask of global positions, shape (n, 3), that are on the face, to a millimetre."""

    @abstractmethod
    def entry(self, position: FloatArray) -> Entry:
        """Entry of primaries at these positions, shape (n, 3), into parts of the detector."""

    def place(
        self, showers: Showers, position: ArrayLike | None = None, threshold_mev: float = 0.0
    ) -> Hits:
        """The cells that these showers hit; what falls into gaps or beside the detector is lost.

        Points never leave the frame of the part their shower is in: only the middles of the cells
        that are hit are turned into the global frame.

        Arguments:
            showers: n showers, in their local frames.
            position: Where their primaries cross the face, global, in mm, shape (n, 3) or (3,);
                None for where their Incident says.
            threshold_mev: Cells with less energy are left out; half of what a muon leaves,
                0.1 MeV for ILD, is the usual cut.

        Returns:
            The hits, sorted by shower, layer and cell.

        Raises:
            DetectorError: If the showers come from a detector whose layers lie elsewhere.
            InputError: If the positions are not n points on the face, there are none, or the
                threshold is negative.
        """
        self._check_layers(showers)
        if not threshold_mev >= 0:
            msg = f"The threshold of a hit must be 0 MeV or more, not {threshold_mev:g}."
            raise InputError(msg)
        places = self._places(showers, position)
        entry = self.entry(places)
        return self._hits(showers, entry, threshold_mev)

    def _places(self, showers: Showers, position: ArrayLike | None) -> FloatArray:
        n = len(showers)
        given = showers.incident.position if position is None else position
        if given is None:
            msg = (
                f"Nothing says where these showers enter {self.detector.name}; "
                f"give positions of shape ({n}, 3) or (3,)."
            )
            raise InputError(msg)
        points = vectors("position", given)
        if len(points) not in (1, n) or (np.ndim(given) == 2 and len(points) != n):
            msg = f"{n} showers need positions of shape ({n}, 3) or (3,)."
            raise InputError(msg)
        self.check(points)
        return np.broadcast_to(points, (n, 3))

    def _check_layers(self, showers: Showers) -> None:
        if showers.detector not in self._fitting:
            depths = load_detector(showers.detector).layer_depth_mm
            own = self.detector.layer_depth_mm
            if depths.shape != own.shape or not np.allclose(depths, own, rtol=0, atol=1e-3):
                msg = (
                    f"Showers made for {showers.detector} do not fit into {self.detector.name}, "
                    "whose layers lie elsewhere."
                )
                raise DetectorError(msg)
            self._fitting.add(showers.detector)
        last = int(showers.layer.max(initial=0))
        if last >= self._n_layers:
            end = self._n_layers - 1
            msg = f"A point lies in layer {last}, but {self.detector.name} ends at {end}."
            raise InputError(msg)


def _isotropic(numbers: FloatArray) -> FloatArray:
    """Unit vectors of random direction from pairs of numbers uniform in [0, 1)."""
    cos = 2 * numbers[..., 0] - 1
    sin, azimuth = np.sqrt(1 - cos**2), 2 * np.pi * numbers[..., 1]
    return np.stack([sin * np.cos(azimuth), sin * np.sin(azimuth), cos], axis=-1)
