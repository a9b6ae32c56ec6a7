"""Points and readout cells of showers, seen from the shower axis."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector
from calozoo_core.errors import InputError
from calozoo_core.frames import axis_offsets, axis_positions, check_layers
from calozoo_core.hits import Hits
from calozoo_core.incident import Incident
from calozoo_core.observables.direction import Residuals, angular_residuals
from calozoo_core.placement import Placement
from calozoo_core.ragged import group
from calozoo_core.representation import grid_offsets
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray, IntArray

__all__ = ["HALF_MIP_MEV", "Deposits", "merged_cells", "placed_cells", "points"]

HALF_MIP_MEV = 0.1
"""Half of what a minimum-ionising particle leaves in ILD's silicon; fainter cells are noise."""

CORE_SHARE = 0.04
"""The hits of highest energy that give the better shower angle (CaloClouds3, section 4.3)."""

FARTHEST_MM = 1e6
"""A deposit a kilometre away is none; a cell's number stays within 64 bits."""


@dataclass(frozen=True, eq=False)
class Deposits:
    """Energy deposits of n showers, points or cells, and what is observed in them.

    A quantity that a shower does not have (the centre of gravity of an empty one) is NaN here;
    whoever histograms it leaves that shower out and counts it.

    Arguments:
        offsets: Where each shower begins, and the end, shape (n + 1,).
        layer: Index of the sensitive layer, shape (N,).
        dx: Position along x' from where the axis crosses the layer, in mm, shape (N,).
        dy: Likewise along y'.
        energy: In MeV, shape (N,).
        incident: The n primaries.
        detector: Whose layers these are.
    """

    offsets: IntArray
    layer: NDArray[np.uint8]
    dx: FloatArray
    dy: FloatArray
    energy: FloatArray
    incident: Incident
    detector: Detector

    def __len__(self) -> int:
        return len(self.incident)

    def sums(self, values: FloatArray) -> FloatArray:
        """Sum of the values of each shower, shape (n,)."""
        return np.bincount(self.owner, values, minlength=len(self)).astype(np.float64)

    @cached_property
    def owner(self) -> IntArray:
        """Row of the shower that each deposit belongs to, shape (N,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    @cached_property
    def radius(self) -> FloatArray:
        """Distance to the axis within the layer, in mm, shape (N,)."""
        return np.sqrt(self.dx**2 + self.dy**2)

    @cached_property
    def distance(self) -> FloatArray:
        """Shortest distance to the axis, at a right angle to it, in mm, shape (N,)."""
        p = self.incident.direction.astype(np.float64)[self.owner]
        along = self.dx * p[:, 0] + self.dy * p[:, 1]
        return np.sqrt(np.maximum(self.dx**2 + self.dy**2 - along**2, 0))

    @cached_property
    def occupancy(self) -> IntArray:
        """Number of deposits of each shower, shape (n,)."""
        return np.diff(self.offsets)

    @cached_property
    def visible_energy(self) -> FloatArray:
        """Sum of the deposits of each shower, in MeV, shape (n,)."""
        return self.sums(self.energy)

    @cached_property
    def response(self) -> FloatArray:
        """Visible over incident energy, in MeV per GeV, shape (n,)."""
        return self.visible_energy / self.incident.energy

    @cached_property
    def centre_x(self) -> FloatArray:
        """Energy-weighted mean of the distances to the axis along x', in mm, shape (n,)."""
        return self._mean(self.dx)

    @cached_property
    def centre_y(self) -> FloatArray:
        """Energy-weighted mean of the distances to the axis along y', in mm, shape (n,)."""
        return self._mean(self.dy)

    @cached_property
    def centre_z(self) -> FloatArray:
        """Energy-weighted mean of layer + 1/2, in layers, shape (n,)."""
        return self._mean(self.layer.astype(np.float64) + 0.5)

    @cached_property
    def residuals_100(self) -> Residuals:
        """Angles between the principal axis of all deposits and the primary, in degrees."""
        return self._residuals(1.0)

    @cached_property
    def residuals_4(self) -> Residuals:
        """Angular residuals of the 4 % of deposits with the highest energy."""
        return self._residuals(CORE_SHARE)

    def _mean(self, values: FloatArray) -> FloatArray:
        total = self.visible_energy
        has_energy = total > 0
        return np.where(
            has_energy, self.sums(self.energy * values) / np.where(has_energy, total, 1), np.nan
        )

    def _residuals(self, share: float) -> Residuals:
        depth = self.detector.layer_depth_mm[self.layer]
        ax, ay = axis_positions(self.incident.direction.astype(np.float64), self.owner, depth)
        position = np.stack([self.dx + ax, self.dy + ay, depth], axis=1)
        return angular_residuals(
            self.offsets, position, self.energy, self.incident.direction, share
        )


