"""Ratios to the reference: cells, hot cells, widths of the centre of gravity, neighbours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np

from calozoo_core.metrics.result import MetricResult
from calozoo_core.metrics.sample_distances import (
    ALL_BLOCKS,
    HALVES,
    Rows,
    SampleSizes,
    estimates,
)
from calozoo_core.observables.accumulator import BLOCKS, CELL_ENERGIES, ObservableAccumulator
from calozoo_core.observables.neighbours import RADIUS_BANDS_MM, NeighbourSums
from calozoo_core.observables.response import (
    FEWEST_IN_WINDOW,
    Responses,
    Window,
    central_90,
    energy_windows,
)
from calozoo_core.typing import FloatArray

__all__ = ["HOT_SHARES", "hottest_threshold", "ratio_figures"]

FEWEST: Final = 20
"""Showers that a ratio of numbers needs on either side."""

HOT_SHARES: Final = (1e-2, 1e-3, 1e-4)
"""Shares of the reference's cells that are hot."""

AXES: Final = ("x", "y")

Quantity = Callable[[Rows], float]
"""A quantity of the showers in these blocks."""


def ratio_figures(
    generated: ObservableAccumulator,
    reference: ObservableAccumulator,
    *,
    points_reason: str | None = None,
) -> tuple[MetricResult, ...]:
    """Every ratio of generated to reference, with its error and floor.

    Arguments:
        generated: A model's sample.
        reference: Geant4's.
        points_reason: Why the points of the two cannot be compared, if they cannot.
    """
    pair = generated.responses, reference.responses
    windows = energy_windows(reference.responses.energy_gev)
    return (
        *_cell_ratios(*pair, windows),
        *_centre_ratios(*pair, windows),
        *(_hot_ratio(generated, reference, share) for share in HOT_SHARES),
        *_neighbour_ratios(
            "points", generated.point_neighbours, reference.point_neighbours, pair, points_reason
        ),
        *_neighbour_ratios(
            "cells", generated.cell_neighbours, reference.cell_neighbours, pair, None
        ),
    )


@dataclass(frozen=True)
class _Ratio:
    """Ratio of a quantity in the generated sample to the same in the reference."""

    name: str
    metric: str
    unit: str
    source: str
    sizes: SampleSizes

    def figure(self, mine: Quantity, theirs: Quantity, reason: str | None) -> MetricResult:
        """The ratio, with its error; a reason if the reference has nothing to divide by."""
        mine, theirs = _remembered(mine), _remembered(theirs)
        found: dict[str, Any] = {}
        if reason is None and not all(theirs(~one) > 0 for one in np.eye(BLOCKS, dtype=bool)):
            reason = "The reference has too little of this to divide by."
        if reason is None:
            splits = [(a, b) for a, b in HALVES if theirs(a) > 0 and theirs(b) > 0]
            found = estimates(
                lambda one, other: mine(one) / theirs(other),
                lambda one, other: abs(theirs(one) / theirs(other) - 1),
                self.sizes,
                power=0.5,
                splits=splits,
            )
            found |= {"generated_value": mine(ALL_BLOCKS), "reference_value": theirs(ALL_BLOCKS)}
        return MetricResult(
            name=self.name,
            metric=self.metric,
            unit=self.unit,
            n_generated=self.sizes.n_generated,
            n_reference=self.sizes.n_reference,
            source=self.source,
            reason=reason,
            **found,
        )


def _cell_ratios(
    generated: Responses, reference: Responses, windows: tuple[Window, ...]
) -> list[MetricResult]:
    """Cells per incident GeV: of all showers, and at each energy with enough of them."""

    def one(name: str, mine: Responses, theirs: Responses) -> MetricResult:
        sizes = SampleSizes(len(mine), len(theirs))
        ratio = _Ratio(name, "ratio", "cells/GeV", "cells of a shower over its energy", sizes)
        pair = partial(_cells_per_gev, mine), partial(_cells_per_gev, theirs)
        return ratio.figure(*pair, sizes.too_few(FEWEST))

    parts = _in_windows(generated, reference, windows, FEWEST)
    return [
        one("cells.occupancy", generated, reference),
        *(one(f"cells.occupancy@{where}", *pair) for where, pair in parts.items()),
    ]


def _centre_ratios(
    generated: Responses, reference: Responses, windows: tuple[Window, ...]
) -> list[MetricResult]:
    """Widths of the centre of gravity: standard deviation of all, central 90 % at each energy."""
    figures = []
    parts = _in_windows(generated, reference, windows, FEWEST_IN_WINDOW)
    for axis, letter in enumerate(AXES):
        sizes = SampleSizes(len(generated), len(reference))
        spread = _Ratio(f"cells.centre_{letter}", "width_ratio", "mm", "standard deviation", sizes)
        pair = partial(_spread, generated, axis), partial(_spread, reference, axis)
        figures.append(spread.figure(*pair, sizes.too_few(FEWEST)))
        source = "standard deviation of the central 90 %"
        mean = replace(
            spread, name=f"cells.position_{letter}", source=f"{source}, mean over energies"
        )
        few = (
            None if parts else f"At no energy are there {FEWEST_IN_WINDOW} showers on either side."
        )
        mine, theirs = ([pair[side] for pair in parts.values()] for side in (0, 1))
        both = partial(_resolution, mine, axis), partial(_resolution, theirs, axis)
        figures.append(mean.figure(*both, few))
        for where, (some, others) in parts.items():
            at_energy = replace(
                mean,
                name=f"cells.position_{letter}@{where}",
                source=source,
                sizes=SampleSizes(len(some), len(others)),
            )
            both = partial(_resolution, [some], axis), partial(_resolution, [others], axis)
            figures.append(at_energy.figure(*both, None))
    return figures


