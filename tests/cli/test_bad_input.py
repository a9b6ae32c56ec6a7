"""Whatever is wrong ends in one sentence, exit code 1 or 2, and nothing lost."""

from __future__ import annotations

import pickle
import subprocess
import sys

import h5py
import numpy as np
import pytest

import calozoo
from calozoo.cli import main, message_with_options
from calozoo_core.errors import InputError
from calozoo_core.io import write_showers

PRECIOUS = b"an older file"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with one file of each kind that a request may name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    files = {
        "there.h5": PRECIOUS.decode(),
        "two.txt": "10\n20\n",
        "three.csv": "0,0,1\n0,0,1\n0,0,1\n",
        "text.txt": "10\nabc\n",
        "nan.txt": "10\nnan\n",
        "backward.csv": "0,0,1\n0,0,-1\n",
        "header.csv": "x,y,w\n0,0,1\n",
        "empty.txt": "",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def assert_refused(capsys, folder, *words, code):
    """The command ends as bad input must; returns its sentence."""
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(SystemExit) as end:
        main(list(words))
    said = capsys.readouterr()
    assert end.value.code == code
    assert said.out == ""
    assert said.err.startswith("calozoo: ")
    assert said.err.endswith((".\n", "?\n"))
    assert said.err.count("\n") == 1
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    return said.err


REQUESTS = {
    "--energy 0": "positive",
    "--energy -5": "positive",
    "--energy nan": "Cannot read the energy 'nan'",
    "--energy inf": "Cannot read the energy 'inf'",
    "--energy abc": "Cannot read the energy 'abc'",
    "--energy 10:": "Cannot read the energy",
    "--energy log:1": "Cannot read the energy",
    "--energy 100:10": "write 10 before 100",
    "--energy 10,0": "positive",
    "--energy 200": "200 GeV is outside what toy.ild-photon was trained on (1-127 GeV)",
    "--energy 10:200": "--extrapolate",
    "--energy log:0.1:100": "0.1 GeV is outside",
    "--energy 10,20,500 -n 3": "500 GeV is outside",
    "--energy @missing.txt": "missing.txt cannot be read: no such file or directory",
    "--energy @text.txt": "'abc' in row 2 of text.txt",
    "--energy @nan.txt": "'nan' in row 2 of nan.txt",
    "--energy @empty.txt": "empty.txt has no rows",
    "--energy @two.txt -n 3": "too few rows, 2, for 3 showers",
    "--energy @two.txt --dir @three.csv": "different numbers of rows",
    "--dir 0": "Cannot read the direction '0'",
    "--dir 0,0,0": "is zero",
    "--dir 0,0,-1": "does not point into the calorimeter",
    "--dir 1,0,0": "does not point into the calorimeter",
    "--dir nan,0,1": "Cannot read the direction",
    "--dir 100,0": "does not point into the calorimeter",
    "--dir 90,0": "less than 90 degrees",
    "--dir -10,0": "theta from 0",
    "--dir 70,0": "70 degrees from the normal is outside",
    "--dir cone:90": "less than 90 degrees",
    "--dir cone:80": "80 degrees from the normal is outside",
    "--dir cone:x": "Cannot read the direction",
    "--dir @missing.csv": "missing.csv cannot be read",
    "--dir @backward.csv": "in row 2 of backward.csv does not point into",
    "--dir @header.csv": "'w' of header.csv means nothing",
    "-n 0": "at least 1, not 0",
    "-n -3": "at least 1, not -3",
    "-n 1.5": "'1.5' is not a valid integer",
    "-n many": "'many' is not a valid integer",
    "--seed -1": "seed must be a whole number from 0",
    "--seed 18446744073709551616": "seed must be a whole number from 0",
    "--batch-size 0": "at least one shower, not 0",
    "--batch-size -1": "at least one shower, not -1",
    "--threads 0": "threads must be at least 1",
    "--particle pi-": "not of pi-",
    "--particle pi- --extrapolate": "not of pi-",
    "--device tpu": "'tpu' is not one of",
    "--device cuda": "leave out --device",
    "--precision float8": "'float8' is not one of",
    "--weights nowhere": "'nowhere' does not exist",
    "--model toy@": "names no revision",
    "--model calocluds3": "no model named 'calocluds3'. Did you mean 'caloclouds3'?",
    "--model toy.ild-foton": "Did you mean 'toy.ild-photon'?",
    "--colour red": "No such option",
}


@pytest.mark.parametrize("words", REQUESTS)
def test_a_request_that_makes_no_sense_is_refused(capsys, folder, words):
    given, usual = words.split(), {"--model": "toy", "--energy": "10", "--out": "there.h5"}
    others = [word for pair in usual.items() if pair[0] not in given for word in pair]
    said = assert_refused(capsys, folder, "generate", *given, *others, "--overwrite", code=2)
    assert REQUESTS[words] in said


OUTPUTS = {
    "there.h5": "there.h5 is already there. Add --overwrite to replace it",
    "nowhere/s.h5": "There is no folder nowhere",
    "two.txt/s.h5": "two.txt",
    ".": "is a folder",
    "/": "is a folder",
    "s.root": "call the file s.h5",
    "s": "call the file s.h5",
    "x" * 300 + ".h5": "file name too long",
    "/proc/s.h5": "/proc/s.h5 cannot be written",
}


@pytest.mark.parametrize("out", OUTPUTS)
def test_an_output_that_cannot_be_written_is_refused(capsys, folder, out):
    usual = ["--model", "toy", "--energy", "10", "-n", "1000000"]
    said = assert_refused(capsys, folder, "generate", *usual, "--out", out, code=1)
    assert OUTPUTS[out] in said


def test_an_output_is_looked_at_before_the_model_is_loaded(capsys, folder):
    usual = ["--model", "caloclouds3", "--energy", "10", "--weights", ".", "--out", "there.h5"]
    assert "already there" in assert_refused(capsys, folder, "generate", *usual, code=1)


@pytest.mark.parametrize("missing", ["--model", "--energy", "--out"])
def test_what_is_left_out_is_named(capsys, folder, missing):
    usual = {"--model": "toy", "--energy": "10", "--out": "s.h5"}
    words = [word for pair in usual.items() if pair[0] != missing for word in pair]
    said = assert_refused(capsys, folder, "generate", *words, code=2)
    assert missing in said


def test_an_empty_command_and_an_unknown_one_are_refused(capsys, folder):
    assert "generat" in assert_refused(capsys, folder, "generat", code=2)


LOST = {
    "compare --json --markdown": "leave one out",
    "card toy --json --path": "leave out --json, or --path",
    "refine toy --reference there.h5 --out w --json --markdown": "leave one out",
    "refine toy --reference there.h5 --out w --steps 5": "add --mode metropolis",
    "evaluate there.h5 --reference there.h5 --format png": "add --plots DIR",
    "benchmark toy --no-speed --repeats 3": "leave out one of them",
    "submit slurm there.h5 --dry-run --json": "leave out --json, or --dry-run",
    "generate --model toy --energy 10 --out s.h5 --shard 1/2 --jobs 2": "leave out --jobs",
    "generate --model toy --energy 10 --out s.h5 --shard 1/2 --executor local": "leave out --jobs",
    "show there.h5 --beside there.h5": "--beside",
}


@pytest.mark.parametrize("words", LOST)
def test_an_option_that_nothing_would_use_is_refused(capsys, folder, words):
    said = assert_refused(capsys, folder, *words.split(), code=2)
    assert LOST[words] in said


CROWD = "1000000"
CROWDS = {
    "generate --model toy --energy 10 --out s.h5 --jobs": "--jobs from 1 to 1024",
    "generate --model toy --energy 10 --out s.h5 --executor dask --jobs": "--jobs from 1",
    "generate --model geant4.par04-siw --energy 10 --out s.h5 --workers": "--workers from 1",
    "simulate --gun gamma:5 --from-ip --detector ild_siecal --model geant4.ild-siecal --out e.h5 "
    "--quiet --workers": "--workers from 1",
}


@pytest.mark.parametrize("words", CROWDS)
def test_a_crowd_of_processes_is_not_started(capsys, folder, monkeypatch, words):
    def start(*_, **__):
        pytest.fail("a process was started")

    monkeypatch.setattr(subprocess, "Popen", start)
    before = set(folder.iterdir())
    with pytest.raises(SystemExit) as end:
        main([*words.split(), CROWD])
    said = capsys.readouterr().err
    assert (end.value.code, said.count("\n")) == (2, 1), said
    assert CROWDS[words] in said
    assert set(folder.iterdir()) == before


REPLACED = [
    "generate --model toy --energy @s.h5 --out s.h5 --overwrite",
    "generate --model toy --energy @s.h5 --out ./s.h5 --overwrite --resume",
    "generate --model toy --energy 10 --dir @link.h5 --out s.h5 --overwrite",
    "generate --model toy --energy 10 --plan there.h5 --out there.h5 --overwrite",
    "evaluate s.h5 --reference there.h5 --json s.h5 --overwrite",
    "evaluate there.h5 --reference s.h5 --json link.h5 --overwrite",
    "simulate s.h5 --detector ild_siecal --model toy --out s.h5 --overwrite",
    "import s.h5 --from root --out link.h5 --overwrite",
    "export s.h5 link.h5 --to ddml --overwrite",
]


@pytest.mark.parametrize("words", REPLACED)
def test_what_is_read_is_not_replaced_also_where_that_was_asked_for(capsys, folder, words):
    write_showers("s.h5", calozoo.load("toy").generate(energy=[5, 6]), generator="toy", seed=0)
    (folder / "link.h5").symlink_to("s.h5")
    said = assert_refused(capsys, folder, *words.split(), code=2)
    assert "name" in said


def damage(path, kind):
    """Spoil a good shower file."""
    whole = path.read_bytes()
    if kind == "cut short":
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("energy,x,y,z\n")
    elif kind == "scrambled":
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes(2000) + whole[middle + 2000 :])
    else:
        with h5py.File(path, "r+") as file:
            SPOILERS[kind](file)


