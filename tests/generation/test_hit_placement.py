"""`calozoo generate --place`: where primaries enter a detector, and the hits they leave there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from calozoo import api
from calozoo.cli import main
from calozoo.generation.generate_file import check_request
from calozoo.generation.parsing import make_source, make_source_from_ip
from calozoo.generation.placement import HitPlacer, find_hit_placer, find_placement
from calozoo_core.errors import ConditionsError, InputError
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerFile, read_hits, read_showers
from calozoo_core.placement import Trigger, load_placement

MODELS = ["toy", "caloclouds3"]
HIT_COLUMNS = ("offsets", "cell", "layer", "x", "y", "z", "energy")
ILD = load_placement("ild_siecal")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def generate(*words, model="toy", energy="20", out="s.h5"):
    usual = ["--model", model, "--energy", energy, "--out", out, "--quiet", "--overwrite"]
    main(["generate", *usual, *(word for text in words for word in text.split())])


def refusal(capsys, *words, code=2, **request):
    before = {path.name for path in Path().iterdir()}
    with pytest.raises(SystemExit) as end:
        generate(*words, **request)
    said = capsys.readouterr()
    assert end.value.code == code
    assert said.out == ""
    assert said.err.startswith("calozoo: ")
    assert said.err.endswith(".\n")
    assert said.err.count("\n") == 1
    assert {path.name for path in Path().iterdir()} == before
    return said.err


def same_hits(one, other):
    return all(np.array_equal(getattr(one, n), getattr(other, n)) for n in HIT_COLUMNS)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("where", ["", "--from-ip", "--position 0,1804.7,300"])
def test_the_same_command_gives_the_same_bytes(model, where):
    for out in ("a.h5", "b.h5"):
        generate("-n 12 --seed 3 --place ild_siecal", where, model=model, out=out)
    assert Path("a.h5").read_bytes() == Path("b.h5").read_bytes()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("where", ["", "--from-ip"])
def test_positions_and_hits_do_not_depend_on_the_batch_size(model, where):
    for out, size in (("a.h5", 12), ("b.h5", 5)):
        words = f"-n 12 --seed 3 --precision float32 --place ild_siecal --batch-size {size}"
        generate(words, where, model=model, out=out)
    one, other = read_showers("a.h5"), read_showers("b.h5")
    assert np.array_equal(one.incident.position, other.incident.position)
    assert np.array_equal(one.incident.direction, other.incident.direction)
    a, b = read_hits("a.h5"), read_hits("b.h5")
    if model == "toy":
        assert same_hits(a, b)
    else:  # a network rounds differently in batches of another size
        assert len(a.energy) == pytest.approx(len(b.energy), rel=1e-3)
        assert a.energy.sum() == pytest.approx(b.energy.sum(), rel=1e-4)


def test_more_showers_leave_the_first_ones_where_they_were():
    generate("-n 3 --place ild_siecal", out="a.h5")
    generate("-n 9 --place ild_siecal", out="b.h5")
    assert np.array_equal(
        read_showers("a.h5").incident.position, read_showers("b.h5").incident.position[:3]
    )
    assert same_hits(read_hits("a.h5"), read_hits("b.h5", slice(0, 3)))


@pytest.mark.parametrize("model", MODELS)
def test_hits_hold_the_energy_of_the_points_that_fell_into_cells(model):
    generate("-n 20 --place ild_siecal --threshold 0 --dir cone:40", model=model)
    showers, hits = read_showers("s.h5"), read_hits("s.h5")
    depth = ILD.detector.layer_depth_mm[showers.layer]
    points = np.stack([showers.x, showers.y, depth], axis=1).astype(np.float64)
    position = showers.incident.position[showers.shower_index]
    is_live = ILD.cells(ILD.to_global(points, position), showers.layer) >= 0
    live = np.bincount(showers.shower_index, showers.energy * is_live, minlength=20)
    shower = np.repeat(np.arange(20), np.diff(hits.offsets))
    assert np.bincount(shower, hits.energy, minlength=20) == pytest.approx(live, rel=1e-5)
    assert 0.5 < is_live.mean() < 1


def test_without_gaps_hits_hold_all_the_energy():
    generate("-n 5 --place ild_siecal_regular --threshold 0")
    showers, hits = read_showers("s.h5"), read_hits("s.h5")
    assert hits.energy.sum() == pytest.approx(showers.energy.sum(), rel=1e-5)


def test_the_threshold_leaves_out_hits_below_it_and_no_others():
    for words, out in (("--threshold 0", "all.h5"), ("", "usual.h5"), ("--threshold 1", "few.h5")):
        generate("-n 5 --place ild_siecal", words, out=out)
    whole = read_hits("all.h5").energy
    for out, least in (("usual.h5", 0.1), ("few.h5", 1.0)):
        assert np.array_equal(read_hits(out).energy, whole[whole >= np.float32(least)])
        with ShowerFile(out) as file:
            assert file.hits_threshold_mev == least
            assert file.hits_detector == "ild_siecal"


def test_points_are_what_they_are_without_a_detector():
    generate("-n 5 --dir 30,40 --seed 2", out="a.h5")
    generate("-n 5 --dir 30,40 --seed 2 --place ild_siecal", out="b.h5")
    one, other = read_showers("a.h5"), read_showers("b.h5")
    assert np.array_equal(one.energy, other.energy)
    assert np.array_equal(one.x, other.x)
    assert one.incident.position is None


def test_a_position_is_taken_as_it_is_written():
    generate("-n 3 --place ild_siecal --position -12.5,1804.7,301.25")
    assert read_showers("s.h5").incident.position.tolist() == [[-12.5, 1804.7, 301.25]] * 3


def test_positions_of_a_file_are_taken_in_order():
    Path("p.csv").write_text("0,1804.7,0\n1804.7,10,20\n\n900,0,2411.7\n")
    generate("--place ild_siecal --position @p.csv")
    expected = [[0, 1804.7, 0], [1804.7, 10, 20], [900, 0, 2411.7]]
    assert read_showers("s.h5").incident.position.tolist() == expected


def test_positions_of_a_shower_file_are_taken_to_the_last_bit():
    generate("-n 4 --place ild_siecal --from-ip", out="a.h5")
    generate("--place ild_siecal --position @a.h5 --dir @a.h5", out="b.h5")
    one, other = read_showers("a.h5").incident, read_showers("b.h5").incident
    assert np.array_equal(one.position, other.position)
    assert np.array_equal(one.direction, other.direction)


def test_random_positions_are_where_the_trigger_lets_lines_enter():
    generate("-n 200 --place ild_siecal --seed 5 --dir 10,0")
    incident = read_showers("s.h5").incident
    ILD.check(incident.position)
    assert Trigger.of(ILD.detector).aims(incident.position).all()
    assert np.ptp(np.arctan2(incident.position[:, 1], incident.position[:, 0])) > 6
    assert incident.theta == pytest.approx(10, abs=1e-4)


def test_primaries_from_the_interaction_point_point_away_from_it():
    generate("-n 50 --place ild_siecal --from-ip --seed 5", energy="10:50")
    incident = read_showers("s.h5").incident
    forward = incident.direction.astype(np.float64) * 100
    ahead = ILD.to_global(forward, incident.position) - incident.position
    along = incident.position / np.linalg.norm(incident.position, axis=1, keepdims=True)
    assert ahead / 100 == pytest.approx(along, abs=1e-6)


@pytest.mark.parametrize(
    ("words", "momentum"),
    [("90,90", (0, 1, 0)), ("0,1,0.5", (0, 1, 0.5)), ("60,50", (0.5567, 0.6634, 0.5))],
)
def test_a_direction_from_the_interaction_point_is_in_the_detectors_frame(words, momentum):
    generate(f"--place ild_siecal --from-ip --dir {words}")
    position = read_showers("s.h5").incident.position
    assert position == pytest.approx(ILD.enter(momentum), abs=0.5)


def test_directions_of_a_file_fly_from_the_interaction_point():
    Path("d.csv").write_text("0,1,0\n0,-2,0.4\n0.3,0,-1\n")
    generate("--place ild_siecal --from-ip --dir @d.csv")
    position = read_showers("s.h5").incident.position
    assert position == pytest.approx(ILD.enter([[0, 1, 0], [0, -2, 0.4], [0.3, 0, -1]]))


def test_extrapolate_flies_where_the_trigger_takes_none():
    generate("--place ild_siecal --from-ip --dir 90,113 --extrapolate")
    assert len(read_showers("s.h5")) == 1


def test_the_report_tells_gaps_and_placement_apart(capfd):
    generate("-n 30 --place ild_siecal --json")
    report = json.loads(capfd.readouterr().out)
    showers, hits = read_showers("s.h5"), read_hits("s.h5")
    assert report["hits"] == len(hits.energy)
    assert (report["hits_detector"], report["hits_threshold_mev"]) == ("ild_siecal", 0.1)
    lost = 100 * (1 - ILD.place(showers).energy.sum() / showers.energy.sum())
    assert report["gap_percent"] == pytest.approx(lost, abs=1e-2)
    assert 0 < report["placement_seconds"] < report["seconds"]
    assert 0 < report["generation_seconds"] < report["seconds"]


def test_the_footer_has_a_line_for_the_detector(capfd):
    words = "--model toy --energy 20 -n 30 --place ild_siecal --out s.h5"
    main(["generate", *words.split()])
    *_, line = capfd.readouterr().err.splitlines()
    assert line.startswith("ild_siecal  ")
    for words in ("hits from 0.1 MeV", "% of the energy in gaps", "to generate", "to place"):
        assert words in line


REFUSED = {
    "--place ild_siecal --position 0,1800,0": "position 0,1800,0 is not on the face of ild_siecal",
    "--place ild_siecal --position 0,1804.7,2380": "is not on the face",
    "--place ild_siecal --position 0,1804.7": "Cannot read the position '0,1804.7'; write X,Y,Z",
    "--place ild_siecal --position here": "Cannot read the position 'here'",
    "--place ild_siecal --position nan,1804.7,0": "Cannot read the position",
    "--place ild_siecal --position @missing.csv": "missing.csv cannot be read",
    "--place ild_siecal --position @two.csv -n 3": "too few rows, 2, for 3 showers",
    "--place ild_siecal --position @two.csv --dir @three.csv": "different numbers of rows",
    "--place ild_siecal --position @off.csv": "position 0,0,5 is not on the face",
    "--place ild_siecal --position @plain.h5": "The showers of plain.h5 have no positions",
    "--place ild_siecal --position 0,1804.7,0 --from-ip": "leave it or --position out",
    "--place ild_siecal --from-ip --dir 0,0,1": "misses ild_siecal",
    "--place ild_siecal --from-ip --dir @down.csv": "0,0,-1 from the interaction point misses",
    "--place ild_siecal --from-ip --dir 0,0,0": "is zero; write 0,1,0",
    "--place ild_siecal --from-ip --dir 200,0": "Cannot read the direction '200,0'; write THETA",
    "--place ild_siecal --from-ip --dir cone:40": "Cannot read the direction 'cone:40'",
    "--place ild_siecal --from-ip --dir @three.csv -n 4": "too few rows, 3, for 4 showers",
    "--place ild_siecal --from-ip --dir 90,113": "a phi of -14.5 to 22.49 degrees around k * 45",
    "--place ild_siecal --from-ip --dir 36,90": "a theta up to 33 or from 147 degrees",
    "--place ild_siecal --from-ip --particle e-": "Only neutral particles fly straight",
    "--place ild_siecal --threshold -1": "must be an energy in MeV",
    "--place ild_siecal --threshold nan": "must be an energy in MeV",
    "--threshold 0.2": "add --place DETECTOR",
    "--from-ip": "toy.ild-photon makes the same showers wherever they enter; add --place",
    "--position 0,1804.7,0": "add --place DETECTOR",
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_request_that_makes_no_sense_is_refused(capsys, words):
    Path("two.csv").write_text("0,1804.7,0\n" * 2)
    Path("three.csv").write_text("0,1,0.1\n" * 3)
    Path("off.csv").write_text("0,1804.7,0\n0,0,5\n")
    Path("down.csv").write_text("0,1,0\n0,0,-1\n")
    generate("", out="plain.h5")
    assert REFUSED[words] in refusal(capsys, words)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("ild_sicael", "No detector is called 'ild_sicael'; there are ild_siecal"),
        ("nowhere.toml", "nowhere.toml cannot be read"),
        ("par04_siw", "ild_siecal_regular do not fit into par04_siw, whose layers lie elsewhere"),
    ],
)
def test_a_detector_that_is_none_or_another_is_refused(capsys, place, words):
    assert words in refusal(capsys, f"--place {place}", code=1)


def test_angles_from_the_interaction_point_are_checked_before_a_model_is_loaded():
    toy = api.find_model("toy")
    conditions = toy.conditions.model_copy(update={"theta_deg": (0.0, 20.0)})
    spec = toy.model_copy(update={"conditions": conditions})
    steep = make_source_from_ip("20", "50,90", placement=ILD)
    with pytest.raises(ConditionsError, match=r"40 degrees from the normal is outside"):
        check_request(spec, steep)
    check_request(spec, make_source_from_ip("20", "80,90", placement=ILD))
    many = make_source_from_ip("20", None, 300, placement=ILD)
    with pytest.raises(ConditionsError, match="degrees from the normal"):
        check_request(spec, many)


def test_the_bounds_of_lines_from_the_interaction_point_enclose_all_of_them():
    source = make_source_from_ip("20", None, 5000, seed=4, placement=ILD)
    thetas = np.concatenate([incident.theta for _, incident in source.batches(999)])
    outermost = source.bounds().theta
    assert [outermost.min(), outermost.max()] == pytest.approx([thetas.min(), thetas.max()])


def test_showers_without_positions_are_not_placed():
    showers = api.load("toy").generate(Incident([20], (0, 0, 1)))
    with pytest.raises(InputError, match="where these showers enter"):
        HitPlacer(ILD).place(showers)


def test_a_source_without_a_detector_has_no_positions():
    ((_, incident),) = make_source("20", "0,0", 2).batches(5)
    assert incident.position is None


def test_a_model_of_a_shaped_detector_takes_positions_without_hits():
    for position, from_ip in (("0,1804.7,0", False), (None, True)):
        placement = find_placement("mine.real", "ild_siecal", None, position, from_ip=from_ip)
        assert placement.detector.name == "ild_siecal"
        assert find_hit_placer("steps", "ild_siecal", None, placement, None) is None
    assert find_placement("mine.real", "ild_siecal", None, None, from_ip=False) is None
