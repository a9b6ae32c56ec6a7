"""Peak memory of a generation, and what takes it."""

from __future__ import annotations

import pytest

from calozoo_core.errors import CalozooError
from studies.generation import memory


def test_both_tables_come_out(monkeypatch, capsys):
    monkeypatch.setattr(memory, "COUNTS", (1, 3))
    memory.main(["toy.ild-photon"])
    text = capsys.readouterr().out
    row = next(line for line in text.splitlines() if "`toy.ild-photon`" in line)
    one, three = (float(cell) for cell in row.split("|")[2:4])
    assert 30 < one <= three + 1
    steps = [line.split("|") for line in text.split("adds [MB]")[1].splitlines()[2:]]
    assert len(steps) == 11
    assert 80 < sum(float(cells[2]) for cells in steps) < 170


def test_a_model_that_there_is_not_is_one_sentence():
    with pytest.raises(CalozooError, match="no model named 'caloclouds33'"):
        memory.shares("caloclouds33")
