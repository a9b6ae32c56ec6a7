"""Tables of the physics benchmark, on docs/reconstruction.md.

`python -m studies.events.physics_tables --write docs/reconstruction.md` makes them of the cards,
which hold what `calozoo physics ... --out cards/calozoo_cards` measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from calozoo.cards.card import read_cards
from calozoo.cards.metric_labels import value_text, with_unit
from calozoo.evaluation.literature import published_figures
from calozoo.physics.results import TITLES, PhysicsResult, PhysicsTest
from calozoo_core.markdown import table, write_block
from calozoo_core.metrics.result import MetricResult

__all__ = ["TESTS", "SameEvents", "card_results", "main", "tables"]

TESTS: Final[tuple[PhysicsTest, ...]] = ("pairs", "tau")
CARDS: Final = Path(__file__).parents[2] / "cards" / "calozoo_cards"


@dataclass(frozen=True)
class SameEvents:
    """Figures of models that reconstructed the same events: of pairs, those of one energy.

    Arguments:
        test: The test.
        events: Number of events of each sample, by its name.
        seeds: Number of seeds by model.
        figures: Figures by model, in one order.
    """

    test: PhysicsTest
    events: dict[str, int]
    seeds: dict[str, int] = field(default_factory=dict)
    figures: dict[str, list[MetricResult]] = field(default_factory=dict)


def card_results(test: PhysicsTest) -> list[SameEvents]:
    """Results of a test as the cards have them: those of the same events together.

    Arguments:
        test: The test.
    """
    groups: dict[tuple[str, ...], SameEvents] = {}
    for measured in read_cards(CARDS):
        for result in measured.physics:
            if result.test == test:
                _add(groups, measured.spec.name, result)
    return sorted(groups.values(), key=lambda same: list(_by_energy(same)))


def tables(same: SameEvents) -> str:
    """Figures of all models in Markdown, a model a row, and below what papers print of them.

    Arguments:
        same: Figures of the same events.
    """
    first = next(iter(same.figures.values()))
    heads = [with_unit(f"`{_quantity(figure)}`", figure) for figure in first]
    rows = [
        ("Geant4", "1", *map(_truth, first)),
        ("noise floor", "1", *map(_floor, first)),
        *(
            (f"`{name}`", str(same.seeds[name]), *map(_text, figures))
            for name, figures in same.figures.items()
        ),
    ]
    counts = ", ".join(f"{n} in `{name}`" for name, n in same.events.items())
    parts = [
        f"**{TITLES[same.test]}.** Events: {counts}. Differences from Geant4, and divergences.",
        table(("", "seeds", *heads), rows),
    ]
    printed = {name: [_printed(name, figure) for figure in first] for name in same.figures}
    columns = [i for i, _ in enumerate(first) if any(texts[i] for texts in printed.values())]
    if columns:
        papers = [
            (f"`{name}`", *(texts[i] for i in columns))
            for name, texts in printed.items()
            if any(texts)
        ]
        parts += [
            "The same divergences in the paper, on its samples:",
            table(("", *(heads[i] for i in columns)), papers),
        ]
    return "\n\n".join(parts)


def _add(groups: dict[tuple[str, ...], SameEvents], model: str, result: PhysicsResult) -> None:
    """Put the figures of a result where those of the same events are."""
    for figure in result.figures:
        primaries = result.primaries_of(figure.name)
        samples = {
            name: sample
            for name, sample in result.samples.items()
            if sample.primaries_sha256 in primaries
        }
        events = {name: sample.n_events for name, sample in samples.items()}
        same = groups.setdefault(primaries, SameEvents(result.test, events))
        (same.seeds[model],) = {sample.seeds for sample in samples.values()}
        same.figures.setdefault(model, []).append(figure)


def _by_energy(same: SameEvents) -> list[tuple[int, str]]:
    """Names of samples in an order that takes energies as numbers."""
    return [(len(name), name) for name in same.events]


def _quantity(figure: MetricResult) -> str:
    """Name of a figure without test and energy."""
    return figure.name.rpartition(".")[2]


def _truth(figure: MetricResult) -> str:
    return "" if figure.reference_value is None else f"{figure.reference_value:.4g}"


def _text(figure: MetricResult) -> str:
    if figure.value is None:
        return "-"
    return value_text(figure.value, figure.error, figure.metric)


def _floor(figure: MetricResult) -> str:
    if figure.noise_floor is None:
        return ""
    sign = "±" if figure.metric == "difference" else ""
    return f"{sign}{value_text(figure.noise_floor, None, figure.metric)}"


def _printed(model: str, figure: MetricResult) -> str:
    papers = published_figures(model, figure.name, figure.metric)
    return "; ".join(value_text(one.value, one.error, one.metric) for one in papers)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the tables into a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, required=True, help="page with the block of tables")
    options = parser.parse_args(arguments)
    text = "\n\n".join(tables(same) for test in TESTS for same in card_results(test))
    write_block(options.write, "physics", text)


if __name__ == "__main__":
    main()
