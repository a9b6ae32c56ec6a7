"""Geant4 generators that share their workers among tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from calozoo_core.errors import CalozooError
from calozoo_geant4 import ILD_SIECAL_REGULAR
from calozoo_geant4.data_sets import data_environment
from calozoo_geant4.generator import Geant4


@pytest.fixture(scope="session", name="geant4_data")
def _geant4_data() -> None:
    """Skip where Geant4's data sets are not to be had."""
    try:
        data_environment()
    except CalozooError:
        pytest.skip("set CALOZOO_G4DATA or GEANT4_DATA_DIR to a folder with Geant4's data sets")


@pytest.fixture(scope="session", name="geant4")
def _geant4(geant4_data: None) -> Iterator[Geant4]:
    """Geant4 in one worker."""
    generator = Geant4(ILD_SIECAL_REGULAR, workers=1)
    yield generator
    generator.close()
