"""Time of a tau event: the table has what it says."""

from __future__ import annotations

import pytest

from calozoo_core.errors import CalozooError
from calozoo_geant4.data_sets import data_environment
from studies.events.speed import report


@pytest.mark.slow
def test_a_model_is_much_faster_than_geant4():
    pytest.importorskip("pythia8mc")
    try:
        data_environment()
    except CalozooError:
        pytest.skip("set CALOZOO_G4DATA or GEANT4_DATA_DIR to a folder with Geant4's data sets")
    rows = [line.split("|")[1:-1] for line in report(["toy"], 2, 1).splitlines()[2:]]
    by_name = {name.strip(): (float(ms), factor.strip()) for name, ms, factor in rows}
    assert float(by_name["toy"][1]) > 20
    assert by_name["geant4, 1 worker"][1] == "1"
    assert 0 < by_name["the photon finder"][0] < 100
