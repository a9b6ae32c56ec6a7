"""Fit of the template on Geant4 showers: their points sorted into rings, and the tables."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from calozoo_caloinn.config import CodecConfig, RingsConfig
from calozoo_caloinn.point_template import (
    TREND_BOUNDS,
    Template,
    count_at,
    trend_features,
)
from calozoo_core.detector import load_detector
from calozoo_core.frames import perpendicular_positions
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import AnyFloatArray, BoolArray, Float32Array, FloatArray, IntArray

__all__ = ["RingPoints", "fit_template", "ring_points"]

QUANTILES = np.array([0.0062, 0.0228, 0.0668, 0.1587, 0.3085, 0.5])
QUANTILES = np.concatenate([QUANTILES, 1 - QUANTILES[-2::-1]])

SHOWERS_A_LEVEL = 400
"""Showers whose points a level chooses its members from."""

FEWEST = 100
"""Least number of showers that fill a ring; with fewer, the same ring of all layers is used."""

CHUNK = 1000
"""Showers sorted together, so that a large sample fits in memory."""


class RingPoints(NamedTuple):
    """Rings of showers, and the points of the first of them, as seen along the shower axis.

    Arguments:
        x: Position along x' about the axis, in the plane at right angles to it, in mm, shape (N,).
        y: Position along y' about the axis, in mm, shape (N,).
        energy: Deposited energy, in MeV, shape (N,).
        cell: Number of the ring: (shower x layers + layer) x rings + ring, shape (N,).
        energies: Energy of every ring, in MeV, shape (n, layers, rings).
        counts: Number of points of every ring, shape (n, layers, rings).
        direction: Directions of the primaries, shape (n, 3).
    """

    x: Float32Array
    y: Float32Array
    energy: Float32Array
    cell: IntArray
    energies: Float32Array
    counts: IntArray
    direction: Float32Array


def ring_points(showers: Showers, config: RingsConfig, keep: int = 0) -> RingPoints:
    """Points of showers, sorted into rings.

    Arguments:
        showers: Showers as they were read.
        config: Rings.
        keep: Number of showers whose points are kept, not only the energies of their rings.
    """
    parts, kept = [], []
    for start in range(0, len(showers), CHUNK):
        part = _sort_into_rings(showers[start : start + CHUNK], config)
        parts.append(part)
        if start < keep:
            cells = start * part.energies[0].size
            kept.append((part.x, part.y, part.energy, part.cell + cells))
    nothing = (np.zeros(0, np.float32),) * 3 + (np.zeros(0, np.int64),)
    x, y, energy, cell = zip(*(kept or [nothing]), strict=True)
    return RingPoints(
        np.concatenate(x),
        np.concatenate(y),
        np.concatenate(energy),
        np.concatenate(cell),
        np.concatenate([part.energies for part in parts]),
        np.concatenate([part.counts for part in parts]),
        showers.incident.direction,
    )


def fit_template(
    points: RingPoints, energy_gev: Float32Array, codec: CodecConfig, rings: RingsConfig, seed: int
) -> Template:
    """Template fitted on Geant4 showers.

    Arguments:
        points: Rings and points of the showers.
        energy_gev: Incident energies, shape (n,).
        codec: Encoding, for the energy below which a ring is empty.
        rings: Sizes.
        seed: Seed of the choice of members.
    """
    template = Template.zeros(codec, rings)
    # Arrays that share the memory of the tables.
    tables = template._asdict()
    n, layers, number = points.energies.shape
    p_z = points.direction[:, 2].astype(np.float64)
    energies = points.energies.reshape(n, -1)
    counts = points.counts.reshape(n, -1)
    filled = energies > codec.noise_mev
    log_energy = np.log(np.maximum(energies, codec.noise_mev) * p_z[:, None])
    by_cell = _PointsByCell(points, layers * number)
    for cell in range(layers * number):
        lenders = [cell]
        if np.count_nonzero(filled[:, cell]) < FEWEST:
            lenders = list(range(cell % number, layers * number, number))
        random = stream(seed, cell, "template")
        _fit_cell(tables, cell, lenders, filled, log_energy, counts, p_z, by_cell, random)
    tables["shape"][:] = _cell_shapes(points, number)
    level = (log_energy - tables["knots"][:, 0]) * tables["knots"][:, 1]
    features = trend_features(energy_gev, points.direction)
    tables["trend"][:] = _trend(tables, level, counts, filled, features)
    tables["shared"][0] = _shared_variance(tables, level, counts, filled, features)
    tables["threshold"][:] = codec.noise_mev
    tables["calibration"][:] = 1
    return template


def _sort_into_rings(showers: Showers, config: RingsConfig) -> RingPoints:
    detector = load_detector(showers.detector)
    x, y = perpendicular_positions(showers, detector)
    owner = showers.shower_index
    ring = np.searchsorted(np.array(config.edges_mm), np.hypot(x, y), side="right")
    cell = (owner * detector.n_layers + showers.layer) * config.number + ring
    shape = (len(showers), detector.n_layers, config.number)
    size = int(np.prod(shape))
    return RingPoints(
        x.astype(np.float32),
        y.astype(np.float32),
        showers.energy,
        cell,
        np.bincount(cell, showers.energy, size).reshape(shape).astype(np.float32),
        np.bincount(cell, minlength=size).reshape(shape),
        showers.incident.direction,
    )


class _PointsByCell:
    """Points that were kept, sorted by ring and layer."""

    def __init__(self, points: RingPoints, cells: int) -> None:
        counts = np.bincount(points.cell, minlength=len(points.counts) * cells)
        self.showers = int(points.cell[-1]) // cells + 1
        self._order = np.argsort(points.cell, kind="stable")
        self._ends = np.cumsum(counts)
        self._points, self._cells = points, cells

    def of(self, shower: IntArray, cell: int) -> Float32Array:
        """Distance to the axis and energy of all points of a ring of these showers."""
        rows = shower * self._cells + cell
        stop = self._ends[rows]
        start = np.where(rows > 0, self._ends[rows - 1], 0)
        length = stop - start
        inside = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        index = self._order[np.repeat(start, length) + inside]
        radius = np.hypot(self._points.x[index], self._points.y[index])
        return np.column_stack([radius, self._points.energy[index]]).astype(np.float32)


def _fit_cell(
    tables: dict[str, Float32Array],
    cell: int,
    lenders: list[int],
    filled: BoolArray,
    log_energy: FloatArray,
    counts: IntArray,
    p_z: FloatArray,
    by_cell: _PointsByCell,
    random: np.random.Generator,
) -> None:
    levels, members = tables["members"].shape[1:3]
    rows, columns = np.nonzero(filled[:, lenders])
    tables["members"][cell] = 1
    if len(rows) == 0:
        return
    columns = np.array(lenders)[columns]
    energy = log_energy[rows, columns]
    # Spread evenly over [n, n + 1), so that quantiles are no steps.
    number = np.log((counts[rows, columns] + random.random(len(rows))) * p_z[rows])
    low, high = np.quantile(energy, [0.005, 0.995])
    scale = (levels - 1) / max(high - low, 1e-3)
    tables["knots"][cell] = low, scale
    at = (energy - low) * scale
    for level in range(levels):
        near = np.argsort(np.abs(at - level), kind="stable")
        within = np.count_nonzero(np.abs(at - level) < 0.5)
        near = near[: max(within, min(30, len(near)))]
        tables["counts"][cell, level] = np.quantile(number[near], QUANTILES)
        near = near[rows[near] < by_cell.showers][:SHOWERS_A_LEVEL]
        pieces = [
            by_cell.of(rows[near[columns[near] == lender]], lender)
            for lender in lenders
            if np.any(columns[near] == lender)
        ]
        if pieces:
            tables["members"][cell, level] = _choose(np.concatenate(pieces), members, random)


def _choose(points: Float32Array, members: int, random: np.random.Generator) -> Float32Array:
    """Points by rising energy, each from another stretch of equal length."""
    at = (np.arange(members) + random.random(members)) / members * len(points)
    by_energy = points[np.argsort(points[:, 1], kind="stable")]
    return by_energy[at.astype(np.int64)]


def _cell_shapes(points: RingPoints, number: int) -> FloatArray:
    """Departure of the energy of each cell from a round distribution: see `Template.shape`."""
    cells = points.energies[0].size
    owner, cell = np.divmod(points.cell, cells)
    radius = np.hypot(points.x, points.y)
    slant = points.direction[owner, :2]
    sums = {
        name: np.bincount(cell, points.energy * values, cells)
        for name, values in (
            ("x2", points.x**2),
            ("y2", points.y**2),
            ("y", points.y),
            ("r", radius),
            ("along", points.x * slant[:, 0] + points.y * slant[:, 1]),
            ("across", radius * (slant**2).sum(axis=1)),
        )
    }
    # The width of a ring hardly depends on the layer; how far it leans does.
    wide = {
        name: np.maximum(sums[name].reshape(-1, number).sum(axis=0), 1e-9) for name in ("x2", "y2")
    }
    aspect = np.clip(np.sqrt(wide["y2"] / wide["x2"]), 0.5, 2)
    aspect = np.tile(aspect, cells // number)
    lean = np.clip(2 * sums["y"] / np.maximum(sums["r"], 1e-9), -0.5, 0.5)
    tilt = np.clip(2 * sums["along"] / np.maximum(sums["across"], 1e-9), -1, 1)
    filled = np.bincount(cell, minlength=cells) > FEWEST
    return np.column_stack([aspect**-0.5, aspect**0.5, lean * filled, tilt * filled])


def _trend(
    tables: dict[str, Float32Array],
    level: AnyFloatArray,
    counts: IntArray,
    filled: BoolArray,
    features: Float32Array,
) -> FloatArray:
    """Least-squares correction of the number of points of the table, cell by cell."""
    expected = _expected(tables, level, features, 0.0)
    trend = np.zeros((filled.shape[1], features.shape[1]))
    trend[:, 0] = 1
    for cell in range(len(trend)):
        rows = np.flatnonzero(filled[:, cell])
        if len(rows) < FEWEST:
            continue
        mean = expected[rows, cell]
        # Of n + 1/2, since the table spreads a number over [n, n + 1).
        excess = counts[rows, cell] + 0.5 - mean
        weighted = features[rows] * np.sqrt(mean)[:, None]
        found = np.linalg.lstsq(weighted, excess / np.sqrt(mean), rcond=1e-6)[0]
        trend[cell] += found
    return trend


def _shared_variance(
    tables: dict[str, Float32Array],
    level: AnyFloatArray,
    counts: IntArray,
    filled: BoolArray,
    features: Float32Array,
) -> float:
    """Part of the variance of the number of points that the rings of a shower share."""
    factor = np.clip(features @ tables["trend"].T, *TREND_BOUNDS)

    def number(deviate: float) -> FloatArray:
        return np.where(filled, _expected(tables, level, features, deviate) * factor, 0)

    spread = (number(1.0) - number(-1.0)) / 2
    residual = np.where(filled, counts + 0.5, 0).sum(axis=1) - number(0.0).sum(axis=1)
    alone = (spread**2).sum(axis=1)
    together = spread.sum(axis=1) ** 2 - alone
    excess = residual.var() - alone.mean()
    return float(np.clip(excess / max(float(together.mean()), 1e-9), 0, 0.9))


def _expected(
    tables: dict[str, Float32Array],
    level: AnyFloatArray,
    features: Float32Array,
    deviate: float,
) -> FloatArray:
    """Number of points by the table of counts, shape (n, cells)."""
    cell = np.arange(level.shape[1])
    log_count = count_at(tables["counts"], level, np.full(level.shape, deviate), cell)
    expected: FloatArray = np.exp(log_count) / features[:, -1:]
    return expected
