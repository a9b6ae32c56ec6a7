"""Cylindrical voxels about the axis of a shower, as the CaloChallenge bins its deposits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calozoo_core.detector import Detector, load_detector
from calozoo_core.errors import DetectorError, InputError
from calozoo_core.incident import Incident
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray, IntArray

__all__ = ["DATASETS", "CylinderVoxels", "LayerBins"]

MAX_VOXELS: Final = 1 << 24

# Rounding a position to 32 bits must not carry it over the edge of its voxel.
_MARGIN: Final = 0.01


@dataclass(frozen=True)
class LayerBins:
    """The voxels of one layer: rings, each cut into equal sectors.

    Arguments:
        r_edges_mm: Edges of the rings, growing; a single edge makes a layer without voxels.
        n_alpha: Number of sectors.

    Raises:
        InputError: If the edges do not grow from 0 or more, or there is no sector.
    """

    r_edges_mm: tuple[float, ...]
    n_alpha: int

    def __post_init__(self) -> None:
        edges = self.r_edges_mm
        grows = all(low < high for low, high in pairwise(edges))
        if not edges or edges[0] < 0 or not grows or not all(map(math.isfinite, edges)):
            shown = ",".join(f"{edge:g}" for edge in edges[:8])
            msg = f"The edges of rings must be lengths in mm that grow from 0 or more, not {shown}."
            raise InputError(msg)
        if self.n_alpha < 1:
            msg = f"A layer has one sector or more, not {self.n_alpha}."
            raise InputError(msg)

    @property
    def n_r(self) -> int:
        """Number of rings."""
        return len(self.r_edges_mm) - 1

    @property
    def n_voxels(self) -> int:
        """Number of voxels."""
        return self.n_r * self.n_alpha


@dataclass(frozen=True)
class CylinderVoxels:
    r"""Rings and sectors about the axis of a shower, layer by layer.

    The axis starts at the entry point and runs along the direction of the primary. Radius and angle
    are measured perpendicular to it: of a shower straight in, r and alpha are the polar coordinates
    of (x', y'). For a tilted one, x' and y' are turned with the shortest rotation that takes z' to
    its direction. The layer stays that of the detector, so a voxel of a tilted shower is the part
    of a slanted tube that the sensitive sheets cut out.

    Voxels are numbered with the radius fastest, then alpha, which runs from -pi to pi, then the
    layer. A detector with a multiple of these layers fills them in groups of neighbours.

    References:
        | CaloChallenge, section 2: https://arxiv.org/abs/2410.21611

    Arguments:
        layers: Voxels of each layer, from the face inwards.

    Raises:
        InputError: If there are no voxels, or too many.

    Example:
        >>> voxels = DATASETS["dataset2"]
        >>> len(voxels.layers), voxels.layers[0].n_alpha, voxels.layers[0].n_r, voxels.n_voxels
        (45, 16, 9, 6480)
    """

    layers: tuple[LayerBins, ...]

    def __post_init__(self) -> None:
        if not 0 < self.n_voxels <= MAX_VOXELS:
            msg = f"A shower is cut into 1 to {MAX_VOXELS} voxels, not {self.n_voxels}."
            raise InputError(msg)

    @classmethod
    def regular(cls, n_layers: int, n_alpha: int, n_r: int, dr_mm: float) -> CylinderVoxels:
        """Voxels with the same sectors and rings of equal width in each layer.

        Raises:
            InputError: If a number is not positive.

        Example:
            >>> CylinderVoxels.regular(2, n_alpha=4, n_r=3, dr_mm=5.0).layers[1].r_edges_mm
            (0.0, 5.0, 10.0, 15.0)
        """
        if not (0 < n_r <= MAX_VOXELS and 0 < n_alpha <= MAX_VOXELS and 0 < dr_mm < math.inf):
            msg = f"Voxels need sectors, rings and a width in mm, not {n_alpha}x{n_r}x{dr_mm:g}."
            raise InputError(msg)
        bins = LayerBins(tuple(round(i * dr_mm, 9) for i in range(n_r + 1)), n_alpha)
        return cls((bins,) * n_layers)

    @property
    def n_voxels(self) -> int:
        """Number of voxels of all layers."""
        return sum(bins.n_voxels for bins in self.layers)

    def is_like(self, other: CylinderVoxels) -> bool:
        """True if the others have the same sectors, and the same rings up to rounding."""
        if [(one.n_alpha, one.n_r) for one in self.layers] != [
            (one.n_alpha, one.n_r) for one in other.layers
        ]:
            return False
        return all(
            math.isclose(here, there, abs_tol=1e-6)
            for one, another in zip(self.layers, other.layers, strict=True)
            for here, there in zip(one.r_edges_mm, another.r_edges_mm, strict=True)
        )

    @cached_property
    def starts(self) -> IntArray:
        """Number of the first voxel of each layer, shape (n_layers,)."""
        sizes = [bins.n_voxels for bins in self.layers]
        return np.concatenate([[0], np.cumsum(sizes[:-1])]).astype(np.int64)

    def group_size(self, detector: Detector) -> int:
        """Number of layers of the detector in one of these.

        Raises:
            DetectorError: If the detector's layers cannot be dealt out evenly.
        """
        size, rest = divmod(detector.n_layers, len(self.layers))
        if rest or size == 0:
            msg = (
                f"The {detector.n_layers} layers of {detector.name} do not fill "
                f"{len(self.layers)} layers of voxels evenly; take voxels with "
                f"{detector.n_layers} layers, or showers of another detector."
            )
            raise DetectorError(msg)
        return size

    def fill(self, showers: Showers) -> tuple[FloatArray, FloatArray]:
        """Sum the deposits of each shower in its voxels.

        Returns:
            Energy of each voxel, in MeV, shape (n, n_voxels), and the energy of each shower that
            fell beside its voxels, in MeV, shape (n,).

        Raises:
            DetectorError: If the layers of the showers' detector do not fit.
        """
        detector = load_detector(showers.detector)
        shower, energy = showers.shower_index, showers.energy.astype(np.float64)
        along, across = _axes(showers.incident.direction)
        points = np.column_stack([showers.x, showers.y, detector.layer_depth_mm[showers.layer]])
        u = np.einsum("pi,pi->p", points, along[shower])
        v = np.einsum("pi,pi->p", points, across[shower])
        voxel = self._find(showers.layer // self.group_size(detector), u, v)
        inside = voxel >= 0
        n, place = len(showers), shower * self.n_voxels + voxel
        filled = _sums(place[inside], energy[inside], n * self.n_voxels)
        outside = _sums(shower[~inside], energy[~inside], n)
        return filled.reshape(n, self.n_voxels), outside

    def spread(
        self, voxels: ArrayLike, incident: Incident, detector: str, seed: int, first: int = 0
    ) -> Showers:
        """One point for each voxel with energy, anywhere in the voxel with the same likelihood.

        Where several layers of the detector fill one layer of voxels, each is as likely. Filling
        voxels with the result gives these voxels again, to the precision of 32 bits.

        Arguments:
            voxels: Energy of each voxel, in MeV, shape (n, n_voxels); what is not positive is
                left out.
            incident: The n primaries.
            detector: Name of the detector.
            seed: The user's seed.
            first: Number of the first of these showers in the whole sample.

        Returns:
            Showers, whose points count as "steps": they lie on no grid of cells.

        Raises:
            InputError: If the shapes do not fit.
            DetectorError: If the detector's layers do not fit.
        """
        values = np.asarray(voxels, dtype=np.float64)
        if values.shape != (len(incident), self.n_voxels):
            msg = (
                f"{len(incident)} showers of {self.n_voxels} voxels do not come as {values.shape}."
            )
            raise InputError(msg)
        model = load_detector(detector)
        size = self.group_size(model)
        shower, voxel = np.nonzero(values > 0)
        counts = np.bincount(shower, minlength=len(incident))
        draws = np.concatenate(
            [stream(seed, first + i, "voxels").random((n, 3)) for i, n in enumerate(counts)]
        )
        layer, u, v = self._draw(voxel, draws)
        layer = layer * size + np.floor(draws[:, 2] * size).astype(np.int64)
        direction = incident.direction.astype(np.float64)[shower]
        along, across = (axis[shower] for axis in _axes(incident.direction))
        point = u[:, None] * along + v[:, None] * across
        # Along the axis to where it lies in its layer.
        step = (model.layer_depth_mm[layer] - point[:, 2]) / direction[:, 2]
        point += step[:, None] * direction
        return Showers(
            offsets=np.concatenate([[0], np.cumsum(counts)]),
            x=point[:, 0].astype(np.float32),
            y=point[:, 1].astype(np.float32),
            layer=layer.astype(np.uint8),
            energy=values[shower, voxel].astype(np.float32),
            incident=incident,
            representation="steps",
            detector=detector,
        )

    def _find(self, layer: NDArray[np.uint8], u: FloatArray, v: FloatArray) -> IntArray:
        """Number of the voxel at (u, v), -1 where there is none."""
        r, turn = np.hypot(u, v), (np.arctan2(v, u) + np.pi) / (2 * np.pi)
        found = np.full(len(r), -1, np.int64)
        for bins in set(self.layers):
            here = np.array([one == bins for one in self.layers])[layer]
            ring = np.searchsorted(bins.r_edges_mm, r[here], side="right") - 1
            # -pi and pi are one direction.
            sector = np.floor(turn[here] * bins.n_alpha).astype(np.int64) % bins.n_alpha
            voxel = self.starts[layer[here]] + sector * bins.n_r + ring
            found[here] = np.where((ring >= 0) & (ring < bins.n_r), voxel, -1)
        return found

    def _draw(self, voxel: IntArray, draws: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
        """Layer of each voxel, and a place in it, uniform in its area."""
        layer = np.searchsorted(self.starts, voxel, side="right") - 1
        n_r = np.array([bins.n_r for bins in self.layers])[layer]
        n_alpha = np.array([bins.n_alpha for bins in self.layers])[layer]
        sector, ring = np.divmod(voxel - self.starts[layer], n_r)
        edges = np.concatenate([bins.r_edges_mm for bins in self.layers])
        lengths = [len(bins.r_edges_mm) for bins in self.layers]
        low = (np.cumsum(lengths) - lengths)[layer] + ring
        share = _MARGIN + (1 - 2 * _MARGIN) * draws[:, :2]
        r = np.sqrt(edges[low] ** 2 + share[:, 0] * (edges[low + 1] ** 2 - edges[low] ** 2))
        alpha = 2 * np.pi * (sector + share[:, 1]) / n_alpha - np.pi
        return layer, r * np.cos(alpha), r * np.sin(alpha)


DATASETS: Final = {
    "dataset2": CylinderVoxels.regular(45, n_alpha=16, n_r=9, dr_mm=4.65),
    "dataset3": CylinderVoxels.regular(45, n_alpha=50, n_r=18, dr_mm=2.325),
}
"""The voxels of the CaloChallenge's data sets 2 and 3, by name."""


def _sums(place: IntArray, energy: FloatArray, n: int) -> FloatArray:
    return np.asarray(np.bincount(place, energy, minlength=n), dtype=np.float64)


def _axes(direction: NDArray[np.float32]) -> tuple[FloatArray, FloatArray]:
    """x' and y', turned with the shortest rotation that takes z' to each direction."""
    a, b, c = direction.astype(np.float64).T
    twist = -a * b / (1 + c)
    along = np.column_stack([1 - a * a / (1 + c), twist, -a])
    across = np.column_stack([twist, 1 - b * b / (1 + c), -b])
    return along, across
