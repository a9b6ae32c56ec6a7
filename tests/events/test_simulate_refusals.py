"""Requests for a simulation of events that are refused before anything is simulated."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest

from calozoo.api import find_model
from calozoo.cli import main
from calozoo.events.request import EventRequest, find_simulation_spec, make_trigger
from calozoo.events.sources import parse_gun
from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError
from calozoo_core.events import Events
from calozoo_core.io.events import write_events
from calozoo_core.placement import load_placement


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(capfd, *options):
    """The last sentence that a command says, and its exit code."""
    with pytest.raises(SystemExit) as stop:
        main(["simulate", *options, "--quiet"])
    said = capfd.readouterr().err
    assert said.startswith("calozoo: ")
    assert said.count("\n") == 1
    return said.removeprefix("calozoo: ").strip(), stop.value.code


ON_FACE = ["--gun", "gamma:9", "--vertex", "0,1804.7,0", "--dir", "90,90"]
ILD = ["--detector", "ild_siecal"]
TOY = ["--model", "toy", *ILD]


@pytest.mark.parametrize("size", ["0", "-1"])
def test_a_batch_of_no_showers_is_refused(folder, capfd, size):
    said, code = refusal(capfd, *ON_FACE, *TOY, "--out", "o.h5", "--batch-size", size)
    assert said == f"A batch holds at least one shower, not {size}."
    assert code == 2
    assert not list(folder.iterdir())


@pytest.mark.parametrize("out", [".", "..", "/"])
def test_a_folder_is_no_file(folder, capfd, out):
    said, code = refusal(capfd, *ON_FACE, *TOY, "--out", out)
    assert said == f"{out} is a folder; give the name of a file."
    assert code == 1


@pytest.mark.parametrize(
    ("options", "complaint", "code"),
    [
        (
            ["--gun", "gamma:50", "--from-ip", "--model", "toy", "--detector", "par04_siw"],
            (
                "Showers made for ild_siecal_regular do not fit into par04_siw, whose layers lie "
                "elsewhere."
            ),
            1,
        ),
        (
            ["--gun", "gamma:1e30", "--from-ip", *TOY],
            "Primary 0 of event 0 has 1e+30 GeV, and Geant4 simulates 100 TeV at most.",
            2,
        ),
        (
            ["--gun", "mu-:1e3,2e5", "--from-ip", *TOY],
            "Primary 0 of event 1 has 200000 GeV, and Geant4 simulates 100 TeV at most.",
            2,
        ),
        (
            ["--gun", "gamma:50:2e5", "--from-ip", "-n", "1000000000", *TOY],
            "Primary 0 of event 0 has 200000 GeV, and Geant4 simulates 100 TeV at most.",
            2,
        ),
        (
            ["--gun", "gamma:50", "--from-ip", "-n", "99999999999999999999", *TOY],
            "A gun shoots 34359738368 events at most, not 99999999999999999999.",
            2,
        ),
        (
            ["--gun", "70000xgamma:50", "--from-ip", *TOY],
            "There may be 65536 primaries in an event at most.",
            2,
        ),
        (
            ["--gun", "gamma:50", "--from-ip", "--dir", "200,90", *TOY],
            "Cannot read the --dir 200,90; write THETA,PHI in degrees, with a THETA of 0 to 180.",
            2,
        ),
        (
            ["--gun", "gamma:50", "--from-ip", "--model", "geant4@1", *ILD],
            "geant4.ild-siecal has no weights, and so no revisions; leave out '@1'.",
            2,
        ),
        (
            ["--gun", "gamma:50", "--from-ip", "--model", "geant4.par04-siw", *ILD],
            (
                "geant4.par04-siw simulates par04_siw, not ild_siecal; write geant4, or give "
                "--detector par04_siw."
            ),
            2,
        ),
    ],
)
def test_what_cannot_be_simulated_is_refused_before_anything_is(
    folder, capfd, options, complaint, code
):
    assert refusal(capfd, *options, "--out", "o.h5") == (complaint, code)
    assert not list(folder.iterdir())


def test_a_vertex_outside_the_world_is_named_by_its_event(folder, capfd):
    n = 4500
    vertex = np.full((n, 3), (0.0, 0.0, 1000.0))
    vertex[n - 1] = 0, 9999, 1000
    write_events("far.h5", Events.of(np.arange(n + 1), [22] * n, [9.0] * n, [0, 1, 0], vertex))
    said, code = refusal(
        capfd, "far.h5", "--model", "toy", "--detector", "ild_siecal_regular", "--out", "o.h5"
    )
    assert said == "Primary 0 of event 4499 starts outside the world around ild_siecal_regular."
    assert code == 2
    assert [path.name for path in folder.iterdir()] == ["far.h5"]


def test_an_impossible_primary_is_named_by_its_number_in_the_file(folder, capfd):
    n = 4500
    write_events("bad.h5", Events.of(np.arange(n + 1), [22] * n, [9.0] * n, [0, 1, 0]))
    with h5py.File("bad.h5", "r+") as file:
        file["primaries/vertex"][n - 1] = np.inf
    said, _ = refusal(capfd, "bad.h5", *TOY, "--out", "o.h5")
    assert said == "Primary 0 of event 4499 has no finite vertex and time."


def test_a_photon_that_is_taken_where_it_starts_may_be_outside_geant4s_world():
    detector = load_detector("ild_siecal_regular")
    spec = find_model("toy")
    placement = load_placement(detector)
    far = (2000.0, 0.0, detector.face_mm)
    source = parse_gun(
        "gamma:9", n=1, seed=0, placement=placement, direction_deg=(0, 0), vertex=far
    )
    request = EventRequest(source, spec, detector, trigger=make_trigger(detector, spec))
    assert request.check_events().n_events == 1
    with pytest.raises(InputError, match="starts outside the world"):
        EventRequest(source, find_model("geant4"), detector).check_events()


def test_a_full_simulation_has_the_name_of_its_detector(tmp_path):
    names = {
        name: find_simulation_spec("geant4", load_detector(name)).name
        for name in ("ild_siecal", "ild_siecal_regular", "par04_siw")
    }
    assert names == {
        "ild_siecal": "geant4.ild-siecal",
        "ild_siecal_regular": "geant4.ild-siecal-regular",
        "par04_siw": "geant4.par04-siw",
    }
    own = replace(load_detector("ild_siecal"), face_mm=1900.0, name="mine")
    spec = find_simulation_spec("geant4", own)
    assert (spec.name, spec.detector) == ("geant4", "mine")


def test_a_survey_of_a_gun_has_its_largest_energy_and_its_last_event():
    placement = load_placement("ild_siecal_regular")
    gun = parse_gun("2xgamma:1:20", n=50, seed=0, placement=placement)
    (first, strongest), (number, last) = gun.survey(4096)
    (everything,) = gun.chunks(50)
    assert (first, number) == (0, 49)
    assert strongest.energy.tolist() == [20, 20]
    assert last == everything[49:]
