"""Tail observables: eight quantities of a shower, and how far out in their tails a shower lies.

They are calculated in single precision from points relative to the shower axis, since training and
tail correction need them for every shower at little cost. An `AxisPoints` batch holds the points,
a `TailSample` the observables, and a `TailScore` compares a sample with reference showers of about
the same energy and angle.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector
from calozoo_core.frames import axis_slopes, check_layers
from calozoo_core.incident import Incident
from calozoo_core.showers import Showers
from calozoo_core.typing import Float32Array, FloatArray, IntArray

__all__ = [
    "POINT_COLUMNS",
    "TAIL_OBSERVABLES",
    "TINY",
    "AxisPoints",
    "IncidentBins",
    "TailObservable",
    "TailSample",
    "TailScore",
]

POINT_COLUMNS: Final = ("layer", "dx", "dy", "square_distance", "energy")
"""Attributes of `AxisPoints` with one entry a point."""

START: Final = 0.05
"""A shower starts where this part of its energy has been deposited."""

LATE_LAYERS: Final = 5
HALF_CORE_CELLS: Final = 4
"""The brightest cell is searched this many cells to either side of the axis."""

TINY: Final = 1e-6
"""Smallest value of which a logarithm is taken."""


@dataclass(frozen=True, eq=False)
class AxisPoints:
    """Points of n showers in single precision, relative to where the axis crosses their layer.

    Arguments:
        offsets: Index of the first point of each shower, and the number of points, shape (n + 1,).
        layer: Layer index, shape (N,).
        dx: Distance from the axis along x', in mm, shape (N,).
        dy: Distance from the axis along y', in mm, shape (N,).
        square_distance: Square of the shortest distance to the axis, in mm^2, shape (N,).
        energy: Deposited energy, in MeV, shape (N,).
        incident: The n primaries.
        detector: Detector of the layers.
    """

    offsets: IntArray
    layer: NDArray[np.uint8]
    dx: Float32Array
    dy: Float32Array
    square_distance: Float32Array
    energy: Float32Array
    incident: Incident
    detector: Detector

    @classmethod
    def from_showers(cls, showers: Showers, detector: Detector) -> AxisPoints:
        """Points of showers in the local frame.

        Raises:
            DetectorError: If a layer is beyond the detector's last.
        """
        check_layers(showers.layer, detector)
        n_points = showers.n_points
        along_x, along_y = _axis_crossings(showers.incident, detector, n_points, showers.layer)
        dx, dy = showers.x - along_x, showers.y - along_y
        across = showers.incident.direction[:, :2].T
        along = dx * np.repeat(across[0], n_points) + dy * np.repeat(across[1], n_points)
        distance = np.maximum(dx**2 + dy**2 - along**2, 0)
        points = (showers.layer, dx, dy, distance, showers.energy)
        return cls(showers.offsets, *points, showers.incident, detector)

    @classmethod
    def concatenate(cls, batches: Sequence[AxisPoints]) -> AxisPoints:
        """Points of several batches in the same detector."""
        counts = np.concatenate([np.diff(batch.offsets) for batch in batches])
        columns = {
            name: np.concatenate([getattr(batch, name) for batch in batches])
            for name in POINT_COLUMNS
        }
        incident = Incident.concatenate([batch.incident for batch in batches])
        offsets = np.concatenate([[0], np.cumsum(counts)])
        return cls(offsets, **columns, incident=incident, detector=batches[0].detector)

    def __len__(self) -> int:
        return len(self.incident)

    def __getitem__(self, rows: IntArray) -> AxisPoints:
        """Points of some of the showers, in the order of `rows`, which may repeat."""
        counts = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        points = np.repeat(self.offsets[rows] - offsets[:-1], counts) + np.arange(offsets[-1])
        columns = {name: getattr(self, name)[points] for name in POINT_COLUMNS}
        return AxisPoints(offsets, **columns, incident=self.incident[rows], detector=self.detector)

    @cached_property
    def shower_layer(self) -> NDArray[np.int32]:
        """Index of each point's layer among all layers of all showers, shape (N,)."""
        first = np.arange(len(self), dtype=np.int32) * np.int32(self.detector.n_layers)
        return np.repeat(first, np.diff(self.offsets)) + self.layer.astype(np.int32)

    @cached_property
    def layer_energy(self) -> FloatArray:
        """Energy in each layer, in MeV, shape (n, n_layers)."""
        n, n_layers = len(self), self.detector.n_layers
        sums = np.bincount(self.shower_layer, self.energy, minlength=n * n_layers)
        return sums.astype(np.float64).reshape(n, n_layers)

    def sums(self, values: Float32Array) -> FloatArray:
        """Sum over the points of each shower of values of shape (N,), shape (n,)."""
        # A shower without points has no row to sum from; the value behind the last stands in.
        starts = np.append(values, np.float32(0))
        found = np.add.reduceat(starts, self.offsets[:-1], dtype=np.float64)
        return np.where(np.diff(self.offsets) > 0, found, 0.0)

    def to_showers(self, representation: str) -> Showers:
        """Showers in the local frame with these points."""
        n_points = np.diff(self.offsets)
        along_x, along_y = _axis_crossings(self.incident, self.detector, n_points, self.layer)
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


