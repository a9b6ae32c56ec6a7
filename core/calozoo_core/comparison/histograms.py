"""Figures of two histograms."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from calozoo_core.comparison._estimates import HALVES, Rows, Sizes, measured
from calozoo_core.metrics.divergence import js_divergence, separation_power
from calozoo_core.metrics.result import MetricResult
from calozoo_core.observables.histogram import Histogram

__all__ = ["FEWEST", "HISTOGRAM_METRICS", "histogram_figure"]

FEWEST: Final = 20
"""Showers that a histogram needs on either side."""

HISTOGRAM_METRICS: Final = {"js": (js_divergence, "nat"), "separation": (separation_power, "")}


def histogram_figure(
    generated: Histogram, reference: Histogram, metric: str, reason: str | None = None
) -> MetricResult:
    """How far a histogram is from the reference's.

    Arguments:
        generated: A model's.
        reference: Of the same observable.
        metric: "js" or "separation".
        reason: Why they cannot be compared, if they cannot.
    """
    distance, unit = HISTOGRAM_METRICS[metric]
    observable = reference.observable
    mine, theirs = (observable.binning.compared(h.blocks) for h in (generated, reference))
    sizes = Sizes(generated.n_showers, reference.n_showers)
    reason = reason or sizes.too_few(FEWEST)
    for what, blocks in (("generated", mine), ("reference", theirs)):
        if reason is None and np.count_nonzero(blocks.any(axis=1)) < FEWEST // 2:
            reason = f"Too few {what} showers have anything in these bins."

    def apart(one: Rows, other: Rows) -> float:
        return distance(one @ mine, other @ theirs)

    def apart_by_chance(one: Rows, other: Rows) -> float:
        return distance(one @ theirs, other @ theirs)

    found: dict[str, Any] = {}
    if reason is None:
        splits = [(a, b) for a, b in HALVES if theirs[a].any() and theirs[b].any()]
        found = measured(apart, apart_by_chance, sizes, power=1, splits=splits)
    return MetricResult(
        name=observable.name,
        metric=metric,
        unit=unit,
        n_generated=sizes.n_generated,
        n_reference=sizes.n_reference,
        binning=observable.binning,
        source=observable.source,
        reason=reason,
        **found,
    )
