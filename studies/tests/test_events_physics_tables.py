"""Tables of the physics benchmark: what the page shows of the cards."""

from __future__ import annotations

from pathlib import Path

import pytest

from studies.events.physics_tables import TESTS, card_results, tables

PAGE = Path(__file__).parents[2] / "docs" / "reconstruction.md"


@pytest.mark.parametrize("test", TESTS)
def test_the_page_shows_what_the_cards_have(test):
    groups = card_results(test)
    assert sum(map(len, groups)) >= 11
    for results in groups:
        assert tables(results) in PAGE.read_text()
