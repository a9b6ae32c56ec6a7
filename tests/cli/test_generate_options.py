"""`--workers`, `--source` and `--detector`, and primaries out of a shower file."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import calozoo
from calozoo.cli import main
from calozoo_core.errors import CalozooError
from calozoo_core.io import read_showers, write_showers
from calozoo_core.showers import Showers

POINTS = ("offsets", "x", "y", "layer", "energy", "time")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def geant4_data():
    """Skip where Geant4's data sets are not to be had."""
    data = pytest.importorskip("calozoo_geant4.data_sets", reason="install calozoo-geant4")
    try:
        data.data_environment()
    except CalozooError:
        pytest.skip("set CALOZOO_G4DATA or GEANT4_DATA_DIR to a folder with Geant4's data sets")


@pytest.fixture
def library(tmp_path):
    """Five showers of the toy, as if each of their points were a step."""
    toy = calozoo.load("toy")
    rng = np.random.default_rng(1)
    direction = np.column_stack([rng.uniform(-1, 1, (5, 2)), np.ones(5)])
    showers = toy.generate(energy=rng.uniform(2, 20, 5), direction=direction, seed=1)
    columns = {name: getattr(showers, name) for name in ("offsets", "x", "y", "layer", "energy")}
    steps = Showers(
        **columns,
        time=np.zeros(len(showers.x)),
        incident=showers.incident,
        representation="steps",
        detector=showers.detector,
    )
    write_showers("lib.h5", steps, generator="toy", seed=1)
    return steps


def generate(*words):
    main(["generate", "--quiet", "--out", "s.h5", *words])


def refused(capsys, *words, code=2):
    with pytest.raises(SystemExit) as stop:
        generate(*words)
    assert stop.value.code == code
    (line,) = capsys.readouterr().err.splitlines()
    assert not Path("s.h5").exists()
    return line.removeprefix("calozoo: ")


# Primaries out of a shower file.


def test_energies_and_directions_of_a_shower_file_are_taken_to_the_last_bit(library):
    generate("--model", "toy", "--energy", "@lib.h5", "--dir", "@lib.h5")
    made = read_showers("s.h5").incident
    assert made.energy.tobytes() == library.incident.energy.tobytes()
    assert made.direction.tobytes() == library.incident.direction.tobytes()


def test_fewer_primaries_than_the_file_has_are_its_first(library):
    generate("--model", "toy", "--energy", "@lib.h5", "--dir", "cone:30", "-n", "2")
    assert np.array_equal(read_showers("s.h5").incident.energy, library.incident.energy[:2])


@pytest.mark.parametrize("option", ["--energy", "--dir"])
def test_more_primaries_than_the_file_has_are_refused(option, library, capsys):
    words = {"--energy": "10", "--dir": "0,0"} | {option: "@lib.h5"}
    line = refused(
        capsys, "--model", "toy", "-n", "6", *[w for pair in words.items() for w in pair]
    )
    assert line.startswith("lib.h5 has too few rows, 5, for 6 showers")


def test_a_shower_file_that_is_none_is_refused(capsys):
    assert refused(capsys, "--model", "toy", "--energy", "@no.h5", code=1) == (
        "There is no shower file no.h5."
    )
    Path("text.hdf5").write_text("10\n")
    line = refused(capsys, "--model", "toy", "--energy", "@text.hdf5", code=1)
    assert line.startswith("text.hdf5 is not a whole HDF5 file")


def test_a_shower_file_without_showers_is_refused(library, capsys):
    with h5py.File("lib.h5", "r+") as file:
        for name in ("incident/energy", "incident/direction", *(f"points/{c}" for c in POINTS)):
            file[name].resize(int(name == "points/offsets"), axis=0)
    line = refused(capsys, "--model", "toy", "--energy", "@lib.h5")
    assert line == "The file lib.h5 holds no showers; name one that does."


# What feeds a model.


def test_a_library_feeds_a_model_with_its_own_primaries(library):
    words = ["--source", "lib.h5", "--energy", "@lib.h5", "--dir", "@lib.h5"]
    generate("--model", "optimum.steps", *words)
    made = read_showers("s.h5")
    for column in POINTS:
        assert getattr(made, column).tobytes() == getattr(library, column).tobytes()


def test_primaries_that_are_not_the_librarys_are_refused(library, capsys):
    line = refused(capsys, "--model", "optimum", "--source", "lib.h5", "--energy", "50")
    assert line.startswith("Shower 0 of lib.h5 is a ")
    assert (
        "not 50 GeV; take the library's own primaries, as `calozoo generate --energy @lib.h5"
        in line
    )