def lose_a_column(file):
    del file["points/x"]


def disorder(file):
    file["points/offsets"][1] = 10**9


def turn_back(file):
    file["incident/direction"][0] = (0, 0, -1)


def lose_an_energy(file):
    file["incident/energy"][0] = np.nan


def forget_the_format(file):
    del file.attrs["format"]


def come_from_the_future(file):
    file.attrs["version"] = 99


SPOILERS = {
    spoil.__name__.replace("_", " "): spoil
    for spoil in (
        lose_a_column,
        disorder,
        turn_back,
        lose_an_energy,
        forget_the_format,
        come_from_the_future,
    )
}


@pytest.mark.parametrize("kind", ["cut short", "empty", "text", "scrambled", *SPOILERS])
@pytest.mark.parametrize("options", [[], ["--plot", "s.png"], ["--json"]])
def test_a_damaged_shower_file_is_refused(capsys, folder, kind, options):
    showers = calozoo.load("toy").generate(energy=20, n=20, seed=1)
    write_showers("s.h5", showers, generator="toy")
    damage(folder / "s.h5", kind)
    said = assert_refused(capsys, folder, "show", "s.h5", *options, code=1)
    assert "s.h5" in said


def test_a_shower_file_that_is_not_there_is_refused(capsys, folder):
    assert "missing.h5" in assert_refused(capsys, folder, "show", "missing.h5", code=1)
    assert_refused(capsys, folder, "show", ".", code=1)


