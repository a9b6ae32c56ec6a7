"""Table of `calozoo evaluate`: figures with errors and noise floors, beside the literature."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from calozoo.cards.metric_labels import RATIOS, figures_by_part, label
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
}
"""Label, unit, and size of the unit of each metric of the first table."""

_RESPONSE = ("visible_energy", "response", "resolution", "linearity")


def evaluation_text(report: EvaluationReport) -> str:
    """Table of an evaluation report.

    The separation power, which says nearly the same as the divergence, is left to the JSON.

    Arguments:
        report: Report of one generated sample.
    """
    footnotes: dict[str, str] = {}
    if report.generated.cells == "voxels":
        return _voxels_text(report, footnotes)
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
    tables = [
        table,
        *(aligned(part) for part in _structure_tables(report, footnotes) if len(part) > 1),
    ]
    return "\n".join(
        [
            *_head(report),
            *(f"\n{part}" for part in tables),
            *_remarks(report, footnotes),
        ]
    )


def _remarks(report: EvaluationReport, footnotes: dict[str, str]) -> Iterator[str]:
    if footnotes or report.notes:
        yield ""
    yield from (f"{mark} {text}" for text, mark in footnotes.items())
    yield from (f"Note: {note}" for note in report.notes)


def _voxels_text(report: EvaluationReport, footnotes: dict[str, str]) -> str:
    """Tables of the CaloChallenge's figures: separation powers, then of all features at once."""
    whole = [f for f in report.figures if "@" not in f.name]
    powers = [f for f in whole if f.metric == "separation"]
    rows = [("SEPARATION POWER [1e-3]", "VALUE", "FLOOR", "WORST LAYER")]
    for figure in powers:
        name = f"  {figure.name.partition('.')[2]}" + (" (mean)" if figure.n_entries else "")
        rows.append((name, *_scaled(figure, 1e3, footnotes), _worst_layer(report, figure.name)))
    tables = [aligned(rows)]
    others = [f for f in whole if f.metric != "separation"]
    if others:
        head = ("HIGH-LEVEL FEATURES", "VALUE", "FLOOR", "PUBLISHED")
        scales = {"auc": 1.0, "fpd": 1e3, "kpd": 1e3}
        names = {"auc": "  AUC", "fpd": "  FPD [1e-3]", "kpd": "  KPD [1e-3]"}
        tables.append(
            aligned(
                [
                    head,
                    *(
                        (
                            names[f.metric],
                            *_scaled(f, scales[f.metric], footnotes),
                            _papers(f, report.published, 1 / scales[f.metric], footnotes),
                        )
                        for f in others
                    ),
                ]
            )
        )
    text = [*_head(report), *(f"\n{part}" for part in tables), *_remarks(report, footnotes)]
    return "\n".join(text)


def _worst_layer(report: EvaluationReport, name: str) -> str:
    layers = [f for f in report.figures if f.name.startswith(f"{name}@") and f.value is not None]
    worst = max(layers, key=lambda figure: figure.value or 0.0, default=None)
    if worst is None:
        return ""
    return f"{1e3 * (worst.value or 0.0):.3g} in {worst.name.partition('@')[2]}"


def _scaled(figure: MetricResult, factor: float, footnotes: dict[str, str]) -> tuple[str, str]:
    """Value and floor of a figure, in units of one over the factor."""
    if figure.value is None:
        return f"- {_mark(figure.reason or '', footnotes)}", ""
    floor = "" if figure.noise_floor is None else _rounded(figure.noise_floor * factor)
    return format_with_error(figure.value * factor, (figure.error or 0) * factor), floor


def _head(report: EvaluationReport) -> Iterator[str]:
    samples = [("generated", report.generated), ("reference", report.reference)]
    yield from aligned([_sample(what, sample) for what, sample in samples]).splitlines()
    what = "voxels" if report.generated.cells == "voxels" else "cells"
    yield f"{what} of {report.readout}, from {report.threshold_mev:.4g} MeV"


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
    return (*head, value, floor, _papers(figure, published, scale, footnotes))


def _papers(
    figure: MetricResult,
    published: tuple[PublishedFigure, ...],
    scale: float,
    footnotes: dict[str, str],
) -> str:
    return "   ".join(
        f"{_printed(p, scale)} {_mark(_paper(p), footnotes)}"
        for p in published
        if (p.name, p.metric) == (figure.name, figure.metric)
    )


def _structure_tables(
    report: EvaluationReport, footnotes: dict[str, str]
) -> Iterator[list[tuple[str, ...]]]:
    """Tables of the classifier, worst group first, and of ratios: whole, by energy, by radius."""
    figures = report.figures
    aucs = [f for f in figures if f.metric == "auc"]
    if aucs:
        first, *groups = aucs
        rows: list[tuple[str, ...]] = [
            ("CLASSIFIER", "AUC", "FLOOR", "PUBLISHED", "MOST TELLING FEATURES, EACH ALONE")
        ]
        if first.value is None:
            rows.append(("  all features", f"- {_mark(first.reason or '', footnotes)}", "", "", ""))
        else:
            groups.sort(key=lambda figure: -(figure.value or 0.0))
            rows += [_classifier_row(f, report.published, footnotes) for f in (first, *groups)]
        yield rows
    whole = [f for f in figures if f.metric in RATIOS and "@" not in f.name]
    yield [
        ("RATIO TO THE REFERENCE", "RATIO", "FLOOR", "GENERATED", "REFERENCE", "", ""),
        *(_ratio_row(figure, footnotes) for figure in whole),
    ]
    for title, unit in (("ENERGY", "GeV"), ("RADIUS", "mm")):
        parts = figures_by_part(figures, unit)
        kinds = list(dict.fromkeys(kind for row in parts.values() for kind in row))
        yield [
            (title, *kinds),
            *(
                (f"  {part}", *(_ratio_text(row.get(kind), footnotes) for kind in kinds))
                for part, row in parts.items()
            ),
        ]


def _classifier_row(
    figure: MetricResult, published: tuple[PublishedFigure, ...], footnotes: dict[str, str]
) -> tuple[str, ...]:
    name = label(figure).removeprefix("AUC, ")
    floor = "" if figure.noise_floor is None else f"{figure.noise_floor:.3f}"
    telling = (figure.telling_features or {}).items()
    return (
        f"  {name}",
        format_with_error(figure.value or 0.0, figure.error or 0.0),
        floor,
        _papers(figure, published, 1.0, footnotes),
        "; ".join(f"{feature} {auc:.2f}" for feature, auc in telling),
    )


def _ratio_row(figure: MetricResult, footnotes: dict[str, str]) -> tuple[str, ...]:
    text = _ratio_text(figure, footnotes)
    if figure.generated_value is None or figure.reference_value is None:
        return (f"  {label(figure)}", text, "", "", "", "", "")
    return (
        f"  {label(figure)}",
        text,
        "" if figure.noise_floor is None else f"±{_rounded(figure.noise_floor)}",
        f"{figure.generated_value:.4g}",
        f"{figure.reference_value:.4g}",
        figure.unit,
        figure.source,
    )


def _ratio_text(figure: MetricResult | None, footnotes: dict[str, str]) -> str:
    if figure is None:
        return "-"
    if figure.value is None:
        return f"- {_mark(figure.reason or '', footnotes)}"
    return format_with_error(figure.value, figure.error or 0.0)


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
