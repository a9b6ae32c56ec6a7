"""Geant4's data sets, for the studies that simulate."""

from __future__ import annotations

import pytest

from calozoo_core.errors import CalozooError
from calozoo_geant4.data_sets import data_environment


@pytest.fixture(scope="session", name="geant4_data")
def _geant4_data() -> None:
    """Skip where Geant4's data sets are not found."""
    try:
        data_environment()
    except CalozooError:
        pytest.skip("set CALOZOO_G4DATA or GEANT4_DATA_DIR to a folder with Geant4's data sets")
