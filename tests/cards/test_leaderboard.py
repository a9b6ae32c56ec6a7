"""The leaderboard: what is best in each row, and what cannot be compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_up_cards import measurements, with_structure

from calozoo.cards.card import (
    read_cards,
)
from calozoo.cards.leaderboard import (
    LeaderboardRow,
    LeaderboardValue,
    leaderboard,
    leaderboard_markdown,
)
from calozoo.cli.cards import leaderboard_text
from calozoo_core.errors import InputError

ROOT = Path(__file__).parents[2]


def test_no_number_in_the_leaderboard_is_typed():
    board = leaderboard(read_cards())
    assert leaderboard_markdown(board) == (ROOT / "docs" / "leaderboard.md").read_text()


def test_best_and_worst_are_marked():
    entries = (
        LeaderboardValue("1", 1.0),
        LeaderboardValue("3", 3.0),
        LeaderboardValue("-", None),
        LeaderboardValue("2", 2.0),
    )
    row = LeaderboardRow("a figure", entries)
    assert row.marks == ("best", "worst", "", "")
    assert replace(row, better="high").marks == ("worst", "best", "", "")
    assert replace(row, better=None).marks == ("", "", "", "")


@pytest.mark.parametrize("values", [(2.0, 2.0), (2.0, None), (None, None)])
def test_nothing_is_marked_where_nothing_differs(values):
    assert set(
        LeaderboardRow("r", tuple(LeaderboardValue("x", value) for value in values)).marks
    ) == {""}


def test_leaderboard_ranks_models_row_by_row():
    good, fast = measurements("good.one", 1e-4, ms=8.0), measurements("fast.one", 9e-4, ms=1.0)
    board = leaderboard([good, fast])
    assert board.models == ("good.one", "fast.one")
    rows = {row.label: row for table in board.tables.values() for row in table}
    assert rows["longitudinal energy profile [1e-4 nat]"].marks == ("best", "worst")
    assert rows["a shower alone [ms]"].marks == ("worst", "best")
    assert rows["times faster than Geant4, alone"].marks == ("worst", "best")
    assert rows["parameters"].marks == ("", "")
    assert "energy resolution [%]" not in rows  # nobody has it
    text = leaderboard_markdown(board)
    assert (
        "| longitudinal energy profile [1e-4 nat] | **1.00 ± 0.10** | *9.00 ± 0.90* | 0.2 |" in text
    )
    plain = leaderboard_text(board)
    assert "1.00 ± 0.10*" in plain
    assert "9.00 ± 0.90!" in plain


def test_first_rows_are_those_of_the_papers_table():
    board = leaderboard([measurements()])
    labels = [row.label for row in board.tables["How good: cells of placed showers"]]
    assert labels[0].startswith("radial energy profile, 0-30 mm")
    assert labels[1].startswith("longitudinal energy profile")
    assert any(row.label.startswith("Full physics benchmark, Table I") for row in board.papers)


def test_models_measured_differently_are_said_to_be():
    one, other = measurements("one.a"), measurements("other.b")
    assert not [note for note in leaderboard([one, other]).notes if "different" in note]
    fewer = other.model_copy(update={"sample": other.sample.model_copy(update={"n_showers": 50})})
    notes = "\n".join(leaderboard([one, fewer]).notes)
    assert "one.a: 100 photons" in notes
    assert "other.b: 50 photons" in notes
    assert "different samples" in notes


def test_no_cards_are_no_leaderboard():
    with pytest.raises(InputError, match="calozoo benchmark MODEL"):
        leaderboard([])


def test_a_ratio_is_the_better_the_nearer_it_is_to_one():
    pair = [with_structure("a.low", 0.6, 0.98), with_structure("b.high", 0.99, 1.22)]
    board = leaderboard([*pair, measurements("c.old")])
    rows = {row.label: row for row in next(iter(board.tables.values()))}
    assert rows["cells, over Geant4's"].marks == ("best", "worst", "")
    assert rows["AUC, all features"].marks == ("best", "worst", "")
    worst = rows["AUC, worst group of features"].entries
    assert [entry.text.partition("(")[2] for entry in worst] == ["rings)", "rings)", ""]
    assert rows["hot cells, the reference's hottest 1e-3, over Geant4's"].floor.startswith("±")
    assert "classifier" not in " ".join(leaderboard([measurements()]).tables)
