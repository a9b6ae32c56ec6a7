"""Distances between two samples of showers: histograms, response curves, correlations, features.

Each is a `MetricResult`: a value, its error, and its noise floor, from blocks of showers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import InputError
from calozoo_core.metrics.correlation import (
    frobenius_distance,
    layer_correlations,
    voxel_correlations,
)
from calozoo_core.metrics.divergence import js_divergence, separation_power
from calozoo_core.metrics.features import frechet_distance, kernel_distance
from calozoo_core.metrics.resampling import halves, jackknife_error, scaled_floor
from calozoo_core.metrics.result import MetricResult
from calozoo_core.observables.accumulator import BLOCKS, ObservableAccumulator
from calozoo_core.observables.cell_features import feature_columns
from calozoo_core.observables.correlations import CorrelationSums
from calozoo_core.observables.histogram import Histogram
from calozoo_core.observables.response import (
    FEWEST_IN_WINDOW,
    Responses,
    central_90,
    energy_windows,
)

__all__ = [
    "ALL_BLOCKS",
    "CORRELATIONS",
    "CURVES",
    "FEATURE_METRICS",
    "FEWEST_FOR_CORRELATIONS",
    "HALVES",
    "HISTOGRAM_METRICS",
    "Rows",
    "SampleSizes",
    "correlation_distance",
    "correlations",
    "estimates",
    "feature_distance",
    "histogram_distance",
    "response_distance",
]

Rows = NDArray[np.bool_]

Distance = Callable[[Rows, Rows], float]
"""Distance of these blocks of the generated sample and those of the reference."""

ALL_BLOCKS: Final[Rows] = np.ones(BLOCKS, dtype=bool)

HALVES: Final = tuple(halves(BLOCKS))


@dataclass(frozen=True)
class SampleSizes:
    """Numbers of showers on either side."""

    n_generated: int
    n_reference: int

    def too_few(self, fewest: int) -> str | None:
        """Reason for no value, if either side has fewer showers than this."""
        for what, n in (("generated", self.n_generated), ("reference", self.n_reference)):
            if n < fewest:
                return f"{n} {what} showers are too few; this figure needs {fewest}."
        return None


def estimates(
    distance: Distance,
    floor: Distance,
    sizes: SampleSizes,
    *,
    power: float,
    splits: Sequence[tuple[Rows, Rows]] = HALVES,
) -> dict[str, Any]:
    """Value, error and noise floors of a distance, by their names in `MetricResult`.

    Arguments:
        distance: Between blocks of the generated sample and blocks of the reference.
        floor: The same between blocks of the reference and others of it.
        sizes: Showers on either side.
        power: How the floor falls with the number of showers, as in `scaled_floor`.
        splits: Pairs of halves of the reference.
    """
    errors = (
        jackknife_error(lambda rows: distance(rows, ALL_BLOCKS), BLOCKS),
        jackknife_error(lambda rows: distance(ALL_BLOCKS, rows), BLOCKS),
    )
    found = {"value": distance(ALL_BLOCKS, ALL_BLOCKS), "error": float(np.hypot(*errors))}
    if splits:
        half = float(np.mean([floor(one, other) for one, other in splits]))
        found["half_floor"] = half
        found["noise_floor"] = scaled_floor(half, sizes.n_reference, sizes.n_generated, power=power)
    return found


_FEWEST: Final = 20
"""Showers that a histogram needs on either side."""

HISTOGRAM_METRICS: Final = {"js": (js_divergence, "nat"), "separation": (separation_power, "")}


def histogram_distance(
    generated: Histogram, reference: Histogram, metric: str, reason: str | None = None
) -> MetricResult:
    """Distance between a histogram and the reference's.

    Arguments:
        generated: A model's.
        reference: Of the same observable.
        metric: "js" or "separation".
        reason: Why they cannot be compared, if they cannot.
    """
    distance, unit = HISTOGRAM_METRICS[metric]
    observable = reference.observable
    mine, theirs = (observable.binning.compared(h.blocks) for h in (generated, reference))
    sizes = SampleSizes(generated.n_showers, reference.n_showers)
    reason = reason or sizes.too_few(_FEWEST)
    for what, blocks in (("generated", mine), ("reference", theirs)):
        if reason is None and np.count_nonzero(blocks.any(axis=1)) < _FEWEST // 2:
            reason = f"Too few {what} showers have anything in these bins."

    def apart(one: Rows, other: Rows) -> float:
        return distance(one @ mine, other @ theirs)

    def apart_by_chance(one: Rows, other: Rows) -> float:
        return distance(one @ theirs, other @ theirs)

    found: dict[str, Any] = {}
    if reason is None:
        splits = [(a, b) for a, b in HALVES if theirs[a].any() and theirs[b].any()]
        found = estimates(apart, apart_by_chance, sizes, power=1, splits=splits)
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


CURVES: Final = ("resolution", "linearity")

Pair = tuple[Responses, Responses]


def response_distance(generated: Responses, reference: Responses, curve: str) -> MetricResult:
    """Mean deviation from 1 of the ratio of two response curves, over incident energies.

    Arguments:
        generated: A model's.
        reference: Geant4's, whose energies say where the curves are compared.
        curve: "resolution" or "linearity".
    """
    windows = [
        pair
        for pair in (
            (generated.inside(window), reference.inside(window))
            for window in energy_windows(reference.energy_gev)
        )
        if all(map(_is_enough, pair))
    ]
    sizes = SampleSizes(sum(len(m) for m, _ in windows), sum(len(t) for _, t in windows))

    def apart(one: Rows, other: Rows) -> float:
        return _deviation(windows, curve, one, other)

    def apart_by_chance(one: Rows, other: Rows) -> float:
        return _deviation([(t, t) for _, t in windows], curve, one, other)

    reason, found = None, dict[str, Any]()
    if windows:
        found = estimates(apart, apart_by_chance, sizes, power=0.5)
    else:
        reason = (
            f"At no energy are there {FEWEST_IN_WINDOW} generated and {FEWEST_IN_WINDOW} reference "
            "showers with visible energy."
        )
    return MetricResult(
        name=f"cells.{curve}",
        metric="l1",
        n_generated=sizes.n_generated,
        n_reference=sizes.n_reference,
        n_entries=len(windows) or None,
        source="Full physics benchmark, arXiv:2511.17293, figure 5; mean of |ratio - 1|",
        reason=reason,
        **found,
    )


FEWEST_FOR_CORRELATIONS: Final = 100
"""Showers that a correlation needs on either side."""

CORRELATIONS: Final = ("layer", "voxel")


def correlation_distance(
    generated: CorrelationSums, reference: CorrelationSums, kind: str
) -> MetricResult:
    """Correlation Frobenius Distance between two samples.

    Arguments:
        generated: A model's.
        reference: Geant4's.
        kind: "layer" or "voxel".
    """
    sizes = SampleSizes(int(generated.showers.sum()), int(reference.showers.sum()))
    reason, n_entries = sizes.too_few(FEWEST_FOR_CORRELATIONS), None
    if reason is None:
        both = correlations(generated, kind, ALL_BLOCKS), correlations(reference, kind, ALL_BLOCKS)
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
        found = estimates(apart, apart_by_chance, sizes, power=0.5)
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


def correlations(sums: CorrelationSums, kind: str, rows: Rows = ALL_BLOCKS) -> NDArray[np.float64]:
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


FEATURE_METRICS: Final = {"fpd": frechet_distance, "kpd": kernel_distance}

_DISTANCE_GROUPS: Final = ("layers", "rings")
"""Groups of features whose joint distribution is compared: a covariance of all 200 needs more
showers than there are."""


def feature_distance(
    generated: ObservableAccumulator, reference: ObservableAccumulator, metric: str, seed: int
) -> MetricResult:
    """Distance between two clouds of features: energies of layers, energies and cells of rings.

    The floor is measured between two halves of the reference and is not scaled: an extrapolated or
    unbiased distance does not fall with the number of showers in a known way.

    Arguments:
        generated: A model's sample.
        reference: Geant4's.
        metric: "fpd" or "kpd".
        seed: Of draws and batches.
    """
    distance = FEATURE_METRICS[metric]
    mine, theirs = (_chosen(sample) for sample in (generated, reference))
    found: dict[str, Any] = {}
    try:
        found["value"], found["error"] = distance(mine, theirs, seed=seed)
    except InputError as refusal:
        found["reason"] = str(refusal)
    else:
        half = HALVES[0][0][reference.responses.block[: len(theirs)]]
        found["noise_floor"] = found["half_floor"] = _floor(
            theirs[half], theirs[~half], metric, seed
        )
    return MetricResult(
        name="cells.features",
        metric=metric,
        n_generated=len(mine),
        n_reference=len(theirs),
        n_entries=mine.shape[1],
        source="Kansal et al., arXiv:2211.10295, on our own features",
        **found,
    )


def _is_enough(responses: Responses) -> bool:
    # Three in four with energy: so half of the blocks, too, has a mean and a width.
    if len(responses) < FEWEST_IN_WINDOW:
        return False
    return bool(np.quantile(responses.visible_mev, 0.25) > 0)


def _deviation(windows: Sequence[Pair], curve: str, one: Rows, other: Rows) -> float:
    ratios = [_value(m, one, curve) / _value(t, other, curve) for m, t in windows]
    return float(np.abs(np.array(ratios) - 1).mean())


def _value(responses: Responses, rows: Rows, curve: str) -> float:
    mean, width = central_90(responses.per_gev[rows[responses.block]])
    return mean if curve == "linearity" else width / mean


def _chosen(sample: ObservableAccumulator) -> NDArray[np.float32]:
    columns = feature_columns(sample.detector.n_layers)
    in_groups = [group in _DISTANCE_GROUPS for group, names in columns.items() for _ in names]
    return sample.features[:, in_groups]


def _floor(
    one: NDArray[np.float32], other: NDArray[np.float32], metric: str, seed: int
) -> float | None:
    """None if the halves are too small, which the whole is not."""
    try:
        return FEATURE_METRICS[metric](one, other, seed=seed)[0]
    except InputError:
        return None
