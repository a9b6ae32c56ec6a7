"""Template that divides the energy of a ring into points, and sampling from it.

For every ring of every layer it tabulates, at some energies of the ring, the number of points and
some of the points themselves: distance to the axis and share of the energy. A slanted shower
crosses a layer on an area larger by 1 / p_z, so energy and number of points enter times p_z.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calozoo_caloinn.config import CodecConfig, RingsConfig
from calozoo_core.frames import perpendicular_to_local
from calozoo_core.typing import AnyFloatArray, Float32Array, IntArray
from calozoo_core.weights.layout import Layout, TensorLayout, zeros

__all__ = [
    "DEVIATES",
    "TREND_BOUNDS",
    "PointSampler",
    "ShowerPoints",
    "Template",
    "count_at",
    "trend_features",
]

DEVIATES = np.arange(-2.5, 2.6, 0.5)
"""Quantiles of the number of points, as those of a standard normal number."""

TREND_BOUNDS = (0.5, 2.0)
"""Bounds of the factor of the trend, also for primaries unlike those of the fit."""

MOST_POINTS = 5000
"""Largest number of points of one ring of one layer; Geant4 has some 200."""

SMEAR = np.float32(0.06)
"""Twice the largest shift of a point along its distance to the axis, relative to that distance."""

LEAST_SHARE = 0.3
"""Least part of its energy that a point keeps; otherwise all points are scaled alike."""

TURN = np.float32(2 * np.pi)


class Template(NamedTuple):
    """Tables of the template. A cell is a ring of a layer, a level an energy of it.

    Arguments:
        knots: ln of the energy (times p_z, MeV) of the lowest level of a cell, and levels per
            unit of it, shape (cells, 2).
        counts: ln of the number of points (times p_z) at each level and quantile, shape
            (cells, levels, 11).
        members: Distance to the axis in mm, and energy in MeV, of points of each level, shape
            (cells, levels, members, 2).
        trend: Correction of the number of points of a cell by the primary: factors on 1, ln E,
            (ln E)^2 and p_z, shape (cells, 4).
        shape: Shape of each cell: widths along x' and along y' relative to a round one, and lean
            of the density of its energy towards y' and, per unit of sin(theta), towards the
            slant; shape (cells, 4). A lean D makes the density 1 + D cos(angle between).
        shared: Part of the variance of the number of points that a whole shower shares, shape (1,).
        threshold: Energy below which a cell is empty, in MeV, shape (cells,).
        calibration: Factor on the energy of each cell, shape (cells,).
    """

    knots: Float32Array
    counts: Float32Array
    members: Float32Array
    trend: Float32Array
    shape: Float32Array
    shared: Float32Array
    threshold: Float32Array
    calibration: Float32Array

    @classmethod
    def layout(cls, codec: CodecConfig, rings: RingsConfig) -> Layout:
        """Layout of the tables of a configuration."""
        cells = codec.layers * rings.number
        return {
            "knots": TensorLayout.table(cells, 2),
            "counts": TensorLayout.table(cells, rings.levels, len(DEVIATES)),
            "members": TensorLayout.table(cells, rings.levels, rings.members, 2),
            "trend": TensorLayout.table(cells, 4),
            "shape": TensorLayout.table(cells, 4),
            "shared": TensorLayout.table(1),
            "threshold": TensorLayout.table(cells),
            "calibration": TensorLayout.table(cells),
        }

    @classmethod
    def zeros(cls, codec: CodecConfig, rings: RingsConfig) -> Template:
        """Empty tables of a configuration."""
        return cls(**zeros(cls.layout(codec, rings)))


class ShowerPoints(NamedTuple):
    """Points of one shower, sorted by layer.

    Arguments:
        x: x' in the local frame, in mm, shape (N,).
        y: y' in the local frame, in mm, shape (N,).
        layer: Layer index, shape (N,).
        energy: Deposited energy, in MeV, shape (N,).
    """

    x: Float32Array
    y: Float32Array
    layer: NDArray[np.uint8]
    energy: Float32Array


class PointSampler:
    """Sampler of points from the energies of rings.

    Arguments:
        template: Fitted template.
        depth_mm: Depth of each layer, shape (layers,).
    """

    def __init__(self, template: Template, depth_mm: NDArray[np.float64]) -> None:
        self._knots, self._counts = template.knots, template.counts
        cells, self._levels, self._members, _ = template.members.shape
        # A point's two numbers side by side, so that one look fetches both.
        self._pairs = np.ascontiguousarray(template.members).view(np.complex64).ravel()
        rings = cells // len(depth_mm)
        self._trend = np.ascontiguousarray(template.trend.T)
        self._cells = np.arange(cells)
        self._layer = (self._cells // rings).astype(np.uint8)
        self._depth = depth_mm.astype(np.float32)[self._layer]
        self._wide_x, self._wide_y, self._lean, self._tilt = np.ascontiguousarray(template.shape.T)
        self._shared = float(template.shared[0])

    def counts(
        self,
        energies: Float32Array,
        energy_gev: Float32Array,
        direction: Float32Array,
        deviates: Float32Array,
        coin: Float32Array,
    ) -> tuple[IntArray, IntArray]:
        """Number of points of every ring of some showers, and the level they are drawn from.

        Arguments:
            energies: Energies of the rings, in MeV, shape (n, cells).
            energy_gev: Incident energies, shape (n,).
            direction: Directions of the primaries, shape (n, 3).
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
        counts: IntArray,
        level: IntArray,
        random: np.random.Generator,
    ) -> ShowerPoints:
        """Points of one shower.

        Arguments:
            energies: Energies of the rings, in MeV, shape (cells,).
            direction: Direction of the primary, shape (3,).
            counts: Number of points of each ring, shape (cells,).
            level: Level they are drawn from, shape (cells,).
            random: Random stream of this shower.
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
        sampled = self._pairs.take(np.repeat(start.astype(np.int32), number) + member, mode="clip")
        energy = _scale_to_rings(np.ascontiguousarray(sampled.imag), energies[filled], number)
        spare = (at - member).astype(np.float32)
        radius = sampled.real * (1 + SMEAR * (spare - np.float32(0.5)))
        angle = uniform[1] * TURN
        cos, sin = np.cos(angle), np.sin(angle)
        lean_x = self._tilt[filled] * direction[0]
        lean_y = self._tilt[filled] * direction[1] + self._lean[filled]
        # To the other side of the axis where the density is lower than here.
        lean = np.repeat(lean_x, number) * cos + np.repeat(lean_y, number) * sin
        radius = np.where(2 * uniform[2] < 1 + lean, radius, -radius)
        across_x = radius * cos * np.repeat(self._wide_x[filled], number)
        across_y = radius * sin * np.repeat(self._wide_y[filled], number)
        ((xx, xy), (_, yy)) = perpendicular_to_local(direction[None])[0].astype(np.float32)
        slope_x, slope_y = direction[0] / direction[2], direction[1] / direction[2]
        depth = np.repeat(self._depth[filled], number)
        return ShowerPoints(
            across_x * xx + across_y * xy + depth * slope_x,
            across_x * xy + across_y * yy + depth * slope_y,
            np.repeat(self._layer[filled], number),
            energy,
        )


def count_at(
    tables: Float32Array,
    level: AnyFloatArray,
    deviate: AnyFloatArray,
    cell: IntArray,
) -> AnyFloatArray:
    """Logarithm of the number of points (times p_z), interpolated in the table of counts.

    Arguments:
        tables: Table of counts, shape (cells, levels, 11).
        level: Position between the levels, any shape.
        deviate: Standard normal numbers, same shape.
        cell: Index of the cell, of a shape that broadcasts with it.
    """
    low = np.clip(level.astype(np.int64), 0, tables.shape[1] - 2)
    # Beyond the last level the last slope goes on for a while.
    part = np.clip(level - low, -1, 2)
    at = np.clip((deviate - DEVIATES[0]) * 2, 0, len(DEVIATES) - 1.001)
    left = at.astype(np.int64)
    share = at - left
    lower = tables[cell, low, left] * (1 - share) + tables[cell, low, left + 1] * share
    upper = tables[cell, low + 1, left] * (1 - share) + tables[cell, low + 1, left + 1] * share
    result: AnyFloatArray = lower + part * (upper - lower)
    return result


def trend_features(energy_gev: Float32Array, direction: Float32Array) -> Float32Array:
    """Features of a primary that correct the number of points of its rings, shape (n, 4)."""
    log_energy = np.log(energy_gev)
    columns = [np.ones_like(log_energy), log_energy, log_energy**2, direction[:, 2]]
    return np.column_stack(columns).astype(np.float32)


def _scale_to_rings(sampled: Float32Array, wanted: Float32Array, number: IntArray) -> Float32Array:
    """Energies of points that add up to those of their rings.

    What is too much or too little falls to each point as the square of its energy, so that the many
    minimum-ionising ones stay as they are; where that would take most of a point, all are scaled.

    Arguments:
        sampled: Energies from the template, rising within each ring, shape (N,).
        wanted: Energies of the rings, shape (m,).
        number: Number of points of each ring, none empty, shape (m,).
    """
    ends = np.cumsum(number)
    sums = np.add.reduceat(sampled, ends - number)
    slope = (wanted - sums) / np.add.reduceat(sampled * sampled, ends - number)
    too_steep = slope * sampled[ends - 1] < LEAST_SHARE - 1
    slope[too_steep] = 0
    even: Float32Array = np.where(too_steep, wanted / sums, np.float32(1))
    scaled: Float32Array = sampled * (np.repeat(even, number) + sampled * np.repeat(slope, number))
    return scaled
