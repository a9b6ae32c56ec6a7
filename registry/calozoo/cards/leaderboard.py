"""Leaderboard: models beside each other, from the measurements of their cards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Final, Literal

from calozoo.benchmark.measurements import Measurements
from calozoo.cards.metric_labels import (
    RATIOS,
    label,
    label_of_name,
    label_with_unit,
    sort_key,
    unit,
    value_text,
)
from calozoo.cards.physics_figures import different_samples, physics_figures
from calozoo.evaluation.literature import published_figures
from calozoo.physics.results import TITLES, PhysicsTest
from calozoo_core.errors import InputError
from calozoo_core.metrics.classifier import CLASSIFIER
from calozoo_core.metrics.comparison import worst_group
from calozoo_core.metrics.result import MetricResult

__all__ = [
    "COSTS",
    "METRICS",
    "STRUCTURE",
    "Cost",
    "Leaderboard",
    "LeaderboardRow",
    "LeaderboardValue",
    "leaderboard",
    "leaderboard_markdown",
    "leaderboard_notes",
]

Mark = Literal["best", "worst", ""]

METRICS: Final = ("js", "l1", "cfd")
STRUCTURE: Final = (
    (CLASSIFIER, "auc"),
    ("cells.occupancy", "ratio"),
    ("cells.centre_x", "width_ratio"),
    ("cells.centre_y", "width_ratio"),
    ("cells.position_x", "width_ratio"),
    ("cells.position_y", "width_ratio"),
    ("cells.hot_1e-3", "ratio"),
)
"""Figures of the classifier and ratios that are compared, in their order."""

AREA: Final = "AUC of a classifier on features of cells: 0.5 if it cannot tell; ratios: 1 is best."
DIVERGENCE: Final = "Jensen-Shannon divergences, between 0 and 6931; less is better."
CURVE: Final = "L1: mean distance of the ratio to Geant4's from 1; less is better."
FLOOR: Final = "Values below about twice the noise floor cannot be told apart, whoever is first."
CORRELATION: Final = "Frobenius distance of correlations; less is better."
PHYSICS: Final = (
    "Photon pairs and pi0: hadrons, tracks and conversions are left out and the reconstruction is "
    "not the papers', so ratios to Geant4 can be set beside theirs, absolute efficiencies cannot."
)
OTHER_EVENTS: Final = (
    "Photon pairs or tau events of some models are other ones: their noise floors, and Geant4's "
    "values, differ, and so their ranks."
)


_INTRODUCTION: Final = (
    "Written by `calozoo compare --markdown` from the measurements of the "
    "[cards](../cards/calozoo_cards); the **best** of each row is bold, the *worst* in italics. "
    "How it was measured: [The benchmark](benchmark.md)."
)


@dataclass(frozen=True)
class Cost:
    """Quantity of speed or size.

    Arguments:
        name: Name for programs.
        label: Label for readers.
        unit: Unit; empty if it has none.
        form: Format of its text.
        better: Whether a low or a high value is better.
        value: Value in some measurements; None if it was not measured.
    """

    name: str
    label: str
    unit: str
    form: str
    better: Literal["low", "high"]
    value: Callable[[Measurements], float | None]


def _speedup(name: str, label: str) -> Cost:
    def value(measured: Measurements) -> float | None:
        return getattr(measured.timings[0], name) if measured.timings else None

    return Cost(name, label, "", "{:.0f}", "high", value)


def _time(name: str, label: str, form: str) -> Cost:
    def value(measured: Measurements) -> float | None:
        return measured.timings[0].mean_ms(attrgetter(name)) if measured.timings else None

    return Cost(name, label, "ms", form, "low", value)


def _peak_mb(measured: Measurements) -> float | None:
    return measured.memory.peak_mb if measured.memory else None


def _startup_s(measured: Measurements) -> float | None:
    return measured.memory.startup_s if measured.memory else None


def _weights_mb(measured: Measurements) -> float | None:
    return None if measured.weights_bytes is None else measured.weights_bytes / 1e6


COSTS: Final = (
    _speedup("speedup", "times faster than Geant4, alone"),
    _speedup("batched_speedup", "times faster, in batches"),
    _speedup("placed_speedup", "times faster, alone and placed"),
    _speedup("batched_placed_speedup", "times faster, in batches and placed"),
    _time("single_ms", "a shower alone", "{:.2f}"),
    _time("batched_ms", "a shower in a batch", "{:.3f}"),
    Cost("peak_mb", "peak memory", "MB", "{:.0f}", "low", _peak_mb),
    Cost("startup_s", "start-up", "s", "{:.1f}", "low", _startup_s),
    Cost("weights_mb", "weights", "MB", "{:.2f}", "low", _weights_mb),
    Cost("parameters", "parameters", "", "{:,}", "low", attrgetter("parameters")),
)
"""Quantities of speed and size, in their order."""


@dataclass(frozen=True)
class LeaderboardValue:
    """Value of one model in one row.

    Arguments:
        text: Text that is printed.
        value: Number of the ranking; None if there is none.
    """

    text: str
    value: float | None


@dataclass(frozen=True)
class LeaderboardRow:
    """Row of a leaderboard: one quantity of all models.

    Arguments:
        label: Label with the unit.
        entries: Value of each model.
        better: Whether a low or a high value is better; None without a ranking.
        floor: Text of the noise floor; empty where there is none.
    """

    label: str
    entries: tuple[LeaderboardValue, ...]
    better: Literal["low", "high"] | None = "low"
    floor: str = ""

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Mark of each entry: best, worst or none; no marks if all are alike."""
        nothing: Mark = ""
        values = [entry.value for entry in self.entries if entry.value is not None]
        if self.better is None or len(set(values)) < 2:
            return tuple(nothing for _ in self.entries)
        best, worst = min(values), max(values)
        if self.better == "high":
            best, worst = worst, best
        marks: dict[float | None, Mark] = {best: "best", worst: "worst"}
        return tuple(marks.get(entry.value, nothing) for entry in self.entries)


