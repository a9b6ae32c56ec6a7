"""Where Geant4's data sets are found, and what a user reads who has none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from calozoo_core.errors import CalozooError
from calozoo_geant4.data_sets import data_environment


def _data_sets(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).mkdir(parents=True)
    return folder


def test_official_folder_names_are_found_in_geant4_data_dir(tmp_path):
    folder = _data_sets(tmp_path, "G4EMLOW8.8", "G4ENSDFSTATE3.0")
    found = data_environment({"GEANT4_DATA_DIR": str(folder)})
    assert found["G4LEDATA"] == str(folder / "G4EMLOW8.8")
    assert found["G4ENSDFSTATEDATA"] == str(folder / "G4ENSDFSTATE3.0")
    assert found["GEANT4_DATA_DIR"] == str(folder)


def test_folder_of_calozoo_goes_before_that_of_geant4(tmp_path):
    ours = _data_sets(tmp_path / "ours", "G4EMLOW", "G4ENSDFSTATE")
    theirs = _data_sets(tmp_path / "theirs", "G4EMLOW8.8", "G4ENSDFSTATE3.0")
    found = data_environment({"CALOZOO_G4DATA": str(ours), "GEANT4_DATA_DIR": str(theirs)})
    assert found["G4LEDATA"] == str(ours / "G4EMLOW")


def test_downloads_of_geant4_pybind_are_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    _data_sets(tmp_path / ".geant4_pybind", "G4EMLOW8.8", "G4ENSDFSTATE3.0")
    assert data_environment({})["GEANT4_DATA_DIR"] == str(tmp_path / ".geant4_pybind")


def test_data_of_another_version_are_not_taken(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    folder = _data_sets(tmp_path, "G4EMLOW7.3", "G4ENSDFSTATE3.0")
    with pytest.raises(CalozooError, match=r"G4EMLOW8\.8 was not found: set GEANT4_DATA_DIR"):
        data_environment({"GEANT4_DATA_DIR": str(folder)})


def test_without_data_loading_fails_with_one_sentence_and_asks_nothing(tmp_path):
    code = (
        "from calozoo_geant4 import ILD_SIECAL_REGULAR as spec\n"
        "from calozoo_geant4.generator import Geant4\n"
        "from calozoo_core.errors import CalozooError\n"
        "try: Geant4.load(spec)\n"
        "except CalozooError as error: print(error)\n"
    )
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("G4", "GEANT4", "CALOZOO_G4"))
    }
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=kept | {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "CI": "true"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert run.stdout.startswith("Geant4's data set G4EMLOW8.8 was not found: set GEANT4_DATA_DIR")
    assert run.stdout.count("\n") == 1
    assert run.stderr == ""
    assert list(tmp_path.iterdir()) == []
