"""Figures of all features of single showers at once."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import InputError
from calozoo_core.metrics.classifier import classifier_auc
from calozoo_core.metrics.features import frechet_distance, kernel_distance
from calozoo_core.metrics.result import MetricResult

__all__ = ["FEATURE_METRICS", "feature_figure"]

_KANSAL: Final = "Kansal et al., arXiv:2211.10295, on our own features"

FEATURE_METRICS: Final = {
    "fpd": (frechet_distance, _KANSAL),
    "kpd": (kernel_distance, _KANSAL),
    "auc": (classifier_auc, "boosted trees on our own features, five-fold cross-validation"),
}


def feature_figure(
    generated: NDArray[np.float32], reference: NDArray[np.float32], metric: str, seed: int
) -> MetricResult:
    """A distance between two clouds of features.

    The floor is measured between the even and the odd showers of the reference and is not scaled:
    an extrapolated or unbiased distance does not fall with the number of showers in a known way.

    Arguments:
        generated: A row a shower, the logarithm of the incident energy first.
        reference: Likewise.
        metric: "fpd", "kpd" or "auc".
        seed: Of draws, batches and trees.

    Raises:
        CalozooError: If "auc" is asked for and scikit-learn is not installed.
    """
    distance, source = FEATURE_METRICS[metric]
    # Only a classifier may see the incident energy; distances would look at its spectrum.
    first = 0 if metric == "auc" else 1
    mine, theirs = generated[:, first:], reference[:, first:]
    found: dict[str, Any] = {}
    try:
        found["value"], found["error"] = distance(mine, theirs, seed=seed)
    except InputError as refusal:
        found["reason"] = str(refusal)
    else:
        found["noise_floor"] = found["half_floor"] = _floor(theirs, metric, seed)
    return MetricResult(
        name="cells.features",
        metric=metric,
        n_generated=len(mine),
        n_reference=len(theirs),
        n_entries=mine.shape[1],
        source=source,
        **found,
    )


def _floor(reference: NDArray[np.float32], metric: str, seed: int) -> float | None:
    """None if the halves are too small, which the whole is not."""
    distance, _ = FEATURE_METRICS[metric]
    try:
        return distance(reference[::2], reference[1::2], seed=seed)[0]
    except InputError:
        return None