def points(showers: Showers, detector: Detector) -> Deposits:
    """The points of showers; those without energy are none.

    Raises:
        DetectorError: If a layer is beyond the detector's last.
        InputError: If an energy or a position is no measurement.
    """
    _check_numbers(showers)
    ax, ay = axis_offsets(showers, detector)
    every = Deposits(
        offsets=showers.offsets,
        layer=showers.layer,
        dx=showers.x - ax,
        dy=showers.y - ay,
        energy=showers.energy.astype(np.float64),
        incident=showers.incident,
        detector=detector,
    )
    return _above(every, 0.0, strictly=True)


def merged_cells(
    showers: Showers,
    detector: Detector,
    *,
    threshold_mev: float = HALF_MIP_MEV,
    seed: int = 0,
    first: int = 0,
) -> Deposits:
    """The cells of a gapless detector, in which the points of each shower are summed.

    Each shower gets a grid of its own, shifted by up to half a cell either way, as one that enters
    anywhere does. Points that are whole cells already (x1) fall onto that grid like any others.

    Arguments:
        showers: n showers of any representation.
        detector: Theirs.
        threshold_mev: Cells with less are left out.
        seed: With the number of a shower it fixes its grid.
        first: Number of the first of the showers in the whole sample.

    Raises:
        DetectorError: If a layer is beyond the detector's last.
        InputError: If an energy or a position is no measurement.
    """
    _check_numbers(showers)
    check_layers(showers.layer, detector)
    owner, pitch = showers.shower_index, detector.cell_mm
    shift = grid_offsets(len(showers), pitch, seed, first)
    ix = np.floor((showers.x - shift[:, 0][owner]) / pitch).astype(np.int64)
    iy = np.floor((showers.y - shift[:, 1][owner]) / pitch).astype(np.int64)
    order, starts = group(owner, showers.layer.astype(np.int64), iy, ix)
    cell = order[starts]
    energy = showers.energy[order].astype(np.float64)
    x = (ix[cell] + 0.5) * pitch + shift[:, 0][owner[cell]]
    y = (iy[cell] + 0.5) * pitch + shift[:, 1][owner[cell]]
    direction = showers.incident.direction.astype(np.float64)
    ax, ay = axis_positions(direction, owner[cell], detector.layer_depth_mm[showers.layer[cell]])
    every = Deposits(
        offsets=np.searchsorted(owner[cell], np.arange(len(showers) + 1)),
        layer=showers.layer[cell],
        dx=x - ax,
        dy=y - ay,
        energy=np.add.reduceat(energy, starts) if len(starts) else energy,
        incident=showers.incident,
        detector=detector,
    )
    return _above(every, threshold_mev)


def placed_cells(
    hits: Hits, incident: Incident, placement: Placement, *, threshold_mev: float = HALF_MIP_MEV
) -> Deposits:
    """Hits in a detector with gaps, brought back into the frames of their showers.

    Arguments:
        hits: Of n showers.
        incident: Their primaries, with the positions where they cross the face.
        placement: What put them there.
        threshold_mev: Hits with less are left out.

    Raises:
        DetectorError: If a layer is beyond the detector's last.
        InputError: If there are not as many primaries, or they do not say where they enter.
    """
    if len(hits) != len(incident):
        msg = f"Hits of {len(hits)} showers do not go with {len(incident)} primaries."
        raise InputError(msg)
    if incident.position is None:
        msg = "Primaries that have hits must say where they cross the face: give their position."
        raise InputError(msg)
    detector = placement.detector
    check_layers(hits.layer, detector)
    owner = np.repeat(np.arange(len(hits)), np.diff(hits.offsets))
    there = np.stack([hits.x, hits.y, hits.z], axis=1).astype(np.float64)
    local = placement.to_local(there, incident.position[owner])
    direction = incident.direction.astype(np.float64)
    ax, ay = axis_positions(direction, owner, detector.layer_depth_mm[hits.layer])
    every = Deposits(
        offsets=hits.offsets,
        layer=hits.layer,
        dx=local[:, 0] - ax,
        dy=local[:, 1] - ay,
        energy=hits.energy.astype(np.float64),
        incident=incident,
        detector=detector,
    )
    return _above(every, threshold_mev)


def _check_numbers(showers: Showers) -> None:
    bad = showers.energy[~((showers.energy >= 0) & (showers.energy < np.inf))]
    if len(bad):
        msg = f"A deposit of {bad[0]:g} MeV is no measurement; make these showers again."
        raise InputError(msg)
    for values in (showers.x, showers.y):
        far = values[~(np.abs(values) < FARTHEST_MM)]
        if len(far):
            msg = f"A deposit lies at {far[0]:g} mm, in no calorimeter; make these showers again."
            raise InputError(msg)


def _above(deposits: Deposits, threshold: float, *, strictly: bool = False) -> Deposits:
    kept = deposits.energy > threshold if strictly else deposits.energy >= threshold
    if kept.all():
        return deposits
    before = np.concatenate([[0], np.cumsum(kept)])
    return Deposits(
        offsets=before[deposits.offsets],
        layer=deposits.layer[kept],
        dx=deposits.dx[kept],
        dy=deposits.dy[kept],
        energy=deposits.energy[kept],
        incident=deposits.incident,
        detector=deposits.detector,
    )
