"""Showers in 3D: what the page holds is what the file holds."""

from __future__ import annotations

import numpy as np
import pytest
from plotting.page_data import page_data, unpacked

import calozoo
from calozoo.cli import main
from calozoo.plotting.event_display import event_display, packing
from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError
from calozoo_core.io import ShowerFile, write_showers
from calozoo_core.placement import load_placement


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two files of the same three primaries, placed, from two seeds of the showers' model."""
    folder = tmp_path_factory.mktemp("showers")
    for name, model in (("one.h5", "toy"), ("other.h5", "optimum.x1")):
        arguments = ["--energy", "10,20", "--dir", "cone:20", "-n", "3", "--seed", "1"]
        source = ["--source", str(folder / "one.h5")] if model != "toy" else []
        place = ["--place", "ild_siecal", "--out", str(folder / name), "--quiet"]
        assert main(["generate", "--model", model, *arguments, *source, *place]) == 0
    return folder / "one.h5", folder / "other.h5"


def test_page_holds_the_points_and_hits_of_the_file(files):
    data = page_data(event_display(files[:1]))
    with ShowerFile(files[0]) as file:
        showers, hits = file[:], file.hits()
    depth = load_detector("ild_siecal_regular").layer_depth_mm
    placement = load_placement("ild_siecal")
    assert len(data["showers"]) == 3
    for i, (shower, shown) in enumerate(zip(showers, data["showers"], strict=True)):
        (side,) = shown["sides"]
        assert shown["energy"] == pytest.approx(shower.incident_energy)
        assert side["points"]["visible"] == pytest.approx(shower.visible_energy, abs=1e-3)
        assert sum(side["points"]["layers"]) == pytest.approx(shower.visible_energy, rel=1e-3)
        order = np.argsort(-shower.energy.astype(np.float64), kind="stable")
        where = np.stack([shower.x, shower.y, depth[shower.layer]], axis=1)[order]
        positions, energies = unpacked(data, side["points"], "points")
        assert np.abs(positions - where).max() <= data["step"]
        low = data["energy"]["points"][0]
        assert np.allclose(energies, np.maximum(shower.energy[order], low), rtol=1e-3)
        mine = hits[i]
        centres = np.stack([mine.x, mine.y, mine.z], axis=1).astype(np.float64)
        local = placement.to_local(centres, shower.position)
        order = np.argsort(-mine.energy.astype(np.float64), kind="stable")
        positions, _ = unpacked(data, side["hits"], "hits")
        assert np.abs(positions - local[order]).max() <= data["step"]


def test_hits_lie_within_the_sensitive_areas_that_are_drawn(files):
    data = page_data(event_display(files[:1], count=1))
    (side,) = data["showers"][0]["sides"]
    positions, _ = unpacked(data, side["hits"], "hits")
    sheets = np.array(side["sheets"])
    depths = np.array(data["files"][0]["depths"])
    near = np.abs(positions[:, :2]).max(axis=1) < 40
    assert near.sum() > 50
    inside = 0
    for x, y, z in positions[near]:
        layer = np.abs(depths - z).argmin()
        mine = sheets[sheets[:, 0] == layer]
        inside += np.any(
            (mine[:, 1] <= x) & (x <= mine[:, 2]) & (mine[:, 3] <= y) & (y <= mine[:, 4])
        )
    assert inside > 0.95 * near.sum()


def test_two_files_of_the_same_primaries_stand_side_by_side(files):
    data = page_data(event_display(files))
    assert [file["model"] for file in data["files"]] == ["toy.ild-photon", "optimum.x1"]
    assert all(len(shower["sides"]) == 2 for shower in data["showers"])


def test_files_of_other_primaries_are_refused(files, tmp_path):
    other = calozoo.load("toy").generate(energy=[11, 20, 10], seed=1)
    write_showers(tmp_path / "other.h5", other, generator="toy.ild-photon", seed=1)
    with pytest.raises(InputError, match=r"Shower 0 is a gamma of 10 GeV .* same energy"):
        event_display([files[0], tmp_path / "other.h5"])


def test_showers_from_one_on_and_no_more_than_there_are(files):
    data = page_data(event_display(files[:1], first=1, count=20))
    assert [shower["number"] for shower in data["showers"]] == [1, 2]
    with pytest.raises(InputError, match="has showers 0 to 2; there is no shower 3"):
        event_display(files[:1], first=3)


def test_two_photons_that_enter_near_each_other_are_drawn_in_one_frame(files, tmp_path):
    with ShowerFile(files[0]) as file:
        position = file.incident().position[0]
    near = position + np.array([[0.0, 0, 0], [0, 0, 30.0]])
    places = tmp_path / "places.csv"
    places.write_text("\n".join(",".join(map(str, row)) for row in near))
    arguments = ["--model", "toy", "--energy", "20", "--dir", "0,0", "--position", f"@{places}"]
    out = str(tmp_path / "pair.h5")
    code = main(["generate", *arguments, "--place", "ild_siecal", "--out", out, "--quiet"])
    assert code == 0
    offsets = np.array(page_data(event_display([tmp_path / "pair.h5"]))["offsets"])
    assert np.allclose(offsets[0], 0)
    assert np.linalg.norm(offsets[1]) == pytest.approx(30, abs=0.1)


def test_an_empty_shower_can_be_shown(tmp_path):
    shower = calozoo.load("toy").generate(energy=10, seed=1)
    none = type(shower).without_points(shower.incident, "x25", shower.detector)
    write_showers(tmp_path / "none.h5", none, generator="toy.ild-photon", seed=1)
    (side,) = page_data(event_display([tmp_path / "none.h5"]))["showers"][0]["sides"]
    assert side["points"]["count"] == 0


def test_too_much_for_a_page_is_refused(files, monkeypatch):
    monkeypatch.setattr(packing, "MAX_DEPOSITS", 100)
    with pytest.raises(InputError, match=r"more than a page holds \(100\); show fewer showers"):
        event_display(files[:1])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--beside", "x.h5"], "--beside belongs to --html"),
        (["--count", "3"], "--count belongs to --html"),
        (["--html", "view.htm"], "view.htm is not"),
        (["--html", "nowhere/view.html"], "There is no folder nowhere"),
        (["--html", "view.html", "--event", "-1"], "there is no shower -1"),
    ],
)
def test_what_cannot_be_shown_is_said_at_once(files, typed, arguments, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, errors = typed("show", str(files[0]), *arguments)
    assert code == 2
    assert says in errors
    assert not list(tmp_path.glob("*.htm*"))
