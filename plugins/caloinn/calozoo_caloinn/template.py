"""How the energy of a ring is put on points: a template, fitted on Geant4 showers.

For every ring of every layer it keeps, at some energies of the ring, how many points there are and
some of the points themselves: their distance to the axis and their share of the energy. A slanted
shower crosses a layer on an area larger by 1 / p_z, so what counts is energy and points times p_z.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from calozoo_caloinn.config import CodecConfig, RingsConfig
from calozoo_caloinn.rings import RingPoints
from calozoo_core.random import stream
from calozoo_core.typing import Float32Array

__all__ = [
    "DEVIATES",
    "TREND_BOUNDS",
    "Template",
    "count_at",
    "fitted",
    "template_shapes",
    "trend_features",
]

DEVIATES = np.arange(-2.5, 2.6, 0.5)
"""The number of points is kept where a standard normal number would have the same quantile."""

QUANTILES = np.array([0.0062, 0.0228, 0.0668, 0.1587, 0.3085, 0.5])
QUANTILES = np.concatenate([QUANTILES, 1 - QUANTILES[-2::-1]])

SHOWERS_A_LEVEL = 400
"""Showers whose points a level chooses its members from."""

TREND_BOUNDS = (0.5, 2.0)
"""The factor of the trend stays in these, also for primaries no shower was fitted with."""

FEWEST = 100
"""A ring that is filled in fewer showers borrows from the same ring of all layers."""


@dataclass(frozen=True, eq=False)
class Template:
    """The tables. A cell is a ring of a layer, a level an energy of it.

    Arguments:
        knots: ln of the energy (times p_z, MeV) of the lowest level of a cell, and levels per
            unit of it, shape (cells, 2).
        counts: ln of the number of points (times p_z) at each level and quantile, shape
            (cells, levels, 11).
        members: Distance to the axis in mm, and energy in MeV, of points of each level, shape
            (cells, levels, members, 2).
        trend: How the number of points of a cell departs from the table with the primary: factors
            on 1, ln E, (ln E)^2 and p_z, shape (cells, 4).
        shape: Of each cell: how much wider it is along x' and along y' than round, and how the
            density of its energy leans towards y' and, per unit of sin(theta), towards the slant;
            shape (cells, 4). A lean D makes the density 1 + D cos(angle between).
        shared: Part of the variance of the number of points that a whole shower shares, shape (1,).
        threshold: Energy below which a cell is empty, in MeV, shape (cells,).
        calibration: Factor on the energy of each cell, shape (cells,).
    """

    knots: Tensor
    counts: Tensor
    members: Tensor
    trend: Tensor
    shape: Tensor
    shared: Tensor
    threshold: Tensor
    calibration: Tensor

    def tensors(self) -> dict[str, Tensor]:
        """Its tables by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def template_shapes(codec: CodecConfig, rings: RingsConfig) -> dict[str, tuple[int, ...]]:
    """The shape of every table."""
    cells = codec.layers * rings.number
    return {
        "knots": (cells, 2),
        "counts": (cells, rings.levels, len(DEVIATES)),
        "members": (cells, rings.levels, rings.members, 2),
        "trend": (cells, 4),
        "shape": (cells, 4),
        "shared": (1,),
        "threshold": (cells,),
        "calibration": (cells,),
    }


def trend_features(energy_gev: Float32Array, direction: Float32Array) -> Float32Array:
    """What the number of points may depend on besides the energy of its ring, shape (n, 4)."""
    log_energy = np.log(energy_gev)
    columns = [np.ones_like(log_energy), log_energy, log_energy**2, direction[:, 2]]
    return np.column_stack(columns).astype(np.float32)


def fitted(
    points: RingPoints, energy_gev: Float32Array, codec: CodecConfig, rings: RingsConfig, seed: int
) -> Template:
    """Fit the tables on Geant4 showers.

    Arguments:
        points: Of the showers.
        energy_gev: Incident energies, shape (n,).
        codec: Says below which energy a ring is empty.
        rings: Sizes.
        seed: Of the choice of members.
    """
    shapes = template_shapes(codec, rings)
    tables = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    n, layers, number = points.energies.shape
    p_z = points.direction[:, 2].astype(np.float64)
    energies = points.energies.reshape(n, -1)
    counts = points.counts.reshape(n, -1)
    filled = energies > codec.noise_mev
    log_energy = np.log(np.maximum(energies, codec.noise_mev) * p_z[:, None])
    by_cell = _ByCell(points, layers * number)
    for cell in range(layers * number):
        lenders = [cell]
        if np.count_nonzero(filled[:, cell]) < FEWEST:
            lenders = list(range(cell % number, layers * number, number))
        random = stream(seed, cell, "template")
        _fit_cell(tables, cell, lenders, filled, log_energy, counts, p_z, by_cell, random)
    tables["shape"][:] = _shapes(points, number)
    level = (log_energy - tables["knots"][:, 0]) * tables["knots"][:, 1]
    features = trend_features(energy_gev, points.direction)
    tables["trend"][:] = _trend(tables, level, counts, filled, features)
    tables["shared"][0] = _shared(tables, level, counts, filled, features)
    tables["threshold"][:] = codec.noise_mev
    tables["calibration"][:] = 1
    return Template(**{name: torch.from_numpy(table) for name, table in tables.items()})


