"""Tables of the physics benchmark: what the page shows of the cards."""

from __future__ import annotations

from pathlib import Path

import pytest

from calozoo.physics.results import TITLES
from studies.events.physics_tables import TESTS, card_results, tables

PAGE = Path(__file__).parents[2] / "docs" / "reconstruction.md"


@pytest.mark.parametrize("test", TESTS)
def test_the_page_shows_what_the_cards_have(test):
    groups = card_results(test)
    assert len({model for same in groups for model in same.figures}) >= 11
    for same in groups:
        assert tables(same) in PAGE.read_text()


@pytest.mark.parametrize("test", TESTS)
def test_a_table_has_one_title_and_the_same_figures_of_each_model(test):
    for same in card_results(test):
        names = {tuple(one.name for one in figures) for figures in same.figures.values()}
        energies = {name.split(".")[1] for name in next(iter(names)) if "GeV" in name}
        assert len(names) == 1
        assert len(energies) == (test == "pairs")
        assert tables(same).startswith(f"**{TITLES[test]}.**")
        assert all(f"| `{model}` | {n} |" in tables(same) for model, n in same.seeds.items())
