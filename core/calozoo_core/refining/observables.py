"""The quantities of a shower whose tails are looked after."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector
from calozoo_core.incident import Incident
from calozoo_core.refining.clouds import Cloud
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray

__all__ = ["OBSERVABLES", "Sample", "TailObservable", "observed", "sampled"]

START: Final = 0.05
"""A shower has begun where this part of its energy has been deposited."""

LATE_LAYERS: Final = 5
HALF_CORE_CELLS: Final = 4
"""The brightest cell is looked for this many cells either way of the axis."""

TINY: Final = 1e-6


@dataclass(frozen=True)
class TailObservable:
    """One quantity of a shower.

    Arguments:
        name: What it is called.
        label: The axis, with its unit.
        is_log: Whether its logarithm is taken.
        has_lower_tail: Whether small values are a tail too, or just the absence of it.
    """

    name: str
    label: str
    is_log: bool = True
    has_lower_tail: bool = True


OBSERVABLES: Final = (
    TailObservable("brightest_cell", "energy of the brightest cell [MeV]"),
    TailObservable("response", "visible / incident energy [MeV/GeV]"),
    TailObservable("depth", "centre of gravity [layers]", is_log=False),
    TailObservable("start", "depth of the first 5 % of the energy [layers]", is_log=False),
    TailObservable("width", "energy-weighted r.m.s. distance to the axis [mm]"),
    TailObservable("points", "points / incident energy [1/GeV]"),
    TailObservable("late", "share of the energy in the last five layers", has_lower_tail=False),
    TailObservable("densest_layer", "energy of the densest layer / incident energy [MeV/GeV]"),
)


def observed(cloud: Cloud) -> FloatArray:
    """The tail observables of showers, shape (n, n_observables); logarithms where they say so.

    A cell is one of the readout's size in a grid about the axis. Quantities that an empty shower
    does not have are 0, or the logarithm of something tiny.

    Arguments:
        cloud: n showers.
    """
    layers = cloud.layer_energy
    total = layers.sum(axis=1)
    per_total = layers / np.maximum(total, TINY)[:, None]
    energy = cloud.incident.energy.astype(np.float64)
    middles = np.arange(layers.shape[1]) + 0.5
    spread = cloud.sums(cloud.energy * cloud.square_distance) / np.maximum(total, TINY)
    columns = (
        _brightest(cloud),
        total / energy,
        per_total @ middles,
        _reached(per_total, START),
        np.sqrt(spread),
        np.diff(cloud.offsets) / energy,
        per_total[:, -LATE_LAYERS:].sum(axis=1) + 1e-3,  # many have none: a soft edge
        layers.max(axis=1) / energy,
    )
    return np.column_stack(
        [
            np.log(np.maximum(column, TINY)) if observable.is_log else column
            for column, observable in zip(columns, OBSERVABLES, strict=True)
        ]
    )


@dataclass(frozen=True, eq=False)
class Sample:
    """What is kept of showers: their tail observables and their primaries.

    Arguments:
        values: Shape (n, n_observables), as `observed` gives them.
        incident: The n primaries.
    """

    values: FloatArray
    incident: Incident

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: NDArray[np.intp]) -> Sample:
        return Sample(self.values[rows], self.incident[rows])

    @classmethod
    def concatenate(cls, parts: list[Sample]) -> Sample:
        """One out of several."""
        values = np.concatenate([part.values for part in parts])
        return cls(values, Incident.concatenate([part.incident for part in parts]))


def sampled(batches: Iterable[Showers], detector: Detector) -> Sample:
    """The tail observables of showers that come in batches.

    Raises:
        DetectorError: If a layer is beyond the detector's last.
    """
    return Sample.concatenate(
        [Sample(observed(Cloud.of(showers, detector)), showers.incident) for showers in batches]
    )


def _reached(per_total: FloatArray, share: float) -> FloatArray:
    """Depth in layers by which a shower has left this share of its energy, shape (n,)."""
    n, n_layers = per_total.shape
    summed = np.cumsum(per_total, axis=1)
    layer = np.minimum((summed < share).sum(axis=1), n_layers - 1)
    rows = np.arange(n)
    inside = np.maximum(per_total[rows, layer], TINY)
    before = summed[rows, layer] - per_total[rows, layer]
    reached: FloatArray = layer + np.clip((share - before) / inside, 0, 1)
    return reached


def _brightest(cloud: Cloud) -> FloatArray:
    """Energy of the brightest cell near the axis, in MeV, shape (n,)."""
    side = 2 * HALF_CORE_CELLS + 1
    per_cell = np.float32(1 / cloud.detector.cell_mm)
    reach = np.float32((HALF_CORE_CELLS + 0.49) * cloud.detector.cell_mm)
    near = np.flatnonzero((np.abs(cloud.dx) < reach) & (np.abs(cloud.dy) < reach))
    middle = np.int32(HALF_CORE_CELLS)
    ix = np.rint(cloud.dx[near] * per_cell).astype(np.int32) + middle
    iy = np.rint(cloud.dy[near] * per_cell).astype(np.int32) + middle
    cell = (cloud.row[near] * np.int32(side) + iy) * np.int32(side) + ix
    n_cells = cloud.detector.n_layers * side**2
    cells = np.bincount(cell, cloud.energy[near], minlength=len(cloud) * n_cells)
    brightest: FloatArray = cells.reshape(len(cloud), n_cells).max(axis=1)
    return brightest
