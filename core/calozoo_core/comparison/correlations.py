"""Figures of the correlations in two samples."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.comparison._estimates import ALL, Rows, Sizes, measured
from calozoo_core.metrics.correlation import (
    frobenius_distance,
    layer_correlations,
    voxel_correlations,
)
from calozoo_core.metrics.result import MetricResult
from calozoo_core.observables.correlations import CorrelationSums

__all__ = ["CORRELATIONS", "FEWEST_FOR_CORRELATIONS", "correlation_figure", "correlations"]

FEWEST_FOR_CORRELATIONS: Final = 100
"""Showers that a correlation needs on either side."""

CORRELATIONS: Final = ("layer", "voxel")


def correlation_figure(
    generated: CorrelationSums, reference: CorrelationSums, kind: str
) -> MetricResult:
    """The Correlation Frobenius Distance between two samples.

    Arguments:
        generated: A model's.
        reference: Geant4's.
        kind: "layer" or "voxel".
    """
    sizes = Sizes(int(generated.showers.sum()), int(reference.showers.sum()))
    reason, n_entries = sizes.too_few(FEWEST_FOR_CORRELATIONS), None
    if reason is None:
        both = correlations(generated, kind, ALL), correlations(reference, kind, ALL)
        _, n_entries = frobenius_distance(*both)
        if n_entries == 0:
            reason = f"No {kind} has an energy that changes from shower to shower in both samples."

    def apart(one: Rows, other: Rows) -> float:
        pair = correlations(generated, kind, one), correlations(reference, kind, other)
        return frobenius_distance(*pair)[0]

    def apart_by_chance(one: Rows, other: Rows) -> float:
        pair = correlations(reference, kind, one), correlations(reference, kind, other)
        return frobenius_distance(*pair)[0]

    found: dict[str, Any] = {}
    if reason is None:
        found = measured(apart, apart_by_chance, sizes, power=0.5)
    return MetricResult(
        name=f"cells.{kind}_correlation",
        metric="cfd",
        n_generated=sizes.n_generated,
        n_reference=sizes.n_reference,
        n_entries=n_entries,
        source="Ahmad, Venkataswamy, Fox (2024), on cells above threshold and our own voxels",
        reason=reason,
        **found,
    )


def correlations(sums: CorrelationSums, kind: str, rows: Rows = ALL) -> NDArray[np.float64]:
    """Correlations between layers, or between voxels and those behind them, in some blocks.

    Arguments:
        sums: Of a sample with at least one shower in these blocks.
        kind: "layer" or "voxel".
        rows: The blocks, shape (n_blocks,).

    Returns:
        Shape (n_layers, n_layers) or (n_layers - 1, n_voxels); NaN where an energy never changes.
    """
    showers = float(sums.showers[rows].sum())
    if kind == "layer":
        return layer_correlations(
            showers, sums.layer[rows].sum(axis=0), sums.layers[rows].sum(axis=0)
        )
    parts = (sums.voxel, sums.squares, sums.pairs)
    return voxel_correlations(showers, *(part[rows].sum(axis=0) for part in parts))
