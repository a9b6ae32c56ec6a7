"""Tau events: photons on the face, and categories that add up."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from physics.tau_data import DETECTOR, ILD, pi0_events

from calozoo.benchmark.measurements import read_measurements
from calozoo.cards.card import read_cards
from calozoo.cards.leaderboard import leaderboard, leaderboard_markdown
from calozoo.cli import main
from calozoo.events.request import make_trigger
from calozoo.physics.results import PhysicsResult
from calozoo.physics.sample_store import Sample, SampleStore
from calozoo.physics.tau_sample import TauSample, line_to_face
from calozoo.physics.taus import compare_taus, measure_taus, true_pi0
from calozoo.reconstruction.parameters import Pi0Parameters, finder_parameters
from calozoo.reconstruction.photon_finder import PhotonFinder
from calozoo_core.events import Events
from calozoo_core.generator import Conditions
from calozoo_core.io.events import write_events

GOLDEN_CARDS = Path(__file__).parents[1] / "golden" / "cards"


def test_a_line_from_the_interaction_point_ends_where_placement_says():
    momenta = np.array([[0.1, 1, 0.3], [-1, 0.05, -0.2], [0.2, 0.3, 1]])
    assert line_to_face(np.zeros((3, 3)), momenta, ILD) == pytest.approx(ILD.enter(momenta))
    vertex = np.array([[2.0, 3.0, -4.0]])
    moved = line_to_face(vertex, momenta[:1], ILD)
    assert moved[0, 1] == pytest.approx(1804.7)
    assert np.cross(moved[0] - vertex[0], momenta[0]) == pytest.approx(np.zeros(3), abs=1e-9)


def test_pi0_are_found_and_the_categories_add_up(tmp_path):
    import calozoo

    events = pi0_events()
    toy = calozoo.load("toy")
    trigger = make_trigger(DETECTOR, toy.spec)
    trigger = replace(trigger, trigger=replace(trigger.trigger, least_energy_gev=1.0))
    store = SampleStore(tmp_path, DETECTOR, trigger)
    sample = Sample("made-up", events, 5)
    hits = store.models(sample, {"toy": toy}, 1)["toy"]
    finder = PhotonFinder(DETECTOR, finder_parameters())
    measured = measure_taus(hits, events, finder, Pi0Parameters())
    reco, good, confused, fake, missed = measured.counts.T
    assert np.array_equal(reco, good + confused + fake)
    assert np.array_equal(measured.n_true, np.ones(12))
    assert np.all(good + missed <= 1)
    assert good.sum() >= 3
    assert measured.observables[:, 0] == pytest.approx(135, abs=40)
    figures = compare_taus([measured], measured)
    assert [figure.value for figure in figures] == [0] * 10
    rates = {f.name: f.reference_value for f in figures if f.metric == "difference"}
    assert rates["pi0.reco"] == rates["pi0.good"] + rates["pi0.confused"] + rates["pi0.fake"]
    again = store.models(sample, {"toy": toy}, 1)["toy"]
    assert again == hits
    fewer = store.models(Sample("grows", events[:7], 5), {"toy": toy}, 1)["toy"]
    assert fewer == hits[:7]
    assert store.models(Sample("grows", events, 5), {"toy": toy}, 1)["toy"] == hits


def test_a_lone_photon_of_a_pi0_is_no_true_pi0():
    events = pi0_events(2)
    lone = Events.of(
        [0, 2, 3],
        events.pdg[:3],
        events.energy[:3],
        events.momentum[:3],
        events.vertex[:3],
        mother=0,
    )
    number, momenta = true_pi0(lone)
    assert number.tolist() == [0, 0, -1]
    assert list(momenta) == [(0, 0)]


def test_pythias_events_are_selected_as_defined():
    pytest.importorskip("pythia8mc")
    trigger = make_trigger(DETECTOR, __import__("calozoo").find_model("toy"))
    events = TauSample(3, isr=False).events(ILD, trigger)
    assert len(events) == 3
    assert ILD.on_face(events.vertex).all()
    assert events.energy.min() >= 5
    _, momenta = true_pi0(events)
    assert {event for event, _ in momenta} == {0, 1, 2}
    for momentum in momenta.values():
        pair_energy = np.linalg.norm(momentum)
        assert 10 < pair_energy < 125


def test_the_sample_of_taus_without_pythia_is_one_sentence(monkeypatch):
    import sys

    from calozoo_core.errors import CalozooError

    monkeypatch.setitem(sys.modules, "pythia8mc", None)
    trigger = make_trigger(DETECTOR, __import__("calozoo").find_model("toy"))
    with pytest.raises(CalozooError, match=r"pip install 'calozoo\[physics\]'"):
        TauSample(1).events(ILD, trigger)


def test_pythia_without_its_settings_says_nothing_of_its_own(monkeypatch, tmp_path, capfd):
    pytest.importorskip("pythia8mc")
    monkeypatch.setenv("PYTHIA8DATA", str(tmp_path / "nothing"))
    with pytest.raises(SystemExit):
        main(["physics", "tau", "--model", "toy", "-n", "1001", "--work", str(tmp_path / "work")])
    said = capfd.readouterr()
    assert f"PYTHIA8DATA is {tmp_path / 'nothing'}, where Pythia's settings are not" in said.err
    assert said.out == ""
    assert not (tmp_path / "work").exists()


def test_a_file_of_fewer_tau_events_is_refused(tmp_path, capfd):
    write_events(tmp_path / "tau-8.h5", pi0_events(3))
    with pytest.raises(SystemExit):
        main(["physics", "tau", "--model", "toy", "-n", "8", "--work", str(tmp_path)])
    assert "tau-8.h5 has 3 events, not 8; remove it" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["pairs", "--model", "geant4"], "geant4 is what models are compared with"),
        (["pairs", "--model", "toy", "--energy", "7"], "not 7"),
        (["pairs", "--model", "toy", "--energy", "x"], "Cannot read the energies"),
        (["tau", "--model", "toy", "-n", "1"], "The number of events must be at least 2"),
        (["pairs", "--model", "toy", "--seeds", "0"], "--seeds must be at least 1, not 0"),
        (["pairs", "--model", "toy", "-n", "x"], "Cannot read the numbers"),
        (["pairs", "--model", "toy", "-n", "5,6"], "one for each of 3 energies"),
        (["pairs", "--model", "toy", "--close", "0"], "The number of events must be at least 2"),
        (["pairs", "--model", "toy", "--energy", "5,5"], "is given twice"),
        (["tau", "--model", "toy", "--model", "toy.ild-photon"], "toy.ild-photon is named twice"),
        (["tau", "--model", "toy", "--plot", "x.txt"], "A picture is .png"),
        (["tau", "--model", "toy", "--plot", "nowhere/x.png"], "There is no folder nowhere"),
    ],
)
def test_bad_requests_are_one_sentence(tmp_path, capfd, arguments, complaint):
    with pytest.raises(SystemExit) as stop:
        main(["physics", *arguments, "--work", str(tmp_path / "work")])
    said = capfd.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1
    assert stop.value.code == 2
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["pairs", "--model", "caloinn.calochallenge2-electron"], "par04_siw do not fit into"),
        (["tau", "--model", "toy", "--events", "nowhere.h5"], "no file of events nowhere.h5"),
        (["tau", "--model", "toy", "--report", "nowhere/r.json"], "There is no folder nowhere"),
    ],
)
def test_models_and_files_that_do_not_fit_are_refused(tmp_path, capfd, arguments, complaint):
    with pytest.raises(SystemExit) as stop:
        main(["physics", *arguments, "--work", str(tmp_path / "work")])
    assert complaint in capfd.readouterr().err
    assert stop.value.code == 1
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"pdg": 11}, "is no photon of 5 GeV or more on the face"),
        ({"vertex": 0.0}, "is no photon of 5 GeV or more on the face"),
        ({"vertex": 5000.0}, "is no photon of 5 GeV or more on the face"),
        ({"mother": -1}, "no pi0 both of whose photons are there"),
    ],
)
def test_events_without_photons_of_pi0_on_the_face_are_refused(tmp_path, capfd, changes, complaint):
    events = pi0_events(2)
    given = {"pdg": events.pdg, "vertex": events.vertex, "mother": events.mother}
    given = {
        name: np.full_like(one, changes.get(name, 0)) if name in changes else one
        for name, one in given.items()
    }
    write_events(
        tmp_path / "e.h5",
        Events.of(events.offsets, energy=events.energy, momentum=events.momentum, **given),
    )
    places = ["--events", str(tmp_path / "e.h5"), "--work", str(tmp_path / "work")]
    with pytest.raises(SystemExit):
        main(["physics", "tau", "--model", "toy", *places])
    assert complaint in capfd.readouterr().err
    assert not (tmp_path / "work").exists()


def test_pairs_are_compared_from_stored_samples_and_reported(tmp_path, capfd, monkeypatch):
    from physics.pair_data import FOLDER, only_close_pairs

    from calozoo.events.deposits import Deposits
    from calozoo.physics import benchmark

    monkeypatch.setattr(benchmark, "pair_samples", only_close_pairs)
    truth = Deposits.read(FOLDER / "pairs-5GeV-30mm-geant4.ild-siecal.npz")[:20]
    folder = tmp_path / "pairs-5GeV-30mm" / "geant4.ild-siecal-seed1"
    folder.mkdir(parents=True)
    truth.write(folder / "00000.npz")
    cards, report, picture = (tmp_path / name for name in ("cards", "report.json", "pairs.png"))
    shutil.copytree(GOLDEN_CARDS, cards)
    arguments = ["--model", "toy", "-n", "10", "--energy", "5", "--no-floor", "--seeds", "2"]
    places = ["--work", tmp_path, "--out", cards, "--report", report, "--plot", picture]
    assert main(["physics", "pairs", *arguments, *map(str, places)]) == 0
    said = capfd.readouterr()
    assert "10 in pairs-5GeV-30mm" in said.out
    assert f"{cards / 'toy.ild-photon'}  written" in said.err
    result = PhysicsResult.model_validate(json.loads(report.read_text())["toy.ild-photon"])
    assert read_measurements(cards / "toy.ild-photon" / "measurements.json").physics == (result,)
    sample = result.samples["pairs-5GeV-30mm"]
    assert (sample.n_events, sample.seeds) == (10, 2)
    assert picture.stat().st_size > 10_000
    # The card and the leaderboard say what it is, and what it is not.
    card = (cards / "toy.ild-photon" / "README.md").read_text()
    board = leaderboard_markdown(leaderboard(read_cards(cards)))
    for page in (card, board):
        assert "Photon pairs, photons only, calozoo's photon finder" in page
        assert "hadrons" in page
        assert "position resolution of single photons, 5 GeV [mm]" in page
    with pytest.raises(SystemExit):
        main(["physics", "pairs", *arguments, *map(str, places)])
    assert "report.json is already there. Add --overwrite" in capfd.readouterr().err


def test_a_stopped_comparison_says_where_its_events_are(tmp_path, monkeypatch, capfd):
    from calozoo.physics import benchmark

    def stopped(*_):
        (tmp_path / "work").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(benchmark, "run_taus", stopped)
    with pytest.raises(SystemExit) as stop:
        main(["physics", "tau", "--model", "toy", "--work", str(tmp_path / "work")])
    assert f"stopped; finished events are kept in {tmp_path / 'work'}" in capfd.readouterr().err
    assert stop.value.code == 130


def test_a_model_is_refused_photons_that_it_was_not_trained_on(tmp_path, monkeypatch, capfd):
    import calozoo

    narrow = calozoo.find_model("toy").model_copy(
        update={"conditions": Conditions(energy_gev=(10, 100), theta_deg=(0, 60))}
    )
    monkeypatch.setattr(
        calozoo.load("toy").__class__, "spec", property(lambda _: narrow, _set), raising=False
    )
    arguments = ["--model", "toy", "--energy", "20,5", "--work", str(tmp_path / "work")]
    with pytest.raises(SystemExit):
        main(["physics", "pairs", *arguments])
    said = capfd.readouterr().err
    assert "was trained on gamma of 10-100 GeV at 0-60 degrees from the normal" in said
    assert "pairs-5GeV-90mm" in said


def _set(*_):
    """The spec that a model is made with is not the one it has."""


def test_cards_that_are_not_there_are_said_before_anything_is_simulated(tmp_path, capfd):
    (tmp_path / "cards").mkdir()
    places = ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "cards")]
    with pytest.raises(SystemExit):
        main(["physics", "tau", "--model", "toy", *places])
    assert "there is no card of 'toy.ild-photon'" in capfd.readouterr().err
    assert not (tmp_path / "work").exists()
