"""Leaderboard as an interactive HTML page: charts and a table that can be chosen and sorted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any, Final

from calozoo.benchmark.measurements import Measurements
from calozoo.cards.leaderboard import (
    COSTS,
    METRICS,
    STRUCTURE,
    leaderboard_notes,
)
from calozoo.cards.metric_labels import RATIOS, label, scale, sort_key, unit, value_text
from calozoo.cards.physics_figures import physics_figures
from calozoo.evaluation.literature import PublishedFigure, published_figures
from calozoo.physics.results import TITLES
from calozoo.plotting.html_page import html_page, vega_library
from calozoo_core.errors import InputError
from calozoo_core.metrics.classifier import CLASSIFIER
from calozoo_core.metrics.comparison import worst_group
from calozoo_core.metrics.result import MetricResult

__all__ = ["leaderboard_page", "page_data", "reproducing_command"]

TITLE: Final = "calozoo: leaderboard"
WORST_GROUP: Final = "worst_group"

GROUPS: Final = {
    "structure": "How like Geant4's showers",
    "cells": "Distributions of cells",
    "points": "Distributions of points",
    "pairs": "Photon pairs, photons only",
    "tau": "Pi0 of tau decays, photons only",
    "cost": "How fast, how big",
}
"""Groups of figures, in the order of the page."""

SHOWN_FIRST: Final = (
    f"{CLASSIFIER}/auc",
    WORST_GROUP,
    "cells.occupancy/ratio",
    "cells.radial_energy_30/js",
    "cells.spectrum/js",
    "cells.visible_energy/js",
    "cost/single_ms",
    "cost/speedup",
)
"""Figures that are chosen when the page opens."""


def leaderboard_page(measured: Sequence[Measurements], card_link: Callable[[str], str]) -> str:
    """Interactive page of some models, which needs no other file.

    Arguments:
        measured: Measurements of each model.
        card_link: Address of a model's card, given its name.

    Returns:
        The text of the page.

    Raises:
        InputError: If there are no measurements.
        CalozooError: If the plotting library is not installed.
    """
    return html_page(
        files(__name__),
        title=TITLE,
        data=page_data(measured, card_link),
        libraries=[vega_library()],
    )


def page_data(measured: Sequence[Measurements], card_link: Callable[[str], str]) -> dict[str, Any]:
    """Data of the page: models, figures, and the value of each figure of each model.

    Arguments:
        measured: Measurements of each model.
        card_link: Address of a model's card, given its name.

    Raises:
        InputError: If there are no measurements.
    """
    if not measured:
        msg = "There are no cards to compare; `calozoo benchmark MODEL --out cards` makes one."
        raise InputError(msg)
    figures = _figures(measured)
    shown = [name for name in SHOWN_FIRST if name in figures]
    return {
        "groups": GROUPS,
        "models": [_model(one, card_link(one.spec.name)) for one in measured],
        "figures": list(figures.values()),
        "shown": shown or list(figures)[:6],
        "values": {
            one.spec.name: {name: v for name, v in _values(one).items() if name in figures}
            for one in measured
        },
        "notes": list(leaderboard_notes(measured)),
    }


def reproducing_command(measured: Measurements) -> str:
    """Command that measures a model again, with the sample and the rounds of its card."""
    sample = measured.sample
    parts = [f"calozoo benchmark {measured.spec.name}"]
    if sample.reference_sha256 is not None:
        parts.append(f"--reference {sample.reference}")
    else:
        parts.append(f"--showers {sample.n_showers // max(1, len(sample.energies_gev))}")
    if measured.timings:
        parts.append(f"--repeats {measured.timings[0].rounds}")
        if measured.timings[0].geant4 is None:
            parts.append("--no-geant4")
    else:
        parts.append("--no-speed")
    if sample.points_reference is not None:
        parts.append("--points")
    if measured.fidelity[0].extrapolated:
        parts.append("--extrapolate")
    if sample.seed:
        parts.append(f"--seed {sample.seed}")
    return " ".join([*parts, "--out cards"])


def _model(one: Measurements, card: str) -> dict[str, Any]:
    machine, sample, spec = one.machine, one.sample, one.spec
    timed = ""
    if one.timings:
        first = one.timings[0]
        threads = "1 thread" if first.threads == 1 else f"{first.threads} threads"
        timed = f"{threads}, {first.precision}, median of {first.rounds} rounds"
    return {
        "name": spec.name,
        "summary": spec.summary,
        "representation": spec.representation,
        "trained": spec.weights is not None,
        "papers": list(spec.papers),
        "card": card,
        "command": reproducing_command(one),
        "hardware": f"{machine.processor}, {machine.cores} cores, {machine.system}, "
        f"Python {machine.python}",
        "timed": timed,
        "sample": f"{sample.n_showers} photons against as many of {sample.reference}",
    }


def _figures(measured: Sequence[Measurements]) -> dict[str, dict[str, Any]]:
    """Description of every figure that a model has, by its name on the page."""
    kinds = {
        key: figure
        for one in reversed(measured)
        for key, figure in one.figures.items()
        if figure.value is not None
    }
    structure = [kinds[key] for key in STRUCTURE if key in kinds]
    found = {_id(figure): _described(figure, "structure") for figure in structure}
    if any(worst_group(one.figures.values()) for one in measured):
        found[WORST_GROUP] = {
            "id": WORST_GROUP,
            "label": "AUC, worst group of features",
            "unit": "",
            "group": "structure",
            "best": 0.5,
        }
        found = {name: found[name] for name in sorted(found, key=_structure_order)}
    for level in ("cells", "points"):
        of_level = [f for f in kinds.values() if f.name.startswith(f"{level}.")]
        distances = [f for f in of_level if f.metric in METRICS]
        found |= {_id(f): _described(f, level) for f in sorted(distances, key=sort_key)}
    for test in TITLES:
        for of_kind in physics_figures(measured, test).values():
            figure = next(iter(of_kind.values()))
            found[_id(figure)] = _described(figure, test)
    for cost in COSTS:
        if any(cost.value(one) is not None for one in measured):
            found[f"cost/{cost.name}"] = {
                "id": f"cost/{cost.name}",
                "label": cost.label,
                "unit": cost.unit,
                "group": "cost",
                "best": "low" if cost.better == "low" else "high",
            }
    return found


def _structure_order(name: str) -> int:
    """AUC of all features, then of the worst group, then ratios as they are."""
    return {f"{CLASSIFIER}/auc": 0, WORST_GROUP: 1}.get(name, 2)


def _id(figure: MetricResult) -> str:
    return f"{figure.name}/{figure.metric}"


def _described(figure: MetricResult, group: str) -> dict[str, Any]:
    is_ratio, is_difference = figure.metric in RATIOS, figure.metric == "difference"
    suffix = ", over Geant4's" if is_ratio else ", minus Geant4's" if is_difference else ""
    described = {
        "id": _id(figure),
        "label": f"{label(figure)}{suffix}",
        "unit": figure.unit if is_difference else unit(figure.metric),
        "group": group,
        "best": 1.0 if is_ratio else 0.5 if figure.metric == "auc" else 0.0,
    }
    return described | ({"signed": True} if is_difference else {})


def _values(one: Measurements) -> dict[str, dict[str, Any]]:
    """Values of a model, in the units of the page, by figure."""
    papers: dict[tuple[str, str], list[PublishedFigure]] = {}
    for paper in published_figures(one.spec.name):
        papers.setdefault((paper.name, paper.metric), []).append(paper)
    values = {
        _id(figure): _value(figure) | _printed(papers.get(key, []))
        for key, figure in (one.figures | one.physics_figures).items()
        if figure.value is not None
    }
    worst = worst_group(one.figures.values())
    if worst is not None:
        values[WORST_GROUP] = _value(worst) | {"detail": label(worst).removeprefix("AUC, ")}
    for cost in COSTS:
        number = cost.value(one)
        if number is not None:
            values[f"cost/{cost.name}"] = {"value": number, "text": cost.form.format(number)}
    return values


def _value(figure: MetricResult) -> dict[str, Any]:
    """Value, error and noise floor of a figure, and whether it is within its noise floor.

    A distance, or the distance of a ratio from 1, cannot be told from none below twice its noise
    floor; an AUC, within two errors of its own.
    """
    assert figure.value is not None
    factor = scale(figure.metric)
    entry: dict[str, Any] = {
        "value": figure.value * factor,
        "text": value_text(figure.value, figure.error, figure.metric),
    }
    if figure.error is not None:
        entry["error"] = figure.error * factor
    if figure.noise_floor is not None:
        entry["floor"] = figure.noise_floor * factor
        if figure.metric == "auc":
            limit = figure.noise_floor + 2 * (figure.error or 0)
            entry["within"] = figure.value <= limit
        else:
            distance = abs(figure.value - (1 if figure.metric in RATIOS else 0))
            entry["within"] = distance <= 2 * figure.noise_floor
    return entry


def _printed(papers: Sequence[PublishedFigure]) -> dict[str, Any]:
    if not papers:
        return {}
    return {
        "papers": [
            {
                "value": None if paper.note else paper.value * scale(paper.metric),
                "error": paper.error * scale(paper.metric),
                "text": f"{paper.value:g} ± {paper.error:g} (no unit printed)"
                if paper.note
                else value_text(paper.value, paper.error, paper.metric),
                "where": f"{paper.paper}, {paper.table}",
                "url": paper.url,
            }
            for paper in papers
        ]
    }
