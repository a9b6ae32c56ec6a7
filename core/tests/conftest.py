"""What the tests of the core share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from sound_models import ENTRY, import_package, write_package

from calozoo_core.hits import Hits
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerWriter, read_showers
from calozoo_core.showers import Showers

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


@pytest.fixture(scope="module")
def sound():
    rng = np.random.default_rng(3)
    return Showers(
        offsets=[0, 100, 100, 300],
        x=rng.normal(0, 20, 300),
        y=rng.normal(0, 20, 300),
        layer=rng.integers(0, 30, 300),
        energy=rng.exponential(1, 300),
        incident=Incident(
            [10, 20, 30],
            [(0, 0, 1), (0.5, 0, 1), (0, 0.3, 1)],
            position=[(0, 1804.7, 0), (1, 1804.7, 2), (3, 1804.7, 4)],
        ),
        representation="x25",
        detector="ild_siecal_regular",
    )


@pytest.fixture(scope="module")
def sound_hits():
    rng = np.random.default_rng(4)
    return Hits(
        offsets=np.array([0, 80, 80, 200]),
        cell=rng.integers(0, 10**6, 200),
        layer=rng.integers(0, 30, 200).astype(np.uint8),
        **{name: rng.normal(0, 900, 200).astype(np.float32) for name in "xyz"},
        energy=rng.exponential(1, 200).astype(np.float32),
    )


@pytest.fixture
def path(tmp_path, sound, sound_hits):
    options = {"hits_detector": "ild_siecal_regular", "hits_threshold_mev": 0.1}
    with ShowerWriter(tmp_path / "s.h5", generator="toy", seed=1, **options) as writer:
        writer.append(sound, sound_hits)
    return tmp_path / "s.h5"