@dataclass(frozen=True)
class TailObservable:
    """One quantity of a shower whose tails are measured.

    Arguments:
        name: Short name.
        label: Axis label, with the unit.
        is_log: The logarithm of the quantity is used.
        has_lower_tail: Small values are a tail as well, not only the absence of one.
    """

    name: str
    label: str
    is_log: bool = True
    has_lower_tail: bool = True


TAIL_OBSERVABLES: Final = (
    TailObservable("brightest_cell", "energy of the brightest cell [MeV]"),
    TailObservable("response", "visible / incident energy [MeV/GeV]"),
    TailObservable("depth", "centre of gravity [layers]", is_log=False),
    TailObservable("start", "depth of the first 5 % of the energy [layers]", is_log=False),
    TailObservable("width", "energy-weighted r.m.s. distance to the axis [mm]"),
    TailObservable("points", "points / incident energy [1/GeV]"),
    TailObservable("late", "share of the energy in the last five layers", has_lower_tail=False),
    TailObservable("densest_layer", "energy of the densest layer / incident energy [MeV/GeV]"),
)


@dataclass(frozen=True, eq=False)
class TailSample:
    """Tail observables and primaries of n showers.

    Arguments:
        values: In the order of `TAIL_OBSERVABLES`, as logarithms where an observable says so,
            shape (n, n_observables).
        incident: The n primaries.
    """

    values: FloatArray
    incident: Incident

    @classmethod
    def from_points(cls, points: AxisPoints) -> TailSample:
        """Tail observables of showers.

        A cell is one of the readout's size in a grid about the axis. Quantities that an empty
        shower does not have are 0, or the logarithm of something tiny.
        """
        layers = points.layer_energy
        total = layers.sum(axis=1)
        per_total = layers / np.maximum(total, TINY)[:, None]
        energy = points.incident.energy.astype(np.float64)
        middles = np.arange(layers.shape[1]) + 0.5
        spread = points.sums(points.energy * points.square_distance) / np.maximum(total, TINY)
        columns = (
            _brightest_cell_energy(points),
            total / energy,
            per_total @ middles,
            _depth_of_share(per_total, START),
            np.sqrt(spread),
            np.diff(points.offsets) / energy,
            per_total[:, -LATE_LAYERS:].sum(axis=1) + 1e-3,  # many have none: a soft edge
            layers.max(axis=1) / energy,
        )
        values = np.column_stack(
            [
                np.log(np.maximum(column, TINY)) if observable.is_log else column
                for column, observable in zip(columns, TAIL_OBSERVABLES, strict=True)
            ]
        )
        return cls(values, points.incident)

    @classmethod
    def from_showers(cls, batches: Iterable[Showers], detector: Detector) -> TailSample:
        """Tail observables of showers that come in batches.

        Raises:
            DetectorError: If a layer is beyond the detector's last.
        """
        return cls.concatenate(
            [cls.from_points(AxisPoints.from_showers(showers, detector)) for showers in batches]
        )

    @classmethod
    def concatenate(cls, parts: Sequence[TailSample]) -> TailSample:
        """Sample of all showers of several samples."""
        values = np.concatenate([part.values for part in parts])
        return cls(values, Incident.concatenate([part.incident for part in parts]))

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: IntArray) -> TailSample:
        return TailSample(self.values[rows], self.incident[rows])


