"""Placement is timed beside generation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from calozoo import api
from calozoo_core.placement import load_placement
from studies.placement.cost import measure_placement


def test_placement_is_timed_beside_generation():
    placement = load_placement("ild_siecal")
    costs = measure_placement(api.load("toy"), placement, repeats=2, energies_gev=(5, 20))
    assert [cost.energy_gev for cost in costs] == [5, 20]
    assert all(min(cost) > 0 for cost in costs)


def test_an_unknown_detector_is_refused_in_one_sentence():
    done = subprocess.run(
        [sys.executable, "-m", "studies.placement.cost", "toy", "--detector", "nowhere"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("calozoo: No detector is called 'nowhere'")
    assert done.stderr.count("\n") == 1
