"""Start-up of commands from the shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from calozoo_core.errors import CalozooError
from studies.generation import startup


def test_the_table_goes_into_the_page(tmp_path: Path) -> None:
    page = tmp_path / "speed.md"
    page.write_text("<!-- begin startup -->\n<!-- end startup -->\n")
    startup.main(["toy.ild-photon", "--repeats", "1", "--write", str(page)])
    rows = [line.split("|")[1:3] for line in page.read_text().splitlines() if "`" in line]
    assert [row[0].strip() for row in rows] == ["`calozoo list`", "`toy.ild-photon`"]
    assert all(0 < float(row[1]) < 600 for row in rows)


def test_every_model_with_weights_is_timed_and_one_in_torch() -> None:
    rows = startup.commands()
    assert {"`calozoo list`", "`toy.ild-photon`", "`caloinn.ild-photon-clumps`"} <= set(rows)
    assert not any("geant4" in name or "optimum" in name for name in rows)
    assert sum("torch" in name for name in rows) == 1


def test_a_model_that_there_is_not_is_one_sentence() -> None:
    with pytest.raises(CalozooError, match="no model named 'caloclouds33'"):
        startup.seconds(startup.commands(["caloclouds33"]), 1)
