"""Figures of energy resolution and linearity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from calozoo_core.comparison._estimates import Rows, Sizes, measured
from calozoo_core.metrics.result import MetricResult
from calozoo_core.observables.response import (
    FEWEST_IN_WINDOW,
    Responses,
    central_90,
    energy_windows,
)

__all__ = ["CURVES", "response_figure"]

CURVES: Final = ("resolution", "linearity")

Pair = tuple[Responses, Responses]


def response_figure(generated: Responses, reference: Responses, curve: str) -> MetricResult:
    """Mean over incident energies of how far the ratio of the two curves is from 1.

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
    sizes = Sizes(sum(len(m) for m, _ in windows), sum(len(t) for _, t in windows))

    def apart(one: Rows, other: Rows) -> float:
        return _deviation(windows, curve, one, other)

    def apart_by_chance(one: Rows, other: Rows) -> float:
        return _deviation([(t, t) for _, t in windows], curve, one, other)

    reason, found = None, dict[str, Any]()
    if windows:
        found = measured(apart, apart_by_chance, sizes, power=0.5)
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
