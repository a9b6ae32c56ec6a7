"""`calozoo train` and `calozoo convert`: from a name to the plugin's own function."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time

import pytest

from calozoo.cli import main
from calozoo.models import discovery
from calozoo.training import parse_options
from calozoo_core.errors import InputError
from calozoo_core.testing.trainers import made_up_showers, write_sample
from conftest import clean_environment

PLUGIN = """
    from pathlib import Path
    from calozoo_core.generator import Conditions, ModelSpec
    from calozoo_core.hookspecs import hookimpl

    def train(data, out, *, epochs=1, device="cpu"):
        out.mkdir(parents=True, exist_ok=True)
        (out / "trained.txt").write_text(f"{data.name} {epochs + 1} {device}")

    def train_with_anything(data, out, **options):
        (out / "trained.txt").write_text(repr(options))

    def train_with_more(data, out):
        import a_package_that_nobody_has.part

    def convert(source, out):
        out.mkdir(parents=True, exist_ok=True)
        (out / "config.json").write_text(source.read_text())

    @hookimpl
    def register_models(register):
        names = {"fit": "train", "any": "train_with_anything", "more": "train_with_more",
                 "lost": "not_there"}
        for tag, trainer in names.items():
            register(ModelSpec(
                name=f"trainable.{tag}",
                summary="Writes down how it was trained.",
                factory="trainable:Nothing",
                representation="x25",
                detector="ild_siecal_regular",
                conditions=Conditions(energy_gev=(1, 100)),
                trainer=f"trainable:{trainer}",
                converter="trainable:convert",
                license="Apache-2.0",
            ))
