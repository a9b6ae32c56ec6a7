"""Results of the physics benchmark in cards and leaderboard."""

from __future__ import annotations

import pytest
from made_up_cards import figure, measurements, physics_result

from calozoo.cards.card import add_physics, read_cards, write_card
from calozoo.cards.card_markdown import card_markdown
from calozoo.cards.leaderboard import (
    leaderboard,
)
from calozoo.cards.leaderboard_page import page_data
from calozoo.cli.benchmark import _with_rest_of_card


def test_results_of_physics_stand_in_card_and_leaderboard_beside_those_of_papers(tmp_path):
    write_card(tmp_path, measurements())
    for test in ("tau", "pairs", "tau"):
        add_physics(tmp_path, "caloclouds3.test", physics_result(test))
    (measured,) = read_cards(tmp_path)
    assert [one.test for one in measured.physics] == ["pairs", "tau"]
    card = card_markdown(measured)
    assert "### Pi0 of tau decays, photons only, calozoo's photon finder" in card
    assert "| pi0 that are right | 0.5 | 0.55 | -0.050 ± 0.020 | 0.01 |" in card
    assert "0.36 ± 0.14 ([Full physics benchmark]" in card
    other = measurements("other.test").with_physics(
        physics_result("tau").model_copy(
            update={"figures": (figure("pi0.good", 0.04, "difference"),)}
        )
    )
    board = leaderboard([measured, other])
    (title,) = (title for title in board.tables if title.startswith("Pi0 of tau decays"))
    row = board.tables[title][0]
    assert row.label == "pi0 that are right, Geant4 0.55"
    assert row.marks == ("worst", "best")  # by distance from 0, not by value
    page = page_data([measured, other], lambda name: name)
    described = {one["id"]: one for one in page["figures"]}
    assert described["pi0.good/difference"]["group"] == "tau"
    assert described["pi0.good/difference"]["signed"] is True
    assert "signed" not in described["pairs.5GeV.number/js"]
    assert page["values"]["caloclouds3.test"]["pairs.5GeV.number/js"]["papers"]


@pytest.mark.parametrize("same", [True, False])
def test_a_benchmark_keeps_results_of_physics_of_the_same_weights(tmp_path, capsys, same):
    weights = {"model.safetensors": "1" * 64}
    old = measurements().model_copy(update={"notes": ("A note.",)})
    write_card(tmp_path, old.with_physics(physics_result("pairs", weights)))
    new = measurements(value=1e-3).model_copy(
        update={"weights_sha256": weights if same else {"model.safetensors": "2" * 64}}
    )
    kept = _with_rest_of_card(new, {}, tmp_path, quiet=False)
    assert kept.notes == ("A note.",)
    assert [one.test for one in kept.physics] == (["pairs"] if same else [])
    assert ("has other weights" in capsys.readouterr().err) is not same
    assert kept.fidelity == new.fidelity


def test_pairs_of_other_energies_stay_in_a_card(tmp_path):
    write_card(tmp_path, measurements())
    for energy in (20, 100, 5):
        add_physics(tmp_path, "caloclouds3.test", physics_result("pairs", energy=energy))
    again = physics_result("pairs", energy=20).model_copy(
        update={"figures": (figure("pairs.20GeV.d50", 0.07, "difference"),)}
    )
    add_physics(tmp_path, "caloclouds3.test", again)
    ((result,),) = (one.physics for one in read_cards(tmp_path))
    assert list(result.samples) == [f"pairs-{energy}GeV-90mm" for energy in (5, 20, 100)]
    assert [(one.name, one.value) for one in result.figures] == [
        ("pairs.5GeV.d50", -0.05),
        ("pairs.5GeV.number", 3e-5),
        ("pairs.20GeV.d50", 0.07),
        ("pairs.100GeV.d50", -0.05),
        ("pairs.100GeV.number", 3e-5),
    ]


def test_pairs_of_each_energy_have_their_own_number_of_seeds(tmp_path):
    write_card(tmp_path, measurements())
    for energy, seeds in ((5, 3), (20, 1)):
        result = physics_result("pairs", energy=energy)
        samples = {k: v.model_copy(update={"seeds": seeds}) for k, v in result.samples.items()}
        result = result.model_copy(update={"samples": samples})
        add_physics(tmp_path, "caloclouds3.test", result)
    (measured,) = read_cards(tmp_path)
    assert "7 in `pairs-5GeV-90mm` (3), 7 in `pairs-20GeV-90mm` (1);" in card_markdown(measured)


def test_pairs_that_a_card_does_not_keep_are_named(tmp_path):
    write_card(tmp_path, measurements())
    of_weights = [physics_result("pairs", {"model.safetensors": c * 64}, energy=5) for c in "12"]
    kept = add_physics(tmp_path, "caloclouds3.test", of_weights[0])
    other = physics_result("pairs", {"model.safetensors": "2" * 64}, energy=20)
    assert kept == (tmp_path / "caloclouds3.test", ())
    assert add_physics(tmp_path, "caloclouds3.test", other)[1] == (5,)
    assert add_physics(tmp_path, "caloclouds3.test", of_weights[1])[1] == ()


def test_models_with_other_events_are_ranked_apart():
    one, two, three = (measurements(f"{name}.test") for name in ("one", "two", "three"))
    usual = physics_result("pairs")
    sample = usual.samples["pairs-5GeV-90mm"].model_copy(update={"primaries_sha256": "others"})
    other = usual.model_copy(update={"samples": {"pairs-5GeV-90mm": sample}})
    same = leaderboard([one.with_physics(usual), two.with_physics(usual)])
    assert not any("are other ones" in note for note in same.notes)
    board = leaderboard(
        [model.with_physics(r) for model, r in ((one, usual), (two, other), (three, usual))]
    )
    assert any("are other ones" in note for note in board.notes)
    (title,) = (title for title in board.tables if title.startswith("Photon pairs"))
    rows = board.tables[title]
    assert [row.label for row in rows[::2]] == [row.label for row in rows[1::2]]
    assert [[entry.text != "-" for entry in row.entries] for row in rows] == 2 * [
        [True, False, True],
        [False, True, False],
    ]


@pytest.mark.parametrize("field", ["parameters_sha256", "weights_sha256", "truth"])
def test_pairs_of_another_model_or_finder_do_not_stay(field):
    others = {"weights_sha256": {"model.safetensors": "1" * 64}}
    older = physics_result("pairs", energy=20).model_copy(
        update={field: others.get(field, "another")}
    )
    newer = physics_result("pairs")
    assert newer.with_other_energies(older) is newer


def test_tau_events_are_replaced_whole():
    newer, older = physics_result("tau"), physics_result("tau")
    assert newer.with_other_energies(older) is newer
