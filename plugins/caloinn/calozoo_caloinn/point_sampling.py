"""From ring energies to points, shower by shower, all points of a shower at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calozoo_caloinn.rings import stretch
from calozoo_caloinn.template import TREND_BOUNDS, Template, count_at, trend_features
from calozoo_core.typing import Float32Array

__all__ = ["Placer", "Points"]

MOST_POINTS = 5000
"""Of one ring of one layer; Geant4 has some 200."""

SMEAR = np.float32(0.06)
"""A point is moved outwards or inwards by up to half this part of its distance to the axis."""

LEAST_SHARE = 0.3
"""A point keeps at least this part of the energy it was drawn with, or all points are scaled."""

TURN = np.float32(2 * np.pi)


class Points(NamedTuple):
    """The points of one shower, sorted by layer.

    Arguments:
        x: In mm, shape (N,), local frame.
        y: The same, the other way.
        layer: Shape (N,).
        energy: In MeV, shape (N,).
    """

    x: Float32Array
    y: Float32Array
    layer: NDArray[np.uint8]
    energy: Float32Array


class Placer:
    """Puts ring energies on points.

    Arguments:
        template: How.
        depth_mm: Depth of each layer, shape (layers,).
    """

    def __init__(self, template: Template, depth_mm: NDArray[np.float64]) -> None:
        tables = {name: table.numpy() for name, table in template.tensors().items()}
        self._knots, self._counts = tables["knots"], tables["counts"]
        cells, self._levels, self._members, _ = tables["members"].shape
        # A point's two numbers side by side, so that one look fetches both.
        self._bank = np.ascontiguousarray(tables["members"]).view(np.complex64).ravel()
        rings = cells // len(depth_mm)
        self._trend = np.ascontiguousarray(tables["trend"].T)
        self._cells = np.arange(cells)
        self._layer = (self._cells // rings).astype(np.uint8)
        self._depth = depth_mm.astype(np.float32)[self._layer]
        self._wide_x, self._wide_y, self._lean, self._tilt = np.ascontiguousarray(tables["shape"].T)
        self._shared = float(tables["shared"][0])

    def counts(
        self,
        energies: Float32Array,
        energy_gev: Float32Array,
        direction: Float32Array,
        deviates: Float32Array,
        coin: Float32Array,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """How many points every ring of some showers gets, and the level they are drawn from.

        Arguments:
            energies: Of the rings, in MeV, shape (n, cells).
            energy_gev: Incident energies, shape (n,).
            direction: Of the primaries, shape (n, 3).
            deviates: Standard normal, shape (n, cells + 1), the last for the whole shower.
            coin: Uniform, shape (n, cells), chooses between two levels.
        """
        p_z = direction[:, 2:]
        # An empty ring is looked up at any energy, and gets no points in the end.
        log_energy = np.log(np.maximum(energies, np.float32(1e-6)) * p_z)
        level = (log_energy - self._knots[:, 0]) * self._knots[:, 1]
        own = np.float32((1 - self._shared) ** 0.5) * deviates[:, :-1]
        deviate = own + np.float32(self._shared**0.5) * deviates[:, -1:]
        number = np.exp(count_at(self._counts, level, deviate, self._cells)) / p_z
        trend = trend_features(energy_gev, direction) @ self._trend
        number *= np.clip(trend, *TREND_BOUNDS)
        counts = np.clip(number, 1, MOST_POINTS).astype(np.int64)
        counts[energies <= 0] = 0
        near = np.clip((level + coin).astype(np.int64), 0, self._levels - 1)
        return counts, near

    def points(
        self,
        energies: Float32Array,
        direction: Float32Array,
        counts: NDArray[np.int64],
        level: NDArray[np.int64],
        random: np.random.Generator,
    ) -> Points:
        """The points of one shower.

        Arguments:
            energies: Of the rings, in MeV, shape (cells,).
            direction: Of the primary, shape (3,).
            counts: Points of each ring, shape (cells,).
            level: What they are drawn from, shape (cells,).
            random: Of this shower.
        """
        filled = np.flatnonzero(counts)
        number = counts[filled]
        total = int(number.sum())
        uniform = random.random((3, total), np.float32)
        # Each point from its own stretch of the members, which are sorted by energy: of points
        # drawn without regard to each other a bright one would be scaled down too often.
        ends = np.cumsum(number)
        nth = np.arange(total) - np.repeat(ends - number, number)
        part = np.repeat(self._members / number, number).astype(np.float32)
        at = (nth + uniform[0]) * part
        member = at.astype(np.int32)
        start = (filled * self._levels + level[filled]) * self._members
        drawn = self._bank.take(np.repeat(start.astype(np.int32), number) + member, mode="clip")
        energy = _scaled(np.ascontiguousarray(drawn.imag), energies[filled], number)
        spare = (at - member).astype(np.float32)
        radius = drawn.real * (1 + SMEAR * (spare - np.float32(0.5)))
        angle = uniform[1] * TURN
        cos, sin = np.cos(angle), np.sin(angle)
        lean_x = self._tilt[filled] * direction[0]
        lean_y = self._tilt[filled] * direction[1] + self._lean[filled]
        # To the other side of the axis where the density is lower than here.
        lean = np.repeat(lean_x, number) * cos + np.repeat(lean_y, number) * sin
        radius = np.where(2 * uniform[2] < 1 + lean, radius, -radius)
        across_x = radius * cos * np.repeat(self._wide_x[filled], number)
        across_y = radius * sin * np.repeat(self._wide_y[filled], number)
        ((xx, xy), (_, yy)) = stretch(direction[None])[0]
        slope_x, slope_y = direction[0] / direction[2], direction[1] / direction[2]
        depth = np.repeat(self._depth[filled], number)
        return Points(
            across_x * xx + across_y * xy + depth * slope_x,
            across_x * xy + across_y * yy + depth * slope_y,
            np.repeat(self._layer[filled], number),
            energy,
        )


def _scaled(drawn: Float32Array, wanted: Float32Array, number: NDArray[np.int64]) -> Float32Array:
    """Energies of points that add up to those of their rings.

    What is too much or too little falls to each point as the square of its energy, so that the many
    minimum-ionising ones stay as they are; where that would take most of a point, all are scaled.

    Arguments:
        drawn: Energies from the template, rising within each ring, shape (N,).
        wanted: Of the rings, shape (m,).
        number: Points of each ring, none empty, shape (m,).
    """
    ends = np.cumsum(number)
    sums = np.add.reduceat(drawn, ends - number)
    slope = (wanted - sums) / np.add.reduceat(drawn * drawn, ends - number)
    too_steep = slope * drawn[ends - 1] < LEAST_SHARE - 1
    slope[too_steep] = 0
    even: Float32Array = np.where(too_steep, wanted / sums, np.float32(1))
    scaled: Float32Array = drawn * (np.repeat(even, number) + drawn * np.repeat(slope, number))
    return scaled