"""


@pytest.fixture(autouse=True)
def folder(site, tmp_path, monkeypatch):
    site.install("calozoo-trainable", "1.0", "trainable", PLUGIN)
    discovery.forget()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "showers").mkdir()
    yield tmp_path
    discovery.forget()


def refused(capsys, *words):
    """Exit code and the sentence of a command that must fail."""
    with pytest.raises(SystemExit) as end:
        main(list(words))
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("calozoo: ")
    assert said.err.count("\n") == 1
    return end.value.code, said.err


def test_the_plugins_function_trains_with_the_options_given(folder, capsys):
    words = ["train", "trainable", "--data", "showers", "--out", "run", "-o", "epochs=7"]
    main(words)
    assert (folder / "run/trained.txt").read_text() == "showers 8 cpu"
    assert capsys.readouterr().out == "run\n"


def test_an_option_the_trainer_does_not_have_is_refused_before_it_starts(folder, capsys):
    words = ["train", "trainable", "--data", "showers", "--out", "run", "-o", "epoch=7"]
    assert refused(capsys, *words) == (
        2,
        "calozoo: There is no option epoch; the options are epochs, device.\n",
    )
    assert not (folder / "run").exists()


def test_a_trainer_that_takes_any_option_checks_them_itself(folder):
    main(["train", "trainable.any", "--data", "showers", "--out", ".", "-o", "a-b=x", "-o", "c=1"])
    assert (folder / "trained.txt").read_text() == "{'a_b': 'x', 'c': 1}"


def test_what_only_training_needs_is_named_with_what_brings_it(capsys):
    code, said = refused(capsys, "train", "trainable.more", "--data", "showers", "--out", "run")
    assert code == 1
    assert "needs a_package_that_nobody_has" in said
    assert "pip install 'calozoo-trainable[train]'" in said


def test_a_trainer_that_is_not_there_is_the_plugins_fault(capsys):
    code, said = refused(capsys, "train", "trainable.lost", "--data", "showers", "--out", "run")
    assert code == 1
    assert "trainable.lost is broken" in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "toy", "--data", "showers", "--out", "run"], "has nothing to train"),
        (["train", "trainable", "--data", "nowhere", "--out", "run"], "There is no folder nowhere"),
        (["train", "trainabel", "--data", "showers", "--out", "run"], "Did you mean 'trainable'?"),
        (["train", "trainable", "--data", "showers"], "--out"),
        (
            ["train", "trainable", "--data", "showers", "--out", "run", "--devices", "2"],
            "The trainer of trainable.fit works in one process; leave out --devices.",
        ),
        (
            ["train", "trainable", "--data", "showers", "--out", "run", "--walltime", "2 h"],
            "Cannot read the walltime '2 h'; write hours:minutes:seconds, as 02:00:00.",
        ),
        (
            ["train", "trainable", "--data", "showers", "--out", "run", "--walltime", "01:00:00"],
            "cannot stop before a time limit",
        ),
        (
            ["train", "3dgan.ild-photon", "--data", "showers", "--out", "x", "--devices", "2"],
            "This trains in one process, since its loss compares all generated images",
        ),
        (["convert", "toy", "showers", "--out", "run"], "nothing to convert"),
        (["convert", "trainable", "nowhere.pt", "--out", "run"], "There is no file or folder"),
    ],
)
def test_what_cannot_be_trained_or_converted_is_refused(folder, capsys, words, sentence):
    code, said = refused(capsys, *words)
    assert code == 2
    assert sentence in said
    assert not (folder / "run").exists()


def test_conversion_replaces_weights_only_when_told_to(folder, capsys):
    (folder / "theirs").write_text("new")
    (folder / "run").mkdir()
    (folder / "run/config.json").write_text("precious")
    words = ["convert", "trainable", "theirs", "--out", "run"]
    code, said = refused(capsys, *words)
    assert (code, "--overwrite" in said) == (1, True)
    assert (folder / "run/config.json").read_text() == "precious"
    main([*words, "--overwrite"])
    assert (folder / "run/config.json").read_text() == "new"
    assert capsys.readouterr().out == "run\n"


def test_what_was_written_is_reported_in_json(folder, capsys):
    (folder / "theirs").write_text("{}")
    main(["convert", "trainable", "theirs", "--out", "run", "--json"])
    report = json.loads(capsys.readouterr().out)

    assert (report["model"], report["out"]) == ("trainable.fit", "run")
    digest = hashlib.sha256(b"{}").hexdigest()
    assert report["files"] == [{"name": "config.json", "size": 2, "sha256": digest}]
    main(["train", "trainable", "--data", "showers", "--out", "other", "--json"])
    assert json.loads(capsys.readouterr().out)["files"] == []


@pytest.mark.parametrize("word", ["epochs", "=3", "a b=3", "", "3=4"])
def test_an_option_without_a_name_or_value_is_refused(word):
    with pytest.raises(InputError, match="name=value"):
        parse_options([word])


def test_an_option_is_given_once():
    with pytest.raises(InputError, match="twice"):
        parse_options(["a=1", "a=2"])


def test_a_value_is_what_it_reads_as():
    words = ["a=1", "b=1e-3", "c=true", "d=null", "e=96,96", "f=[1, 2]", "g=", "h=x=y"]
    assert parse_options(words) == {
        "a": 1,
        "b": 0.001,
        "c": True,
        "d": None,
        "e": "96,96",
        "f": [1, 2],
        "g": "",
        "h": "x=y",
    }


def test_ctrl_c_says_how_to_go_on(tmp_path):
    data = write_sample(tmp_path / "data", made_up_showers())
    options = ["preset=tiny", "stage=energies", "energies_epochs=100000", "steps=3", "threads=1"]
    words = ["train", "3dgan.ild-photon", "--data", data, "--out", "run"]
    words += [word for option in options for word in ("-o", option)]
    with subprocess.Popen(
        [sys.executable, "-m", "calozoo", *words],
        env=clean_environment(tmp_path),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    ) as training:
        checkpoint, deadline = tmp_path / "run/energies/last.ckpt", time.monotonic() + 120
        while not checkpoint.exists() and training.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        training.send_signal(signal.SIGINT)
        _, said = training.communicate(timeout=120)
    assert training.returncode == 130
    assert said == "calozoo: stopped; the same command goes on from the last checkpoint.\n"


@pytest.mark.slow
def test_a_training_in_two_processes_is_stopped_by_a_signal_and_before_its_time_and_goes_on(
    tmp_path,
):
    data = write_sample(tmp_path / "data", made_up_showers())
    options = ["preset=tiny", "stage=flow", "flow_epochs=40", "steps=25", "checkpoint_minutes=0.01"]
    words = ["train", "caloclouds3.ild-photon", "--data", data, "--out", "run", "--devices", "2"]
    words += [word for option in options for word in ("-o", option)]
    command = [sys.executable, "-m", "calozoo", *words]
    place = {"env": clean_environment(tmp_path), "cwd": tmp_path, "text": True}
    with subprocess.Popen(command, stderr=subprocess.PIPE, **place) as training:
        checkpoint, deadline = tmp_path / "run/flow/last.ckpt", time.monotonic() + 200
        while not checkpoint.exists() and training.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        training.send_signal(signal.SIGUSR1)
        _, said = training.communicate(timeout=120)
    assert (training.returncode, said) == (
        130,
        "calozoo: stopped by SIGUSR1; the same command goes on from the last checkpoint.\n",
    )
    late = subprocess.run([*command, "--walltime", "00:10"], capture_output=True, **place)
    assert late.returncode == 130
    assert late.stderr == (
        "calozoo: stopped before the end of its time; "
        "the same command goes on from the last checkpoint.\n"
    )
    whole = subprocess.run(command, capture_output=True, check=True, **place)
    assert whole.stdout == "run\n"
    assert (tmp_path / "run/flow/kept.safetensors").exists()