def count_at(
    tables: Float32Array,
    level: NDArray[np.floating],
    deviate: NDArray[np.floating],
    cell: NDArray[np.int64],
) -> NDArray[np.floating]:
    """ln of the number of points (times p_z) between the entries of the table of counts.

    Arguments:
        tables: The table, shape (cells, levels, 11).
        level: Where between the levels, any shape.
        deviate: A standard normal number, same shape.
        cell: Index of the cell, of a shape that goes with it.
    """
    low = np.clip(level.astype(np.int64), 0, tables.shape[1] - 2)
    # Beyond the last level the last slope goes on for a while.
    part = np.clip(level - low, -1, 2)
    at = np.clip((deviate - DEVIATES[0]) * 2, 0, len(DEVIATES) - 1.001)
    left = at.astype(np.int64)
    share = at - left
    lower = tables[cell, low, left] * (1 - share) + tables[cell, low, left + 1] * share
    upper = tables[cell, low + 1, left] * (1 - share) + tables[cell, low + 1, left + 1] * share
    result: NDArray[np.floating] = lower + part * (upper - lower)
    return result


class _ByCell:
    """The points that were kept, sorted by ring and layer."""

    def __init__(self, points: RingPoints, cells: int) -> None:
        counts = np.bincount(points.cell, minlength=len(points.counts) * cells)
        self.showers = int(points.cell[-1]) // cells + 1
        self._order = np.argsort(points.cell, kind="stable")
        self._ends = np.cumsum(counts)
        self._points, self._cells = points, cells

    def of(self, shower: NDArray[np.int64], cell: int) -> Float32Array:
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
    filled: NDArray[np.bool_],
    log_energy: NDArray[np.float64],
    counts: NDArray[np.int64],
    p_z: NDArray[np.float64],
    by_cell: _ByCell,
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
            tables["members"][cell, level] = _chosen(np.concatenate(pieces), members, random)


def _chosen(points: Float32Array, members: int, random: np.random.Generator) -> Float32Array:
    """So many of the points, by rising energy, each from another stretch of equal length."""
    at = (np.arange(members) + random.random(members)) / members * len(points)
    by_energy = points[np.argsort(points[:, 1], kind="stable")]
    return by_energy[at.astype(np.int64)]


def _shapes(points: RingPoints, number: int) -> NDArray[np.float64]:
    """What the energy of each cell differs from a round distribution by: see `Template.shape`."""
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
    level: NDArray[np.floating],
    counts: NDArray[np.int64],
    filled: NDArray[np.bool_],
    features: Float32Array,
) -> NDArray[np.float64]:
    """Least squares of the number of points over what the table says, cell by cell."""
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


def _shared(
    tables: dict[str, Float32Array],
    level: NDArray[np.floating],
    counts: NDArray[np.int64],
    filled: NDArray[np.bool_],
    features: Float32Array,
) -> float:
    """What the spread of a shower's number of points has beyond that of independent rings."""
    factor = np.clip(features @ tables["trend"].T, *TREND_BOUNDS)

    def number(deviate: float) -> NDArray[np.float64]:
        return np.where(filled, _expected(tables, level, features, deviate) * factor, 0)

    spread = (number(1.0) - number(-1.0)) / 2
    residual = np.where(filled, counts + 0.5, 0).sum(axis=1) - number(0.0).sum(axis=1)
    alone = (spread**2).sum(axis=1)
    together = spread.sum(axis=1) ** 2 - alone
    excess = residual.var() - alone.mean()
    return float(np.clip(excess / max(float(together.mean()), 1e-9), 0, 0.9))


def _expected(
    tables: dict[str, Float32Array],
    level: NDArray[np.floating],
    features: Float32Array,
    deviate: float,
) -> NDArray[np.float64]:
    """The number of points the table of counts gives, shape (n, cells)."""
    cell = np.arange(level.shape[1])
    log_count = count_at(tables["counts"], level, np.full(level.shape, deviate), cell)
    expected: NDArray[np.float64] = np.exp(log_count) / features[:, -1:]
    return expected
