"""Models beside each other, from the measurements of their cards: best and worst marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from calozoo.benchmark.measurements import Measurements
from calozoo.cards.literature import published_figures
from calozoo.cards.metric_labels import LABELS, label, printed, sort_key, unit
from calozoo_core.errors import InputError
from calozoo_core.metrics.result import MetricResult

__all__ = ["Entry", "Leaderboard", "Row", "leaderboard"]

Mark = Literal["best", "worst", ""]

METRICS: Final = ("js", "l1", "cfd")
DIVERGENCE: Final = "Jensen-Shannon divergences, between 0 and 6931; less is better."
CURVE: Final = "L1: mean distance of the ratio to Geant4's from 1; less is better."
FLOOR: Final = "Values below about twice the noise floor cannot be told apart, whoever is first."
CORRELATION: Final = "Frobenius distance of correlations; less is better."


@dataclass(frozen=True)
class Entry:
    """What one model has in one row.

    Arguments:
        text: As it is printed.
        value: What it is ranked by; None if it is not there.
    """

    text: str
    value: float | None


@dataclass(frozen=True)
class Row:
    """One thing that was measured of several models.

    Arguments:
        label: In words, with the unit.
        entries: One a model.
        better: Whether a low or a high value is good; None where neither is.
        floor: What chance alone gives; empty where it gives nothing.
    """

    label: str
    entries: tuple[Entry, ...]
    better: Literal["low", "high"] | None = "low"
    floor: str = ""

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Which entries are the best and the worst; none of them if they are all alike."""
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
    """Tables of rows, each with a title.

    Arguments:
        models: Their names, one a column.
        tables: By title.
        papers: What papers print of these models.
        notes: What must be known to read them.
    """

    models: tuple[str, ...]
    tables: dict[str, tuple[Row, ...]]
    papers: tuple[Row, ...]
    notes: tuple[str, ...]


def leaderboard(measured: Sequence[Measurements]) -> Leaderboard:
    """The leaderboard of some models.

    Arguments:
        measured: Of each model; they need not be measured against the same reference, which is
            said then.

    Raises:
        InputError: If there are none.
    """
    if not measured:
        msg = "There are no cards to compare; `calozoo benchmark MODEL --out cards` makes one."
        raise InputError(msg)
    tables = {
        "How good: cells of placed showers": _figure_rows(measured, "cells."),
        "How good: points": _figure_rows(measured, "points."),
        "How fast, how big": _cost_rows(measured),
    }
    return Leaderboard(
        models=tuple(one.spec.name for one in measured),
        tables={title: rows for title, rows in tables.items() if rows},
        papers=_paper_rows(measured),
        notes=_notes(measured),
    )


def _figure_rows(measured: Sequence[Measurements], level: str) -> tuple[Row, ...]:
    kinds: dict[tuple[str, str], MetricResult] = {}
    for one in measured:
        for key, figure in one.figures.items():
            if figure.name.startswith(level) and figure.metric in METRICS:
                kinds.setdefault(key, figure)
    rows = []
    for key, first in sorted(kinds.items(), key=lambda item: sort_key(item[1])):
        found = [one.figures.get(key) for one in measured]
        entries = tuple(map(_entry, found))
        if all(entry.value is None for entry in entries):
            continue
        floors = [f.noise_floor for f in found if f is not None and f.noise_floor is not None]
        floor = printed(floors[0], None, first.metric) if floors else ""
        rows.append(Row(_named(label(first), first.metric), entries, floor=floor))
    return tuple(rows)


def _entry(figure: MetricResult | None) -> Entry:
    if figure is None or figure.value is None:
        return Entry("-", None)
    return Entry(printed(figure.value, figure.error, figure.metric), figure.value)


def _named(words: str, metric: str) -> str:
    return f"{words} [{unit(metric)}]" if unit(metric) else words


def _paper_rows(measured: Sequence[Measurements]) -> tuple[Row, ...]:
    """What is printed of each model, not ranked: machines, samples and bins are others."""
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
                text = f"{value:g} ± {error:g}" if note else printed(value, error, kind[3])
            entries.append(Entry(text, None))
        paper, table, name, metric = kind
        words = LABELS.get(name, name)
        words = f"{words} (no unit printed)" if note else _named(words, metric)
        rows.append(Row(f"{paper}, {table}: {words}", tuple(entries), better=None))
    return tuple(rows)


def _cost_rows(measured: Sequence[Measurements]) -> tuple[Row, ...]:
    columns: tuple[
        tuple[str, Callable[[Measurements], float | None], str, Literal["low", "high"]], ...
    ] = (
        ("times faster than Geant4, alone", lambda m: _first(m, "speedup"), "{:.0f}", "high"),
        (
            "times faster, in batches",
            lambda m: _first(m, "batched_speedup"),
            "{:.0f}",
            "high",
        ),
        (
            "times faster, alone and placed",
            lambda m: _first(m, "placed_speedup"),
            "{:.0f}",
            "high",
        ),
        (
            "times faster, in batches and placed",
            lambda m: _first(m, "batched_placed_speedup"),
            "{:.0f}",
            "high",
        ),
        (
            "a shower alone [ms]",
            lambda m: m.timings[0].mean_ms(lambda row: row.single_ms) if m.timings else None,
            "{:.2f}",
            "low",
        ),
        (
            "a shower in a batch [ms]",
            lambda m: m.timings[0].mean_ms(lambda row: row.batched_ms) if m.timings else None,
            "{:.3f}",
            "low",
        ),
        ("peak memory [MB]", lambda m: m.memory.peak_mb if m.memory else None, "{:.0f}", "low"),
        ("start-up [s]", lambda m: m.memory.startup_s if m.memory else None, "{:.1f}", "low"),
        (
            "weights [MB]",
            lambda m: None if m.weights_bytes is None else m.weights_bytes / 1e6,
            "{:.2f}",
            "low",
        ),
        ("parameters", lambda m: m.parameters, "{:,}", "low"),
    )
    rows = []
    for words, value_of, form, better in columns:
        values = [value_of(one) for one in measured]
        if any(value is not None for value in values):
            entries = tuple(Entry("-" if v is None else form.format(v), v) for v in values)
            rows.append(Row(words, entries, better))
    return tuple(rows)


def _first(measurements: Measurements, name: str) -> float | None:
    if not measurements.timings:
        return None
    value: float | None = getattr(measurements.timings[0], name)
    return value


def _notes(measured: Sequence[Measurements]) -> tuple[str, ...]:
    notes = [DIVERGENCE, CURVE, CORRELATION, FLOOR]
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
