"""Simulated events for other programs: ROOT, plain and in the shape of EDM4hep."""

from __future__ import annotations

import json

import numpy as np
import pytest
from events.event_samples import photons_on_the_face

from calozoo.cli import main
from calozoo_core.io.events import EventFile, write_events

uproot = pytest.importorskip("uproot")
awkward = pytest.importorskip("awkward")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with simulated events."""
    monkeypatch.chdir(tmp_path)
    write_events("events.h5", photons_on_the_face())
    arguments = ["--model", "toy", "--detector", "ild_siecal", "--quiet"]
    main(["simulate", "events.h5", "--out", "hits.h5", *arguments])
    return tmp_path


def test_plain_tree_holds_what_the_native_file_does():
    main(["export", "hits.h5", "hits.root", "--quiet"])
    with uproot.open("hits.root") as file, EventFile("hits.h5") as native:
        tree, hits, events = file["events"].arrays(), native.hits(), native.events()
        assert str(file["model"]) == "toy.ild-photon"
    assert np.array_equal(awkward.num(tree["hit_cell"]), hits.hits.n_hits)
    assert np.array_equal(awkward.flatten(tree["hit_cell"]), hits.hits.cell)
    assert np.array_equal(awkward.flatten(tree["hit_energy"]), hits.hits.energy)
    assert np.array_equal(awkward.flatten(tree["primary_pz"]), events.momentum[:, 2])
    shares = tree["contribution_energy"][tree["contribution_hit"] == 0]
    assert awkward.sum(shares, axis=1) == pytest.approx(tree["hit_energy"][:, 0], rel=1e-6)


def test_tree_in_the_shape_of_edm4hep_has_its_names_and_units():
    main(["export", "hits.h5", "edm.root", "--to", "edm4hep", "--quiet"])
    with uproot.open("edm.root") as file, EventFile("hits.h5") as native:
        tree, hits, events = file["events"].arrays(), native.hits(), native.events()
    energy = awkward.flatten(tree["ECalCollection.energy"])
    assert energy == pytest.approx(hits.hits.energy / 1000)
    assert np.array_equal(awkward.flatten(tree["MCParticles.PDG"]), events.pdg)
    assert awkward.flatten(tree["MCParticles.vertex.y"]) == pytest.approx(events.vertex[:, 1])
    begin, end = (tree[f"ECalCollection.contributions_{name}"] for name in ("begin", "end"))
    assert awkward.flatten(end - begin).to_list() == np.diff(hits.offsets).tolist()
    event, hit = 2, 5
    parts = slice(int(begin[event][hit]), int(end[event][hit]))
    of_hit = tree["ECalContributions.energy"][event][parts]
    assert sum(of_hit) == pytest.approx(tree["ECalCollection.energy"][event][hit], rel=1e-6)
    place = tree["ECalContributions.stepPosition.x"][event][parts]
    assert set(place) == {tree["ECalCollection.position.x"][event][hit]}


def test_events_are_counted_as_events(typed):
    code, out, err = typed("export", "hits.h5", "hits.root", "--json")
    assert code == 0
    assert err.startswith("hits.root  7 events, ")
    assert json.loads(out)["events"] == 7
    assert "showers" not in json.loads(out)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["events.h5", "o.root"], "events.h5 has no hits; simulate its events first"),
        (["hits.h5", "o.h5", "--to", "ddml"], "holds events, which cannot be written as ddml"),
    ],
)
def test_what_cannot_be_exported_is_refused(folder, capfd, arguments, complaint):
    with pytest.raises(SystemExit):
        main(["export", *arguments])
    assert complaint in capfd.readouterr().err
    assert not (folder / arguments[1]).exists()