@dataclass(frozen=True)
class Leaderboard:
    """Tables of measurements, with a column for each model.

    Arguments:
        models: Names of the models.
        tables: Rows of each table, by title.
        papers: Rows with values of the literature.
        notes: Remarks for the reader.
    """

    models: tuple[str, ...]
    tables: dict[str, tuple[LeaderboardRow, ...]]
    papers: tuple[LeaderboardRow, ...]
    notes: tuple[str, ...]


def leaderboard(measured: Sequence[Measurements]) -> Leaderboard:
    """Leaderboard of some models.

    Arguments:
        measured: Measurements of each model. Those against different references are compared too,
            and a note says so.

    Raises:
        InputError: If there are none.
    """
    if not measured:
        msg = "There are no cards to compare; `calozoo benchmark MODEL --out cards` makes one."
        raise InputError(msg)
    tables = {
        "How like Geant4's showers: classifier and ratios": _structure_rows(measured),
        "How good: cells of placed showers": _figure_rows(measured, "cells."),
        "How good: points": _figure_rows(measured, "points."),
        f"{TITLES['pairs']}: differences from Geant4": _physics_rows(measured, "pairs"),
        f"{TITLES['tau']}: differences from Geant4": _physics_rows(measured, "tau"),
        "How fast, how big": _cost_rows(measured),
    }
    return Leaderboard(
        models=tuple(one.spec.name for one in measured),
        tables={title: rows for title, rows in tables.items() if rows},
        papers=_paper_rows(measured),
        notes=leaderboard_notes(measured),
    )


def leaderboard_markdown(board: Leaderboard) -> str:
    """Leaderboard as a Markdown page: the best bold, the worst in italics."""
    around = {"best": "**", "worst": "*", "": ""}
    parts = [
        "# Leaderboard",
        _INTRODUCTION,
        "\n".join(f"- {note}" for note in board.notes),
    ]
    for title, rows in _with_papers(board).items():
        header = ["", *board.models, "noise floor"]
        lines = [header, ["---", *["---:"] * (len(header) - 1)]]
        for row in rows:
            marked = [
                f"{around[mark]}{entry.text}{around[mark]}"
                for entry, mark in zip(row.entries, row.marks, strict=True)
            ]
            lines.append([row.label, *marked, row.floor])
        parts += [f"## {title}", "\n".join("| " + " | ".join(line) + " |" for line in lines)]
    return "\n\n".join(parts) + "\n"


def _figure_rows(measured: Sequence[Measurements], level: str) -> tuple[LeaderboardRow, ...]:
    kinds: dict[tuple[str, str], MetricResult] = {}
    for one in measured:
        for key, figure in one.figures.items():
            if figure.name.startswith(level) and figure.metric in METRICS:
                kinds.setdefault(key, figure)
    rows = []
    for key, first in sorted(kinds.items(), key=lambda item: sort_key(item[1])):
        found = [one.figures.get(key) for one in measured]
        entries = tuple(map(_value, found))
        if all(entry.value is None for entry in entries):
            continue
        floors = [f.noise_floor for f in found if f is not None and f.noise_floor is not None]
        floor = value_text(floors[0], None, first.metric) if floors else ""
        rows.append(LeaderboardRow(label_with_unit(first), entries, floor=floor))
    return tuple(rows)


def _structure_rows(measured: Sequence[Measurements]) -> tuple[LeaderboardRow, ...]:
    """AUC of all features and of the worst group, and ratios, ranked by their distance from 1."""
    rows = []
    worst = [worst_group(one.figures.values()) for one in measured]
    for key in STRUCTURE:
        found = [one.figures.get(key) for one in measured]
        known = [figure for figure in found if figure is not None and figure.value is not None]
        if not known:
            continue
        floors = [figure.noise_floor for figure in known if figure.noise_floor is not None]
        sign = "±" if key[1] in RATIOS else ""
        floor = f"{sign}{value_text(floors[0], None, key[1])}" if floors else ""
        words = f"{label(known[0])}, over Geant4's" if sign else label(known[0])
        rows.append(LeaderboardRow(words, tuple(map(_value, found)), floor=floor))
        if key == (CLASSIFIER, "auc") and any(worst):
            rows.append(LeaderboardRow("AUC, worst group of features", tuple(map(_group, worst))))
    return tuple(rows)


