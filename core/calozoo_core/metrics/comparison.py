"""Comparison of a generated sample with a reference: metrics with errors and noise floors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from calozoo_core.errors import DetectorError, InputError
from calozoo_core.metrics.classifier import (
    classifier_figures,
    classifier_floors,
    worst_group,
)
from calozoo_core.metrics.ratios import ratio_figures
from calozoo_core.metrics.result import MetricResult
from calozoo_core.metrics.sample_distances import (
    CORRELATIONS,
    CURVES,
    FEATURE_METRICS,
    HISTOGRAM_METRICS,
    correlation_distance,
    feature_distance,
    histogram_distance,
    response_distance,
)
from calozoo_core.observables.accumulator import ObservableAccumulator

__all__ = [
    "classifier_floors",
    "compare",
    "compare_classifier",
    "compare_features",
    "worst_group",
]


def compare(
    generated: ObservableAccumulator, reference: ObservableAccumulator
) -> tuple[MetricResult, ...]:
    """Every figure that two accumulators give at once, in the order of the observables.

    Of each histogram the Jensen-Shannon divergence and the separation power; the mean absolute
    deviation from 1 (L1) of the ratios of resolution and of linearity; the Frobenius distance of
    the correlations between layers and between voxels; and ratios of generated to reference: of
    numbers of cells and of hot cells, of widths of the centre of gravity, and of shares of points
    and cells with a neighbour. The primaries of both samples should have
    the same spectrum: a difference between the primaries counts as one between the showers.

    Arguments:
        generated: A model's sample.
        reference: Geant4's.

    Raises:
        DetectorError: If they are of different detectors, or have different cells.
        InputError: If their cells have different thresholds.
    """
    _check_kinds(generated, reference)
    figures = []
    of_points = generated.point_kind.difference(reference.point_kind)
    for name, observable in reference.observables.items():
        reason = None if observable.level == "cells" else of_points
        pair = generated.histogram(name), reference.histogram(name)
        figures += [histogram_distance(*pair, metric, reason) for metric in HISTOGRAM_METRICS]
    pair_of_responses = generated.responses, reference.responses
    figures += [response_distance(*pair_of_responses, curve) for curve in CURVES]
    pair_of_sums = generated.correlations, reference.correlations
    figures += [correlation_distance(*pair_of_sums, kind) for kind in CORRELATIONS]
    figures += ratio_figures(generated, reference, points_reason=of_points)
    return tuple(figures)


def compare_classifier(
    generated: ObservableAccumulator,
    reference: ObservableAccumulator,
    *,
    seed: int = 0,
    floors: Mapping[str, float] | None = None,
) -> tuple[MetricResult, ...]:
    """AUC of a classifier on features of cells, all of them and group by group; takes a minute.

    Without scikit-learn, or with too few showers, the figures say so in place of a value.

    Arguments:
        generated: A model's sample.
        reference: Geant4's.
        seed: Of the trees.
        floors: Of the reference, from `classifier_floors`; None to find them.

    Raises:
        DetectorError: If they are of different detectors, or have different cells.
        InputError: If their cells have different thresholds.
    """
    _check_kinds(generated, reference)
    known = classifier_floors(reference, seed=seed) if floors is None else floors
    return classifier_figures(generated, reference, known, seed=seed)


def compare_features(
    generated: ObservableAccumulator,
    reference: ObservableAccumulator,
    metrics: Sequence[str] = tuple(FEATURE_METRICS),
    *,
    seed: int = 0,
) -> tuple[MetricResult, ...]:
    """Distances in features of single showers, all at once; they take seconds to minutes.

    Arguments:
        generated: A model's sample.
        reference: Geant4's.
        metrics: Any of "fpd" and "kpd".
        seed: Of draws and batches.

    Raises:
        DetectorError: If they are of different detectors, or have different cells.
        InputError: If there is no such metric, or their cells have different thresholds.
    """
    _check_kinds(generated, reference)
    unknown = sorted(set(metrics) - set(FEATURE_METRICS))
    if unknown:
        msg = f"No metric is called {unknown[0]!r}; there are {', '.join(FEATURE_METRICS)}."
        raise InputError(msg)
    return tuple(feature_distance(generated, reference, metric, seed) for metric in metrics)


def _check_kinds(generated: ObservableAccumulator, reference: ObservableAccumulator) -> None:
    # Placed into one detector, showers made for others can be compared; it has checked the layers.
    if generated.readout != reference.readout:
        msg = (
            f"Showers made for {generated.detector.name} and read out in {generated.readout} "
            f"cannot be compared with showers made for {reference.detector.name} and read out in "
            f"{reference.readout}."
        )
        raise DetectorError(msg)
    if generated.threshold_mev != reference.threshold_mev:
        msg = (
            f"Cells above {generated.threshold_mev:g} MeV cannot be compared with cells above "
            f"{reference.threshold_mev:g} MeV."
        )
        raise InputError(msg)
