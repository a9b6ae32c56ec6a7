"""What the tests of the core share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from sound_models import ENTRY, import_package, write_package

from calozoo_core.io import read_showers

# The same examples every time, on a machine however busy.
settings.register_profile("calozoo", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("calozoo")


@pytest.fixture(scope="session")
def geant4_files():
    """Files of the Geant4 photon sample."""
    folder = os.environ.get("CALOZOO_SHOWERS")
    if not folder:
        pytest.skip("set CALOZOO_SHOWERS to a folder with train/*.h5 and val/*.h5")
    return sorted(Path(folder).glob("val/*.h5"))


@pytest.fixture(scope="session")
def geant4_showers(geant4_files):
    """800 Geant4 photon showers of 1 to 127 GeV, up to 60 degrees from the normal."""
    return read_showers(geant4_files[0])


@pytest.fixture
def sound_package(tmp_path, monkeypatch):
    """Where the package of the sound models is, importable here and in a process of its own."""
    package = write_package(tmp_path)
    monkeypatch.setitem(sys.modules, ENTRY, import_package(package))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return package
