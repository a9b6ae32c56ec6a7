"""Reports of the physics benchmark: what the page shows of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from studies.events.physics_tables import REPORTS, read_report, tables

PAGE = Path(__file__).parents[2] / "docs" / "reconstruction.md"


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_the_page_shows_the_report(path):
    assert tables(read_report(path)) in PAGE.read_text()


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_all_models_of_a_report_are_of_the_same_events(path):
    results = list(read_report(path).values())
    assert len({str(one.samples) for one in results}) == 1
    assert len({one.parameters_sha256 for one in results}) == 1
    assert {one.test for one in results} == {path.stem.removeprefix("physics_")}
