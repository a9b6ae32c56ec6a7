"""Classifiers that tell generated showers from reference showers by features of their cells.

The trees need scikit-learn (`pip install calozoo-core[classifier]`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import CalozooError, InputError
from calozoo_core.metrics.result import MetricResult
from calozoo_core.metrics.sample_distances import HALVES
from calozoo_core.observables.accumulator import ObservableAccumulator
from calozoo_core.observables.cell_features import FEATURE_GROUPS, feature_columns
from calozoo_core.random import stream
from calozoo_core.typing import FloatArray, IntArray

__all__ = [
    "CLASSIFIER",
    "FEWEST_OF_EACH",
    "MOST_OF_EACH",
    "classifier_auc",
    "classifier_figures",
    "classifier_floors",
    "single_feature_auc",
    "worst_group",
]

CLASSIFIER: Final = "cells.classifier"
"""Name of the figure with all features; those of the groups add a dot and the group."""

MOST_TELLING: Final = 3
_SOURCE: Final = "boosted trees on our own features, five-fold cross-fitted"

FEWEST_OF_EACH: Final = 200
"""Boosted trees learn nothing from fewer."""

MOST_OF_EACH: Final = 10_000
"""More make the trees slow, and their error smaller than anybody asks for."""

FOLDS: Final = 5


def classifier_auc(
    generated: NDArray[np.floating], reference: NDArray[np.floating], *, seed: int = 0
) -> tuple[float, float]:
    """Area under the ROC curve of boosted trees that tell generated from reference showers.

    0.5 is the best a model can do: nobody can tell. The trees see the showers' features, not their
    cells; a network that sees cells finds more. Every shower is judged by trees that were trained
    on four fifths without it, and without the one of its number in the other sample: that may have
    the same primary, and trees that have seen it would guess the opposite. Of more than 10,000
    showers of a kind, 10,000 evenly spread ones are taken.

    Arguments:
        generated: A row a shower, shape (n, n_features).
        reference: Likewise.
        seed: Of the trees and of the five parts.

    Returns:
        The mean over the five parts, and its standard error from their scatter.

    Raises:
        InputError: If there are fewer than 200 showers of either kind.
        CalozooError: If scikit-learn is not installed.
    """
    # Too few are refused first: importing scikit-learn takes longer than all other figures of them.
    fewest = min(len(generated), len(reference))
    if fewest < FEWEST_OF_EACH:
        msg = f"{fewest} showers are too few to train on; give at least {FEWEST_OF_EACH}."
        raise InputError(msg)
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.model_selection import cross_val_score
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        msg = "The AUC needs scikit-learn; `pip install 'calozoo-core[classifier]'` brings it."
        raise CalozooError(msg) from error
    samples = [sample[_spread(len(sample))] for sample in (generated, reference)]
    counts = [len(sample) for sample in samples]
    is_generated = np.repeat([1, 0], counts)
    fold = stream(seed, 0, "folds").permutation(max(counts)) % FOLDS
    folds = np.concatenate([fold[:n] for n in counts])
    # Its threads wait for each other in loops: on a busy machine minutes become hours.
    with threadpool_limits(1):
        areas = cross_val_score(
            HistGradientBoostingClassifier(early_stopping=False, random_state=seed),
            np.concatenate(samples),
            is_generated,
            scoring="roc_auc",
            cv=[(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(FOLDS)],
        )
    return float(np.mean(areas)), float(np.std(areas, ddof=1) / np.sqrt(FOLDS))


def single_feature_auc(
    generated: NDArray[np.floating],
    reference: NDArray[np.floating],
    generated_primaries: NDArray[np.floating],
    reference_primaries: NDArray[np.floating],
) -> FloatArray:
    """Area under the ROC curve of a cut on each feature alone, shape (n_features,).

    What a feature owes to the primary is taken out first, by a polynomial of second order that is
    fitted to both samples together, and so is the width that changes with the primary. The cut is
    on the feature, or on its distance from the fit, whichever tells more; so that a distribution
    that is too narrow is found as well as one that is shifted. The area is never below 0.5.

    Arguments:
        generated: A row a shower, shape (n, n_features).
        reference: Likewise.
        generated_primaries: Numbers that say what the primaries are, shape (n, n_numbers).
        reference_primaries: Likewise.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> primary = rng.uniform(1, 2, (2, 1000, 1))
        >>> values = 10 * primary + rng.normal(size=(2, 1000, 1)) * [[[1.0]], [[2.0]]]
        >>> found = single_feature_auc(values[0], values[1], primary[0], primary[1])
        >>> bool(0.6 < found[0] < 0.75)  # one is twice as wide as the other
        True
    """
    samples = np.concatenate([generated, reference]).astype(np.float64)
    terms = _polynomial(np.concatenate([generated_primaries, reference_primaries]))
    apart = samples - terms @ np.linalg.lstsq(terms, samples, rcond=None)[0]
    width = terms @ np.linalg.lstsq(terms, np.abs(apart), rcond=None)[0]
    typical = np.abs(apart).mean(axis=0)
    apart /= np.maximum(np.maximum(width, 0.2 * typical), 1e-9)
    n = len(generated)
    areas = [
        max(_separation(values[:n], values[n:]) for values in (column, np.abs(column)))
        for column in apart.T
    ]
    return np.array(areas)


def classifier_figures(
    generated: ObservableAccumulator,
    reference: ObservableAccumulator,
    floors: Mapping[str, float],
    *,
    seed: int = 0,
) -> tuple[MetricResult, ...]:
    """AUC with all features, then with each group of them alone, the primary always among them.

    Arguments:
        generated: A model's sample.
        reference: Geant4's.
        floors: Of the reference, from `classifier_floors`.
        seed: Of the trees.
    """
    mine, theirs = generated.features, reference.features
    columns = _columns(reference)
    primary = columns["primary"]
    names = [name for group in feature_columns(_n_layers(reference)).values() for name in group]
    alone = np.zeros(len(names))
    if min(len(mine), len(theirs)) >= FEWEST_OF_EACH:
        alone = single_feature_auc(mine, theirs, mine[:, primary], theirs[:, primary])
    alone[primary] = 0.0
    figures = []
    for group, chosen in _chosen(columns).items():
        found: dict[str, Any] = {}
        try:
            auc, error = classifier_auc(mine[:, chosen], theirs[:, chosen], seed=seed)
        except CalozooError as refusal:
            found["reason"] = str(refusal)
        else:
            best = sorted(chosen, key=lambda i: -alone[i])[:MOST_TELLING]
            found |= {
                "value": auc,
                "error": error,
                "noise_floor": floors.get(group),
                "half_floor": floors.get(group),
                "telling_features": {names[i]: round(float(alone[i]), 4) for i in best},
            }
        figures.append(
            MetricResult(
                name=f"{CLASSIFIER}.{group}" if group else CLASSIFIER,
                metric="auc",
                n_generated=len(mine),
                n_reference=len(theirs),
                n_entries=len(chosen),
                source=_SOURCE,
                **found,
            )
        )
    return tuple(figures)


def classifier_floors(reference: ObservableAccumulator, *, seed: int = 0) -> dict[str, float]:
    """AUC between two halves of the reference by group, "" for all; none if they are too small.

    It is not scaled: trees that learn from fewer showers find less, but there is nothing to find.

    Arguments:
        reference: Geant4's sample.
        seed: Of the trees.
    """
    features = reference.features
    half = HALVES[0][0][reference.responses.block[: len(features)]]
    try:
        return {
            group: classifier_auc(features[half][:, chosen], features[~half][:, chosen], seed=seed)[
                0
            ]
            for group, chosen in _chosen(_columns(reference)).items()
        }
    except CalozooError:
        return {}


def worst_group(figures: Iterable[MetricResult]) -> MetricResult | None:
    """The group of features with the highest AUC; None if no group has one."""
    groups = [f for f in figures if f.name.startswith(f"{CLASSIFIER}.") and f.value is not None]
    return max(groups, key=lambda figure: figure.value or 0.0, default=None)


def _n_layers(reference: ObservableAccumulator) -> int:
    return reference.detector.n_layers


def _columns(reference: ObservableAccumulator) -> dict[str, IntArray]:
    """Numbers of the columns of each group."""
    sizes = {group: len(names) for group, names in feature_columns(_n_layers(reference)).items()}
    ends = np.cumsum(list(sizes.values()))
    return {
        group: np.arange(end - size, end)
        for (group, size), end in zip(sizes.items(), ends, strict=True)
    }


def _chosen(columns: Mapping[str, IntArray]) -> dict[str, IntArray]:
    """Columns that each classifier is given: all of them, or those of a group and the primary."""
    groups = {g: np.concatenate([columns["primary"], columns[g]]) for g in FEATURE_GROUPS}
    return {"": np.concatenate(list(columns.values()))} | groups


def _spread(n: int) -> IntArray:
    """Numbers of the rows that are taken, evenly spread."""
    if n <= MOST_OF_EACH:
        return np.arange(n)
    return np.linspace(0, n - 1, MOST_OF_EACH).astype(np.int64)


def _polynomial(primaries: NDArray[np.floating]) -> FloatArray:
    """Products of up to two of the numbers, of mean 0 and width 1, shape (n, n_terms)."""
    numbers = primaries.astype(np.float64)
    numbers = (numbers - numbers.mean(axis=0)) / np.maximum(numbers.std(axis=0), 1e-9)
    n, width = numbers.shape
    pairs = [numbers[:, i] * numbers[:, j] for i in range(width) for j in range(i, width)]
    return np.column_stack([np.ones(n), numbers, *pairs])


def _separation(one: FloatArray, other: FloatArray) -> float:
    """Area under the ROC curve of a cut from above or from below, ties counted half."""
    ordered = np.sort(other)
    below = np.searchsorted(ordered, one, side="left") + np.searchsorted(ordered, one, side="right")
    area = float(below.mean()) / (2 * len(other))
    return max(area, 1 - area)
