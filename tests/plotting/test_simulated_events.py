"""Events in pictures and in 3D: what is drawn is what the file holds and the finder finds."""

from __future__ import annotations

import base64
import gzip
import json
import shutil

import h5py
import numpy as np
import pytest
from plotting.page_data import page_data, unpacked

from calozoo.cli import main
from calozoo.events.file_summary import summarise_events
from calozoo.physics.pair_sample import PairSample
from calozoo.plotting.event_display.simulated import simulated_event_display
from calozoo.plotting.event_view import view_event
from calozoo.reconstruction.parameters import finder_parameters
from calozoo.reconstruction.photon_finder import PhotonFinder
from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError
from calozoo_core.events import Events
from calozoo_core.io.events import EventFile, write_events
from calozoo_core.placement import load_placement

PAIRS = PairSample(20, 3, 60.0)
ILD = load_placement("ild_siecal")
FINDER = PhotonFinder(load_detector("ild_siecal"), finder_parameters())


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Three photon pairs, simulated by the toy model with two seeds, and without hits."""
    folder = tmp_path_factory.mktemp("events")
    write_events(folder / "pairs.h5", PAIRS.events())
    words = ["simulate", str(folder / "pairs.h5"), "--model", "toy", "--detector", "ild_siecal"]
    for name, seed in (("one.h5", "1"), ("other.h5", "2")):
        assert main([*words, "--seed", seed, "--out", str(folder / name), "--quiet"]) == 0
    return folder / "one.h5", folder / "other.h5", folder / "pairs.h5"


def view(path, number, finder=FINDER):
    rows = slice(number, number + 1)
    with EventFile(path) as file:
        return view_event(file.events(rows), file.hits(rows), ILD, finder)


def test_the_view_lies_in_the_middle_of_a_pair(files):
    for number in range(3):
        lines = view(files[0], number).primary_lines
        ends = np.stack([line.entry for line in lines])
        assert ends.sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-6)
        apart = np.linalg.norm(ends[0] - ends[1])
        assert apart == pytest.approx(PAIRS.separations()[number])


def test_lines_from_the_interaction_point_come_back_to_it(files):
    seen = view(files[0], 0)
    origin = ILD.to_local(np.zeros((1, 3)), seen.position)[0]
    for line in (*seen.primary_lines, *seen.photon_lines):
        assert line.at(origin[2]) == pytest.approx(origin, abs=1e-6)
        assert line.at(0.0) == pytest.approx(line.entry, abs=1e-9)
        on_face = seen.on_face(line.at(100.0)[None])[0]
        assert on_face == pytest.approx(line.entry[:2], abs=1e-6)


def test_a_primary_elsewhere_is_not_drawn_and_its_hits_are_counted(tmp_path):
    momenta = np.array([[0.0, 20, 1], [0, -10, 1]])
    opposite = Events.of([0, 2], [22, 22], [20, 10], momenta, ILD.enter(momenta))
    write_events(tmp_path / "e.h5", opposite)
    words = ["--model", "toy", "--detector", "ild_siecal", "--out", str(tmp_path / "h.h5")]
    assert main(["simulate", str(tmp_path / "e.h5"), *words, "--quiet"]) == 0
    seen = view(tmp_path / "h.h5", 0)
    assert [line is None for line in seen.primary_lines] == [False, True]
    assert (seen.primary_of_hit[~seen.is_near] == 1).all()
    assert (seen.primary_of_hit[seen.is_near] == 0).all()
    (side,) = page_data(simulated_event_display([tmp_path / "h.h5"]))["showers"][0]["sides"]
    count, energy = side["elsewhere"]
    hits = seen.event.hits
    assert count + side["hits"]["count"] == len(hits.cell)
    assert energy + side["hits"]["visible"] == pytest.approx(hits.energy.sum(), abs=0.02)


def test_a_page_holds_the_hits_and_the_photons_of_the_finder(files):
    data = page_data(simulated_event_display(files[:2], reconstruct=True))
    assert data["noun"] == "event"
    assert [file["name"] for file in data["files"]] == ["one.h5", "other.h5"]
    for number, shown in enumerate(data["showers"]):
        apart = f"{PAIRS.separations()[number]:.3g} mm apart"
        assert shown["text"] == f"gamma of 20 GeV and gamma of 20 GeV, {apart} on the face"
        for path, side in zip(files[:2], shown["sides"], strict=True):
            seen = view(path, number)
            found = FINDER.find(seen.event.hits)
            energies = [photon["energy"] for photon in side["photons"]]
            assert energies == pytest.approx(found.energy, rel=1e-3)
            for photon, position in zip(side["photons"], found.position, strict=True):
                place = ILD.to_local(position[None], seen.position)[0]
                assert photon["line"][1] == pytest.approx(place, abs=0.01)
            positions, _ = unpacked(data, side["hits"], "hits")
            order = np.argsort(-seen.placed.hits.energy.astype(np.float64), kind="stable")
            centres = seen.placed.local[order]
            assert np.abs(positions - centres).max() <= data["step"]


def test_each_cell_has_the_colour_of_the_photon_that_it_was_given_to(files):
    data = page_data(simulated_event_display(files[:1], count=1, reconstruct=True))
    (side,) = data["showers"][0]["sides"]
    seen = view(files[0], 0)
    groups = np.frombuffer(gzip.decompress(base64.b64decode(data["groups"])), np.uint8)
    tints, primaries = groups.reshape(-1, 2)[: side["hits"]["count"]].T
    hits = seen.placed.hits
    order = np.argsort(-hits.energy.astype(np.float64), kind="stable")
    for photon, described in enumerate(side["photons"]):
        mine = seen.photons.photon_of_hit[seen.is_near][order] == photon
        assert (tints[mine] == described["tint"]).all()
        assert described["tint"] == described["primary"]
    alone = seen.event.of_primary(1)
    of_one = hits.energy[order][primaries == 1].sum()
    assert of_one == pytest.approx(alone.energy.sum(), rel=0.1)


def test_events_of_other_primaries_are_refused(files, tmp_path):
    write_events(tmp_path / "far.h5", PairSample(20, 3, 60.0, seed=7).events())
    words = ["--model", "toy", "--detector", "ild_siecal", "--out", str(tmp_path / "h.h5")]
    assert main(["simulate", str(tmp_path / "far.h5"), *words, "--quiet"]) == 0
    with pytest.raises(InputError, match="have other primaries"):
        simulated_event_display([files[0], tmp_path / "h.h5"])


def test_the_summary_says_what_is_in_the_file(files):
    summary = summarise_events(files[0])
    with EventFile(files[0]) as file:
        hits = file.hits().hits
    assert summary.n_events == 3
    assert summary.particles == {"gamma": 6}
    assert summary.energy_gev == (20, 20)
    assert summary.event_energy_gev.value == pytest.approx(40)
    assert summary.n_by_model == 6
    assert summary.hits_per_event.value == pytest.approx(hits.n_hits.mean())
    assert summary.hit_energy_mev.value == pytest.approx(hits.energy.sum() / 3, rel=1e-6)


def test_show_prints_and_draws_events(files, typed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawn = ["--plot", "e.png", "--html", "e.html", "--event", "1", "--reconstruct"]
    code, out, err = typed("show", str(files[0]), "--beside", str(files[1]), *drawn)
    assert code == 0, err
    assert "primaries            6 gamma" in out
    assert (tmp_path / "e.png").read_bytes().startswith(b"\x89PNG")
    shown = page_data((tmp_path / "e.html").read_text())["showers"]
    assert [event["number"] for event in shown] == [1, 2]
    code, out, _ = typed("show", str(files[2]), "--json")
    assert code == 0
    assert json.loads(out)["detector"] is None


@pytest.mark.parametrize(
    ("number", "words", "says"),
    [
        (2, ["--html", "v.html"], "has primaries and no hits"),
        (2, ["--plot", "v.png"], "has primaries and no hits"),
        (0, ["--plot", "v.png", "--event", "3"], "there is no event 3"),
        (0, ["--html", "v.html", "--event", "-1"], "there is no event -1"),
        (0, ["--reconstruct"], "--reconstruct is drawn; add --plot PICTURE"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_a_sentence(
    files, typed, tmp_path, monkeypatch, number, words, says
):
    monkeypatch.chdir(tmp_path)
    code, _, err = typed("show", str(files[number]), *words)
    assert code == 2
    assert says in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def sparse(tmp_path_factory):
    """Files of an event with two photons and one without primaries, and of empty events alone."""
    folder = tmp_path_factory.mktemp("sparse")
    pair = PAIRS.events()[:1]
    none = Events.of([0, 0], [], [], np.zeros((0, 3)), np.zeros((0, 3)))
    for name, events in (("mixed.h5", [pair, none]), ("empty.h5", [none, none])):
        write_events(folder / f"of_{name}", Events.concatenate(events))
        words = ["--model", "toy", "--detector", "ild_siecal", "--out", str(folder / name)]
        assert main(["simulate", str(folder / f"of_{name}"), *words, "--quiet"]) == 0
    return folder


@pytest.mark.parametrize(("name", "number"), [("mixed.h5", 1), ("empty.h5", 0)])
def test_an_event_without_primaries_is_drawn(sparse, typed, tmp_path, monkeypatch, name, number):
    monkeypatch.chdir(tmp_path)
    drawn = ["--plot", "e.png", "--html", "e.html", "--event", str(number), "--reconstruct"]
    code, _, err = typed("show", str(sparse / name), *drawn)
    assert code == 0, err
    assert (tmp_path / "e.png").read_bytes().startswith(b"\x89PNG")
    shown = page_data((tmp_path / "e.html").read_text())["showers"][0]
    assert shown["text"] == "no primaries"
    assert (shown["primaries"], shown["axis"]) == ([], [0, 0])
    assert shown["sides"][0]["hits"]["count"] == 0


@pytest.mark.parametrize("name", ["primaries/energy", "taken/event"])
def test_a_damaged_file_leaves_no_page_and_no_picture(files, typed, tmp_path, monkeypatch, name):
    """The damage lies behind the events that are drawn."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(files[0], "damaged.h5")
    with h5py.File("damaged.h5", "r+") as stored:
        stored[name][-1] = -1
    words = ["--html", "v.html", "--count", "1", "--plot", "v.png"]
    code, out, err = typed("show", "damaged.h5", *words)
    assert code in (1, 2)
    assert not out
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["damaged.h5"]


def test_a_page_is_not_written_if_the_picture_fails(files, typed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "v.png").mkdir()
    code, _, err = typed("show", str(files[0]), "--html", "v.html", "--plot", "v.png")
    assert code == 1
    assert err.count("\n") == 1
    assert not (tmp_path / "v.html").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "There is no shower file v.h5"), (b"no HDF5", "v.h5 is not a whole HDF5 file")],
)
def test_a_missing_or_damaged_file_is_not_called_one_without_events(
    typed, tmp_path, monkeypatch, content, says
):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "v.h5").write_bytes(content)
    code, _, err = typed("show", "v.h5", "--reconstruct", "--plot", "v.png")
    assert code == 1
    assert says in err
