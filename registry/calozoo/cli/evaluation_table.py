"""Table of `calozoo evaluate`: figures with errors and noise floors, beside the literature."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from calozoo.cli.output import aligned
from calozoo_core.metrics.result import format_with_error

if TYPE_CHECKING:
    from calozoo.evaluation.evaluate import EvaluationReport
    from calozoo.evaluation.literature import PublishedFigure
    from calozoo.evaluation.plan import SampleRecord
    from calozoo_core.metrics.result import MetricResult

__all__ = ["evaluation_text"]

GROUPS = {
    "points": "POINTS",
    "cells": "CELLS",
    "response": "RESPONSE",
    "angles": "ANGLES",
    "correlations": "CORRELATIONS",
    "features": "FEATURES",
}

METRICS = {
    "js": ("JS", "1e-4", 1e-4),
    "l1": ("L1", "%", 1e-2),
    "cfd": ("CFD", "", 1.0),
    "fpd": ("FPD", "1e-4", 1e-4),
    "kpd": ("KPD", "1e-4", 1e-4),
    "auc": ("AUC", "", 1.0),
}
"""Label, unit, and size of the unit of each metric."""

_RESPONSE = ("visible_energy", "response", "resolution", "linearity")


def evaluation_text(report: EvaluationReport) -> str:
    """Table of an evaluation report.

    The separation power, which says nearly the same as the divergence, is left to the JSON.

    Arguments:
        report: Report of one generated sample.
    """
    footnotes: dict[str, str] = {}
    rows: list[tuple[str, ...]] = []
    for group, title in GROUPS.items():
        figures = [f for f in report.figures if f.metric in METRICS and _group(f) == group]
        if not figures:
            continue
        rows.append(("", "", "", "", ""))
        reasons = {f.reason for f in figures}
        if len(figures) > 1 and len(reasons) == 1 and (reason := figures[0].reason):
            rows.append((title, "", f"- {_mark(reason, footnotes)}", "", ""))
            continue
        rows.append((title, "", "", "", ""))
        rows += [_row(figure, report.published, footnotes) for figure in figures]
    table = aligned([("FIGURE", "METRIC", "VALUE", "FLOOR", "PUBLISHED"), *rows])
    return "\n".join(
        [
            *_head(report),
            "",
            table,
            *([""] if footnotes or report.notes else []),
            *(f"{mark} {text}" for text, mark in footnotes.items()),
            *(f"Note: {note}" for note in report.notes),
        ]
    )


def _head(report: EvaluationReport) -> Iterator[str]:
    samples = [("generated", report.generated), ("reference", report.reference)]
    yield from aligned([_sample(what, sample) for what, sample in samples]).splitlines()
    yield f"cells of {report.readout}, from {report.threshold_mev:g} MeV"


def _sample(what: str, sample: SampleRecord) -> tuple[str, ...]:
    made_by = sample.generator.partition(" ")[0]  # what follows are settings
    showers = f"{sample.n_showers} {sample.representation} showers of {sample.particle}"
    return what, sample.file, showers, f"by {made_by}"


def _group(figure: MetricResult) -> str:
    level, _, quantity = figure.name.partition(".")
    if level == "points":
        return "points"
    if quantity == "features":
        return "features"
    if quantity.endswith("_correlation"):
        return "correlations"
    if quantity.partition("_")[0] in ("phi", "theta", "angle"):
        return "angles"
    return "response" if quantity in _RESPONSE else "cells"


def _row(
    figure: MetricResult, published: tuple[PublishedFigure, ...], footnotes: dict[str, str]
) -> tuple[str, ...]:
    metric, unit, scale = METRICS[figure.metric]
    name = f"  {figure.name.partition('.')[2]}"
    head = (name, f"{metric} [{unit}]" if unit else metric)
    if figure.value is None:
        return (*head, f"- {_mark(figure.reason or '', footnotes)}", "", "")
    value = format_with_error(figure.value / scale, (figure.error or 0) / scale)
    floor = "" if figure.noise_floor is None else _rounded(figure.noise_floor / scale)
    papers = [
        f"{_printed(p, scale)} {_mark(_paper(p), footnotes)}"
        for p in published
        if (p.name, p.metric) == (figure.name, figure.metric)
    ]
    return (*head, value, floor, "   ".join(papers))


def _rounded(value: float) -> str:
    """Text of a number with two digits, and no exponent."""
    digits = 1 - math.floor(math.log10(abs(value))) if value else 0
    return f"{round(value, digits):.{max(digits, 0)}f}"


def _printed(figure: PublishedFigure, scale: float) -> str:
    # A row whose unit nobody knows is shown as it is printed.
    by = 1.0 if figure.note else scale
    return format_with_error(figure.value / by, figure.error / by)


def _paper(figure: PublishedFigure) -> str:
    text = f"{figure.paper}, {figure.table}: {figure.sample}."
    return f"{text} {figure.note}" if figure.note else text


def _mark(text: str, footnotes: dict[str, str]) -> str:
    return footnotes.setdefault(text, f"[{len(footnotes) + 1}]")
