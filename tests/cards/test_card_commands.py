"""`calozoo card` and `calozoo compare`."""

from __future__ import annotations

import json

import pytest
from made_up_cards import measurements

from calozoo.cards.card import write_card
from calozoo.cards.card_markdown import card_markdown


def test_commands_read_cards_of_a_folder(calozoo, tmp_path):
    write_card(tmp_path / "cards", measurements("one.a", 1e-4))
    write_card(tmp_path / "cards", measurements("other.b", 9e-4))
    shown = calozoo("compare", "--cards", "cards", "--markdown", "--html", "board.html")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("# Leaderboard")
    page = (tmp_path / "board.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert '"card":"cards/one.a/README.md"' in page
    one = calozoo("compare", "other.b", "--cards", "cards", "--json")
    assert json.loads(one.stdout)["models"] == ["other.b"]
    printed = calozoo("card", "one", "--cards", "cards")
    assert printed.stdout == card_markdown(measurements("one.a", 1e-4))
    path = calozoo("card", "one", "--cards", "cards", "--path").stdout.strip()
    assert path == "cards/one.a/README.md"
    as_json = calozoo("card", "one", "--cards", "cards", "--json").stdout
    assert as_json == measurements("one.a", 1e-4).as_json()


@pytest.mark.parametrize("command", ["card", "compare"])
def test_model_without_a_card_is_told_how_to_get_one(command, calozoo, tmp_path):
    (tmp_path / "cards").mkdir()
    run = calozoo(command, "toy", "--cards", "cards")
    assert run.returncode == 1
    assert "`calozoo benchmark toy --out cards` makes one" in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_misspelt_card_is_guessed(calozoo, tmp_path):
    write_card(tmp_path / "cards", measurements())
    run = calozoo("card", "calocluds3", "--cards", "cards")
    assert "Did you mean caloclouds3?" in run.stderr
