"""Requests for a simulation of events that are refused before anything is simulated."""

from __future__ import annotations

import pytest

from calozoo.cli import main


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
