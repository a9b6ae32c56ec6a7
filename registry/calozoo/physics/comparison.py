"""Comparison of reconstructed samples, model against Geant4, with a bootstrap over events."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np

from calozoo_core.metrics.result import MetricResult
from calozoo_core.random import stream
from calozoo_core.typing import IntArray

__all__ = ["Measurement", "compare_samples"]

_RESAMPLINGS = 200
_NOTHING = "Too little was found to measure it."
_MEAN_DISTANCE = math.sqrt(2 / math.pi)
"""Mean distance from 0 of a normal variable, in standard deviations."""


M = TypeVar("M", bound="Measurement")


class Measurement(Protocol):
    """Reconstruction of a sample of events."""

    def __len__(self) -> int: ...

    def rows(self: M, rows: IntArray) -> M:
        """Measurement of some of the events, which may repeat."""
        ...

    def quantities(self) -> dict[str, float]:
        """Quantities of the sample; NaN where it has none."""
        ...

    def distances(self: M, other: M) -> dict[str, float]:
        """JS divergences in nats from another sample; NaN where there is none."""
        ...


def compare_samples(
    models: Sequence[M],
    truth: M,
    *,
    again: M | None = None,
    units: Mapping[str, str] | None = None,
    source: str = "",
    seed: int = 0,
) -> tuple[MetricResult, ...]:
    """Figures of a model against the truth: differences of quantities, and divergences.

    Values are means over the seeds of the model. A resampling takes the same events of all samples,
    which share their kinematics; errors are standard deviations over resamplings. The noise floor
    of a divergence is that between the truth and its repetition; the one of a difference is the
    distance from 0 to be expected between these two.

    Arguments:
        models: Measurements of the model, one a seed.
        truth: Measurement of the truth, of the same events.
        again: Measurement of the truth simulated with another seed; None gives no noise floors.
        units: Units of the quantities that have one.
        source: Whose definitions they are.
        seed: Seed of the bootstrap.
    """
    theirs = truth.quantities()
    each = [_figures(model, truth, theirs) for model in models]
    own = {} if again is None else _figures(again, truth, theirs)
    errors, own_errors = _errors(models, truth, again, seed)
    figures = []
    for name in each[0]:
        is_distance = name not in theirs
        per_seed = [found[name] for found in each]
        value, error = float(np.mean(per_seed)), errors[name]
        fields: dict[str, float | str | None] = {"reason": _NOTHING}
        if math.isfinite(value) and math.isfinite(error):
            own_error = own_errors.get(name, math.nan)
            floor = own.get(name, math.nan) if is_distance else _MEAN_DISTANCE * own_error
            fields = {
                "value": value,
                "error": error,
                "noise_floor": floor if math.isfinite(floor) else None,
                "seed_spread": float(np.std(per_seed, ddof=1)) if len(models) > 1 else None,
                "generated_value": None if is_distance else value + theirs[name],
                "reference_value": None if is_distance else theirs[name],
            }
        fields |= {
            "name": name,
            "metric": "js" if is_distance else "difference",
            "unit": "nat" if is_distance else (units or {}).get(name, ""),
            "source": source,
        }
        sizes = {"n_generated": len(models) * len(truth), "n_reference": len(truth)}
        figures.append(MetricResult.model_validate(fields | sizes))
    return tuple(figures)


def _errors(
    models: Sequence[M], truth: M, again: M | None, seed: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Standard deviations over resamplings of the model's figures, and of the truth's own."""
    rng = stream(seed, 0, "physics bootstrap")
    ours: dict[str, list[float]] = {}
    own: dict[str, list[float]] = {}
    for _ in range(_RESAMPLINGS):
        rows = rng.integers(0, len(truth), len(truth))
        some = truth.rows(rows)
        theirs = some.quantities()
        each = [_figures(model.rows(rows), some, theirs) for model in models]
        for name in each[0]:
            ours.setdefault(name, []).append(float(np.mean([found[name] for found in each])))
        for name, value in (
            {} if again is None else _figures(again.rows(rows), some, theirs)
        ).items():
            own.setdefault(name, []).append(value)
    return {k: _deviation(v) for k, v in ours.items()}, {k: _deviation(v) for k, v in own.items()}


def _figures(model: M, truth: M, theirs: Mapping[str, float]) -> dict[str, float]:
    ours = model.quantities()
    return {name: ours[name] - theirs[name] for name in theirs} | model.distances(truth)


def _deviation(values: Sequence[float]) -> float:
    """Standard deviation of finite values; NaN if they are fewer than half of the resamplings."""
    finite = [value for value in values if math.isfinite(value)]
    return float(np.std(finite)) if 2 * len(finite) > _RESAMPLINGS else math.nan
