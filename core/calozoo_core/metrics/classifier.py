"""How well a classifier tells two samples apart.

Needs scikit-learn (`pip install calozoo-core[classifier]`).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import CalozooError, InputError

__all__ = ["FEWEST_OF_EACH", "classifier_auc"]

FEWEST_OF_EACH: Final = 200
"""Boosted trees learn nothing from fewer."""

FOLDS: Final = 5


def classifier_auc(
    generated: NDArray[np.floating], reference: NDArray[np.floating], *, seed: int = 0
) -> tuple[float, float]:
    """Area under the ROC curve of boosted trees that tell generated from reference showers.

    0.5 is the best a model can do: nobody can tell. The trees see the showers' features, not their
    cells; a network that sees cells finds more. Every shower is judged by trees that were trained
    on four fifths without it.

    Arguments:
        generated: A row a shower, shape (n, n_features).
        reference: Likewise.
        seed: Of the trees and of the five parts.

    Returns:
        The mean over the five parts, and its standard error from their scatter.

    Raises:
        CalozooError: If scikit-learn is not installed.
        InputError: If there are fewer than 200 showers of either kind.
    """
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.model_selection import StratifiedKFold, cross_val_score
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        msg = "The AUC needs scikit-learn; `pip install 'calozoo-core[classifier]'` brings it."
        raise CalozooError(msg) from error
    fewest = min(len(generated), len(reference))
    if fewest < FEWEST_OF_EACH:
        msg = f"{fewest} showers are too few to train on; give at least {FEWEST_OF_EACH}."
        raise InputError(msg)
    features = np.concatenate([generated, reference])
    is_generated = np.repeat([1, 0], [len(generated), len(reference)])
    # Its threads wait for each other in loops: on a busy machine minutes become hours.
    with threadpool_limits(1):
        areas = cross_val_score(
            HistGradientBoostingClassifier(random_state=seed),
            features,
            is_generated,
            scoring="roc_auc",
            cv=StratifiedKFold(FOLDS, shuffle=True, random_state=seed),
        )
    return float(np.mean(areas)), float(np.std(areas, ddof=1) / np.sqrt(FOLDS))
