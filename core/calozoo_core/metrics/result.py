"""A measured figure: a number, its error, and what chance alone would give."""

from __future__ import annotations

import math

from pydantic import Field, model_validator

from calozoo_core.observables.definitions import Binning
from calozoo_core.strict_model import StrictModel

__all__ = ["MetricResult", "format_with_error"]


class MetricResult(StrictModel):
    """One number that says how far a sample is from the reference; ready for JSON.

    Either it has a value, or it says in words why it has none.

    Arguments:
        name: The observable, as `level.quantity`.
        metric: "js", "separation", "l1", "cfd", "fpd", "kpd", "auc", "ratio", "width_ratio" or
            "difference". A name may end with `@` and a part of the sample, such as
            "cells.occupancy@50GeV".
        value: The number; 0 is best, of an AUC 0.5, of a ratio 1.
        error: Its statistical error, of both samples.
        noise_floor: The value to be expected between two reference samples of these sizes; of a
            ratio or a difference, the distance from 1 or 0 to be expected.
        half_floor: The value between two halves of the reference, as measured.
        n_generated: Generated showers in it.
        n_reference: Reference showers in it.
        n_entries: Entries of a norm over many, or features of a classifier.
        seed_spread: Standard deviation over samples that were generated with different seeds, whose
            mean the value is; None of one sample.
        generated_value: Of a ratio or a difference, the quantity in the generated sample.
        reference_value: Likewise in the reference.
        telling_features: Of a classifier, the features that tell the samples apart best, each with
            its AUC alone.
        unit: Of the value; "nat" for a Jensen-Shannon divergence with the natural logarithm.
        binning: The bins it depends on.
        source: Whose definition it is.
        reason: Why there is no value.

    Example:
        >>> figure = MetricResult(name="cells.spectrum", metric="js", unit="nat", n_generated=0,
        ...                 n_reference=900, reason="There are no generated showers.")
        >>> MetricResult.model_validate_json(figure.model_dump_json()) == figure
        True
    """

    name: str
    metric: str
    value: float | None = None
    error: float | None = Field(default=None, ge=0)
    noise_floor: float | None = None
    half_floor: float | None = None
    n_generated: int = Field(ge=0)
    n_reference: int = Field(ge=0)
    n_entries: int | None = None
    seed_spread: float | None = None
    generated_value: float | None = None
    reference_value: float | None = None
    telling_features: dict[str, float] | None = None
    unit: str = ""
    binning: Binning | None = None
    source: str = ""
    reason: str | None = None

    @model_validator(mode="after")
    def _has_a_value_or_a_reason(self) -> MetricResult:
        if (self.value is None) == (self.reason is None):
            msg = "a figure has either a value or a reason why it has none"
            raise ValueError(msg)
        return self


def format_with_error(value: float, error: float) -> str:
    """Text of a value and its error, to two digits of the error.

    Example:
        >>> format_with_error(17.98, 5.26), format_with_error(0.05, 0.011)
        ('18.0 ± 5.3', '0.050 ± 0.011')
        >>> format_with_error(342.2, 123.4), format_with_error(1.2345, 0.0)
        ('342 ± 123', '1.23')
    """
    if not error > 0:
        return f"{value:.3g}"
    digits = min(8, max(0, 1 - math.floor(math.log10(error))))
    return f"{value:.{digits}f} ± {error:.{digits}f}"
