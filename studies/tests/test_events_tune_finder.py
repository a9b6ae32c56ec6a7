"""The photon finder is tuned again on the pairs beside the tests, to the same parameters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from calozoo.reconstruction.parameters import frozen_text
from studies.events.tune_finder import simulated, tuned

DATA = Path(__file__).parents[2] / "tests" / "physics" / "data"


@pytest.mark.slow
def test_the_finder_is_tuned_to_the_parameters_of_the_file():
    frozen = json.loads(frozen_text())
    again = json.loads(json.dumps(tuned(simulated(DATA))))
    assert again["parameters"] == frozen["parameters"]
    assert again["samples"] == frozen["samples"]
    assert again["scan"] == [pytest.approx(row, rel=1e-3, abs=1e-5) for row in frozen["scan"]]
