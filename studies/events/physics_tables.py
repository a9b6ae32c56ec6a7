"""Tables of the physics benchmark, on docs/reconstruction.md.

`python -m studies.events.physics_tables --write docs/reconstruction.md` makes them of the cards,
which hold what `calozoo physics ... --out cards/calozoo_cards` measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from calozoo.cards.card import read_cards
from calozoo.cards.metric_labels import label_with_unit, value_text
from calozoo.evaluation.literature import published_figures
from calozoo.physics.results import TITLES, PhysicsResult, PhysicsTest
from calozoo_core.markdown import table, write_block
from calozoo_core.metrics.result import MetricResult

__all__ = ["TESTS", "card_results", "main", "tables"]

TESTS: Final[tuple[PhysicsTest, ...]] = ("pairs", "tau")
CARDS: Final = Path(__file__).parents[2] / "cards" / "calozoo_cards"


def card_results(test: PhysicsTest) -> list[dict[str, PhysicsResult]]:
    """Results of a test by model, as the cards have them: those of the same events together."""
    groups: dict[str, dict[str, PhysicsResult]] = {}
    for measured in read_cards(CARDS):
        for result in measured.physics:
            if result.test == test:
                same = str((sorted(result.samples.items()), result.parameters_sha256))
                groups.setdefault(same, {})[measured.spec.name] = result
    return list(groups.values())


def tables(results: Mapping[str, PhysicsResult]) -> str:
    """Samples and figures of all models in Markdown, and what papers print beside them.

    Arguments:
        results: Results by model, of one test and of the same events.
    """
    first, models = next(iter(results.values())), list(results)
    counts = ", ".join(f"{one.n_events} in `{name}`" for name, one in first.samples.items())
    header = ("", "Geant4", "floor", *models)
    rows = []
    papers = []
    for number, figure in enumerate(results[models[0]].figures):
        found = [results[name].figures[number] for name in models]
        truth = "" if figure.reference_value is None else f"{figure.reference_value:.4g}"
        rows.append((label_with_unit(figure), truth, _floor(figure), *map(_text, found)))
        printed = [_printed(name, figure) for name in models]
        if any(printed):
            papers.append((label_with_unit(figure), "", "", *printed))
    seeds = ", ".join(f"{results[name].seeds} of {name}" for name in models)
    parts = [f"**{TITLES[first.test]}.** Events: {counts}. Seeds: {seeds}."]
    parts.append(table(header, rows))
    if papers:
        parts += ["The same divergences in the paper, on its samples:", table(header, papers)]
    return "\n\n".join(parts)


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