def _physics_rows(
    measured: Sequence[Measurements], test: PhysicsTest
) -> tuple[LeaderboardRow, ...]:
    """Differences and divergences of reconstructed photons or pi0, ranked by their size.

    Models that were given other events have a row of their own.
    """
    rows = []
    for kinds in physics_figures(measured, test).values():
        first = next(iter(kinds.values()))
        found = [kinds.get(one.spec.name) for one in measured]
        floor = ""
        if first.noise_floor is not None:
            sign = "±" if first.metric == "difference" else ""
            floor = f"{sign}{value_text(first.noise_floor, None, first.metric)}"
        words = label_with_unit(first)
        truth = f", Geant4 {first.reference_value:.4g}" if first.reference_value is not None else ""
        rows.append(LeaderboardRow(words + truth, tuple(map(_value, found)), floor=floor))
    return tuple(rows)


def _group(figure: MetricResult | None) -> LeaderboardValue:
    entry = _value(figure)
    if figure is None:
        return entry
    return replace(entry, text=f"{entry.text} ({label(figure).removeprefix('AUC, ')})")


def _value(figure: MetricResult | None) -> LeaderboardValue:
    if figure is None or figure.value is None:
        return LeaderboardValue("-", None)
    best = 1 if figure.metric in RATIOS else 0
    distance = abs(figure.value - best)
    return LeaderboardValue(value_text(figure.value, figure.error, figure.metric), distance)


def _paper_rows(measured: Sequence[Measurements]) -> tuple[LeaderboardRow, ...]:
    """Values of the literature, not ranked: their machines, samples and bins are others."""
    found = {one.spec.name: published_figures(one.spec.name) for one in measured}
    kinds = {
        (figure.paper, figure.table, figure.name, figure.metric): figure.note
        for figures in found.values()
        for figure in figures
    }
    rows = []
    for kind, note in kinds.items():
        entries = []
        for one in measured:
            same = [f for f in found[one.spec.name] if (f.paper, f.table, f.name, f.metric) == kind]
            text = "-"
            if same:
                value, error = same[0].value, same[0].error
                text = f"{value:g} ± {error:g}" if note else value_text(value, error, kind[3])
            entries.append(LeaderboardValue(text, None))
        paper, table, name, metric = kind
        words = label_of_name(name)
        if note:
            words = f"{words} (no unit printed)"
        elif unit(metric):
            words = f"{words} [{unit(metric)}]"
        rows.append(LeaderboardRow(f"{paper}, {table}: {words}", tuple(entries), better=None))
    return tuple(rows)


def _cost_rows(measured: Sequence[Measurements]) -> tuple[LeaderboardRow, ...]:
    rows = []
    for cost in COSTS:
        values = [cost.value(one) for one in measured]
        if any(value is not None for value in values):
            words = f"{cost.label} [{cost.unit}]" if cost.unit else cost.label
            entries = tuple(
                LeaderboardValue("-" if v is None else cost.form.format(v), v) for v in values
            )
            rows.append(LeaderboardRow(words, entries, cost.better))
    return tuple(rows)


def leaderboard_notes(measured: Sequence[Measurements]) -> tuple[str, ...]:
    """Remarks on the figures, samples and machines of some models."""
    has_structure = any((CLASSIFIER, "auc") in one.figures for one in measured)
    notes = [*([AREA] if has_structure else []), DIVERGENCE, CURVE, CORRELATION, FLOOR]
    if any(one.physics for one in measured):
        notes.append(PHYSICS)
    if different_samples(measured):
        notes.append(OTHER_EVENTS)
    samples = {
        (one.sample.n_showers, one.sample.reference, one.sample.seed): one for one in measured
    }
    for n, reference, _ in samples:
        names = [
            one.spec.name
            for one in measured
            if (one.sample.n_showers, one.sample.reference) == (n, reference)
        ]
        whose = "" if len(samples) == 1 else f"{', '.join(names)}: "
        notes.append(
            f"{whose}{n} photons placed in {measured[0].sample.detector}, "
            f"against as many of {reference}."
        )
    if len(samples) > 1:
        notes.append("These are different samples: their noise floors differ, and so their ranks.")
    machines = {one.machine.model_dump_json(exclude={"packages"}): one.machine for one in measured}
    notes += [
        f"Measured on {machine.processor}, {machine.cores} cores, {machine.system}."
        for machine in machines.values()
    ]
    if len(machines) > 1:
        notes.append("Times of different machines cannot be compared; speed-ups can, roughly.")
    return tuple(notes)


def _with_papers(board: Leaderboard) -> dict[str, tuple[LeaderboardRow, ...]]:
    papers = {"What papers print, on their own samples and machines": board.papers}
    return board.tables | (papers if board.papers else {})