def hottest_threshold(cell_energies: FloatArray, share: float) -> float:
    """Energy in MeV that a share of the cells exceeds, at the nearest edge of the fine bins.

    Arguments:
        cell_energies: Contents of `CELL_ENERGIES`, shape (bins + 2,).
        share: The share.
    """
    above = cell_energies[::-1].cumsum()[::-1][1:] / cell_energies.sum()
    edge = int(np.abs(np.log(np.maximum(above, 1e-300) / share)).argmin())
    return float(CELL_ENERGIES.edges[edge])


def _hot_ratio(
    generated: ObservableAccumulator, reference: ObservableAccumulator, share: float
) -> MetricResult:
    """Cells a shower above an energy that a share of the reference's cells exceeds."""
    sizes = SampleSizes(len(generated), len(reference))
    exponent = f"{share:.0e}".replace("e-0", "e-")
    ratio = _Ratio(f"cells.hot_{exponent}", "ratio", "cells", "", sizes)
    reason = sizes.too_few(FEWEST)
    hot = np.zeros((2, len(ALL_BLOCKS)))
    if reason is None and reference.cell_energies.any():
        threshold = hottest_threshold(reference.cell_energies.sum(axis=0), share)
        first = int(np.searchsorted(CELL_ENERGIES.edges, threshold * (1 - 1e-9))) + 1
        hot = np.stack([s.cell_energies[:, first:].sum(axis=1) for s in (generated, reference)])
        ratio = replace(ratio, source=f"above {threshold:.3g} MeV")
    if reason is None and np.count_nonzero(hot[1]) < FEWEST // 2:
        reason = f"The reference has too few cells for the hottest {exponent} of them."
    showers = [
        np.bincount(sample.responses.block, minlength=len(ALL_BLOCKS))
        for sample in (generated, reference)
    ]

    def per_shower(side: int, rows: Rows) -> float:
        return float(hot[side][rows].sum() / max(showers[side][rows].sum(), 1))

    return ratio.figure(partial(per_shower, 0), partial(per_shower, 1), reason)


def _neighbour_ratios(
    level: str,
    generated: NeighbourSums,
    reference: NeighbourSums,
    pair: tuple[Responses, Responses],
    reason: str | None,
) -> list[MetricResult]:
    """Shares of deposits with a neighbour, band by band."""
    sizes = SampleSizes(*map(len, pair))
    reason = reason or sizes.too_few(FEWEST)
    figures = []
    for k, kind in enumerate(generated.kinds):
        for band, low in enumerate(RADIUS_BANDS_MM):
            high = f"-{RADIUS_BANDS_MM[band + 1]:g}" if band + 1 < len(RADIUS_BANDS_MM) else "+"
            name = f"{level}.neighbour_{kind}@{low:g}{high}mm"
            ratio = _Ratio(name, "ratio", "", f"share of {level} with a neighbour", sizes)

            def share(sums: NeighbourSums, rows: Rows, k: int = k, band: int = band) -> float:
                there = sums.deposits[rows, band].sum()
                return float(sums.with_neighbour[k][rows, band].sum() / max(there, 1))

            why = reason
            for sums, whose in ((generated, "generated"), (reference, "reference")):
                if why is None and np.count_nonzero(sums.deposits[:, band]) < FEWEST // 2:
                    why = f"Too few {whose} showers have {level} at these radii."
            figures.append(ratio.figure(partial(share, generated), partial(share, reference), why))
    return figures


def _in_windows(
    generated: Responses, reference: Responses, windows: tuple[Window, ...], fewest: int
) -> dict[str, tuple[Responses, Responses]]:
    """Showers of both samples at each energy at which both have enough, by energy."""
    pairs = {
        f"{window.centre_gev:.4g}GeV": (generated.inside(window), reference.inside(window))
        for window in windows
    }
    return {where: pair for where, pair in pairs.items() if min(map(len, pair)) >= fewest}


def _cells_per_gev(responses: Responses, rows: Rows) -> float:
    inside = responses[rows[responses.block]]
    energy = inside.energy_gev.sum(dtype=np.float64)
    return float(inside.cells.sum() / energy) if energy > 0 else 0.0


def _centres(responses: Responses, axis: int, rows: Rows) -> FloatArray:
    centre = responses.centre_mm[rows[responses.block], axis].astype(np.float64)
    return np.asarray(centre[np.isfinite(centre)])


def _spread(responses: Responses, axis: int, rows: Rows) -> float:
    centres = _centres(responses, axis, rows)
    return float(centres.std()) if len(centres) else 0.0


def _resolution(parts: list[Responses], axis: int, rows: Rows) -> float:
    centres = [_centres(part, axis, rows) for part in parts]
    return float(np.mean([central_90(c)[1] if len(c) else 0.0 for c in centres]))


def _remembered(quantity: Quantity) -> Quantity:
    """The same quantity, found once for each choice of blocks."""
    known: dict[bytes, float] = {}

    def of(rows: Rows) -> float:
        key = rows.tobytes()
        if key not in known:
            known[key] = quantity(rows)
        return known[key]

    return of