def test_another_model_feeds_a_model_by_name():
    generate("--model", "optimum.x1", "--source", "toy", "--energy", "10", "-n", "3", "--seed", "4")
    made, toy = read_showers("s.h5"), calozoo.load("toy").generate(energy=10.0, n=3, seed=4)
    np.testing.assert_allclose(made.visible_energy, toy.visible_energy, rtol=0.02)
    assert np.all(made.n_points < toy.n_points)


def test_the_conditions_of_what_feeds_it_hold(capsys):
    line = refused(capsys, "--model", "optimum.x1", "--source", "toy", "--energy", "200")
    assert line == (
        "200 GeV is outside what optimum.x1 was trained on (1-127 GeV). "
        "Add --extrapolate to try anyway."
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["toy", "--workers", "2"], "toy.ild-photon does not take --workers; leave it out."),
        (["toy", "--source", "lib.h5"], "toy.ild-photon does not take --source; leave it out."),
        (
            ["toy", "--detector", "ild_siecal"],
            "toy.ild-photon does not take --detector; leave it out.",
        ),
        (
            ["optimum", "--source", "toy", "--workers", "2"],
            "toy.ild-photon does not take --workers; leave it out.",
        ),
        (
            ["optimum", "--source", "lib.h5", "--workers", "2"],
            "lib.h5 is a file, which needs no --workers; leave out --workers.",
        ),
        (
            ["optimum", "--source", "lib.h5", "--detector", "ild_siecal"],
            "optimum.x1 does not take --detector; leave it out.",
        ),
        (
            ["optimum.x9", "--source", "toy"],
            "The x25 points of toy.ild-photon cannot be merged to x9; feed optimum.x9 with steps.",
        ),
        (
            ["optimum", "--source", "tyo"],
            "no model named 'tyo'. Did you mean 'toy'? `calozoo list` shows all models.",
        ),
        (
            ["toy", "--workers", "0"],
            "Invalid value for '--workers': 0 is not in the range x>=1.",
        ),
        (["toy", "-o", "steps=4"], "toy.ild-photon does not take -o steps; leave it out."),
        (["toy", "-o", "steps"], "Cannot read the option 'steps'; write name=value."),
        (
            ["toy", "-o", "device=cpu"],
            "--device is not among the model's own options; give it by itself.",
        ),
        (
            ["calodream", "-o", "steps=0"],
            "calodream.ild-photon-clumps takes 1 to 1000 evaluations of its network, not 0.",
        ),
        (
            ["caloqvae", "-o", "sampler=dwave"],
            "caloqvae.ild-photon-clumps has the samplers gibbs, annealing, qpu, and not 'dwave'.",
        ),
        (
            ["caloscore", "-o", "steps=0"],
            "caloscore.ild-photon-clumps takes 1 to 1000 evaluations of its network, not 0.",
        ),
    ],
)
def test_an_option_that_nobody_takes_is_refused(words, sentence, library, capsys):
    assert refused(capsys, "--energy", "10", "--model", *words) == sentence


def test_a_library_that_is_missing_is_refused(capsys):
    line = refused(capsys, "--model", "optimum", "--source", "no.h5", "--energy", "10", code=1)
    assert line == "There is no shower file no.h5."


@pytest.mark.parametrize("name", ["optimum.x1", "optimum.x9", "optimum.steps"])
def test_a_model_may_be_asked_for_what_its_source_may(name):
    spec = calozoo.find_model(name)
    assert spec.conditions == calozoo.find_model(spec.source).conditions


# Processes and detectors.


@pytest.mark.parametrize("model", ["geant4", "optimum.x9"])
def test_any_number_of_workers_writes_the_same_bytes(model, geant4_data):
    files = []
    for workers in ("1", "2"):
        generate(
            *["--model", model, "--workers", workers, "--overwrite"],
            *["--energy", "0.05,0.2,0.1", "--dir", "cone:20", "--seed", "3"],
        )
        files.append(Path("s.h5").read_bytes())
    assert files[0] == files[1]
    assert len(read_showers("s.h5").x)


def test_a_detector_of_ones_own_is_simulated(geant4_data):
    text = (Path(calozoo.__file__).parents[2] / "core/calozoo_core/detectors").joinpath(
        "ild_siecal_regular.toml"
    )
    Path("mine.toml").write_text(text.read_text())
    generate("--model", "geant4", "--detector", "mine.toml", "--energy", "0.2")
    assert read_showers("s.h5").detector == "mine"