def test_a_picture_of_a_shower_that_is_not_there_is_refused(capsys, folder):
    write_showers("s.h5", calozoo.load("toy").generate(energy=20, seed=1), generator="toy")
    for event in ("1", "-1"):
        words = ["show", "s.h5", "--plot", "s.png", "--event", event]
        assert "there is no shower" in assert_refused(capsys, folder, *words, code=2)


@pytest.mark.parametrize(
    "words",
    [
        ["generate", "--model", "calocluds3", "--energy", "50", "--dir", "0,0", "--out", "s.h5"],
        ["generate", "--model", "toy", "--energy", "nan", "--out", "s.h5"],
        ["generate", "--model", "toy", "--energy", "50", "--out", "there.h5"],
        ["show", "there.h5"],
    ],
)
def test_a_process_of_its_own_says_it_as_briefly(folder, words):
    done = subprocess.run(
        [sys.executable, "-m", "calozoo", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert done.stderr.startswith("calozoo: ")
    assert done.stderr.count("\n") == 1
    assert (folder / "there.h5").read_bytes() == PRECIOUS
    assert not list(folder.glob("*.part"))


@pytest.mark.parametrize(
    ("argument", "option"),
    [
        ("extrapolate=True", "--extrapolate"),
        ("batch_size=64", "--batch-size 64"),
        ("device='cpu'", "--device cpu"),
        ("n", "-n"),
        ("direction", "--dir"),
        ("position=(x, y, z)", "--position x,y,z"),
        (r"weights='a\b'", r"--weights a\b"),
    ],
)
def test_the_command_line_puts_its_options_in_place_of_python_arguments(argument, option):
    error = InputError(f"This is no good; try {argument} instead.", argument=argument)

    assert message_with_options(error) == f"This is no good; try {option} instead."


def test_words_that_are_no_arguments_stay_as_they_are():
    error = InputError("None of any kind: leave out n.", argument="n")

    assert message_with_options(error).endswith("leave out -n.")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert pickle.loads(pickle.dumps(error)).arguments == ("n",)