@dataclass(frozen=True, eq=False)
class IncidentBins:
    """Bins of the primaries in energy, and in angle within each energy bin, equally populated.

    A tail is defined within one bin: a shower at 60 degrees that is short is not in the tail of
    showers at 60 degrees.

    Arguments:
        energy_gev: Inner edges of the energy bins, shape (n_energies - 1,).
        cosine: Inner edges in cos(theta) for each energy bin, shape (n_energies, n_angles - 1).
    """

    energy_gev: FloatArray
    cosine: FloatArray

    @classmethod
    def with_population(cls, incident: Incident, showers_per_bin: int) -> IncidentBins:
        """As many bins as hold this many showers each; at most four by three.

        Example:
            >>> incident = Incident(np.linspace(1, 100, 4000), (0, 0, 1))
            >>> bins = IncidentBins.with_population(incident, showers_per_bin=1000)
            >>> bins.n, np.bincount(bins.index(incident)).tolist()
            (4, [1000, 1000, 1000, 1000])
        """
        n = max(len(incident) // showers_per_bin, 1)
        cosine = incident.direction[:, 2].astype(np.float64)
        n_angles = min(3, int(np.sqrt(n))) if np.ptp(cosine) > 1e-3 else 1
        n_energies = min(4, n // n_angles)
        energy = incident.energy.astype(np.float64)
        if np.ptp(energy) < 1e-6 * energy.max():
            n_energies = 1
        edges = np.quantile(energy, np.arange(1, n_energies) / n_energies)
        energy_bin = np.searchsorted(edges, energy)
        quantiles = np.arange(1, n_angles) / n_angles
        rows = [np.quantile(cosine[energy_bin == k], quantiles) for k in range(n_energies)]
        return cls(edges, np.array(rows).reshape(n_energies, n_angles - 1))

    @property
    def n(self) -> int:
        """Number of bins."""
        return len(self.cosine) * (int(self.cosine.shape[1]) + 1)

    def index(self, incident: Incident) -> IntArray:
        """Bin number of each primary, shape (n,)."""
        energy = np.searchsorted(self.energy_gev, incident.energy.astype(np.float64))
        cosine = incident.direction[:, 2].astype(np.float64)
        angle = (cosine[:, None] > self.cosine[energy]).sum(axis=1)
        index: IntArray = energy * (self.cosine.shape[1] + 1) + angle
        return index


class TailScore:
    """Rank of a shower's most extreme observable among reference showers.

    The score is the largest absolute rank of all observables, from 0 (every one of them is the
    median) to 1 (one is beyond all of the reference), among reference showers of about the same
    energy and angle.

    Arguments:
        reference: Reference showers, as of Geant4.
        showers_per_bin: Smallest number of reference showers in a bin of energy and angle.

    Example:
        >>> values = np.column_stack([np.arange(9.0)] * 8)
        >>> reference = TailSample(values, Incident(np.full(9, 50.0), (0, 0, 1)))
        >>> TailScore(reference)(reference).round(2).tolist()
        [0.8, 0.6, 0.4, 0.2, 0.0, 0.2, 0.4, 0.6, 0.8]
    """

    def __init__(self, reference: TailSample, showers_per_bin: int = 1000) -> None:
        self.bins = IncidentBins.with_population(reference.incident, showers_per_bin)
        index = self.bins.index(reference.incident)
        self._sorted = [np.sort(reference.values[index == k], axis=0) for k in range(self.bins.n)]

    def ranks(self, sample: TailSample) -> FloatArray:
        """Rank of each observable, from -1 (lowest) to 1 (highest), shape (n, n_observables).

        Equal values share their mean rank.
        """
        found = np.zeros(sample.values.shape)
        index = self.bins.index(sample.incident)
        for k, reference in enumerate(self._sorted):
            rows = index == k
            for j, column in enumerate(reference.T):
                below, upto = (
                    np.searchsorted(column, sample.values[rows, j], side=side)
                    for side in ("left", "right")
                )
                # Of n reference values the i-th stands at i / (n + 1); a new one between them.
                found[rows, j] = (below + upto + 1) / (len(column) + 1) - 1
        return np.clip(found, -1, 1)

    def __call__(self, sample: TailSample) -> FloatArray:
        """Score of each shower, shape (n,)."""
        score: FloatArray = np.abs(self.ranks(sample)).max(axis=1)
        return score


def _axis_crossings(
    incident: Incident,
    detector: Detector,
    n_points: IntArray,
    layer: NDArray[np.uint8],
) -> tuple[Float32Array, Float32Array]:
    """Position along x' and y' where the axis crosses each point's layer, in mm, shapes (N,)."""
    depth = detector.layer_depth_mm.astype(np.float32)[layer]
    slope_x, slope_y = axis_slopes(incident.direction.astype(np.float64)).astype(np.float32).T
    return depth * np.repeat(slope_x, n_points), depth * np.repeat(slope_y, n_points)


def _depth_of_share(per_total: FloatArray, share: float) -> FloatArray:
    """Depth in layers by which a shower has deposited this share of its energy, shape (n,)."""
    n, n_layers = per_total.shape
    summed = np.cumsum(per_total, axis=1)
    layer = np.minimum((summed < share).sum(axis=1), n_layers - 1)
    rows = np.arange(n)
    inside = np.maximum(per_total[rows, layer], TINY)
    before = summed[rows, layer] - per_total[rows, layer]
    depth: FloatArray = layer + np.clip((share - before) / inside, 0, 1)
    return depth


def _brightest_cell_energy(points: AxisPoints) -> FloatArray:
    """Energy of the brightest cell near the axis, in MeV, shape (n,)."""
    side = 2 * HALF_CORE_CELLS + 1
    per_cell = np.float32(1 / points.detector.cell_mm)
    reach = np.float32((HALF_CORE_CELLS + 0.49) * points.detector.cell_mm)
    near = np.flatnonzero((np.abs(points.dx) < reach) & (np.abs(points.dy) < reach))
    middle = np.int32(HALF_CORE_CELLS)
    ix = np.rint(points.dx[near] * per_cell).astype(np.int32) + middle
    iy = np.rint(points.dy[near] * per_cell).astype(np.int32) + middle
    cell = (points.shower_layer[near] * np.int32(side) + iy) * np.int32(side) + ix
    n_cells = points.detector.n_layers * side**2
    cells = np.bincount(cell, points.energy[near], minlength=len(points) * n_cells)
    brightest: FloatArray = cells.reshape(len(points), n_cells).max(axis=1)
    return brightest
