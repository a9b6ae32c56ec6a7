"""The table of the plugin's overhead over a bare loop of Geant4."""

from __future__ import annotations

import pytest

from studies.geant4 import overhead
from studies.geant4.overhead import BARE, PLUGIN, RECORDED, TWO_BARE, TWO_WORKERS


def test_ratios_are_of_timings_made_in_turn():
    seconds = {
        BARE: [10.0, 20.0, 30.0],
        RECORDED: [11.0, 22.0, 60.0],
        PLUGIN: [12.0, 24.0, 30.0],
        TWO_BARE: [5.0, 10.0, 20.0],
        TWO_WORKERS: [8.0, 16.0, 10.0],
    }
    text = overhead.report(seconds, "3 photons")
    assert f"| {BARE} | 20.00 |  |  |" in text
    assert f"| {RECORDED} | 22.00 | +10 % |  |" in text
    assert f"| {PLUGIN} | 24.00 | +20 % |  |" in text
    assert f"| {TWO_BARE} | 10.00 |  | 2.00 |" in text
    assert f"| {TWO_WORKERS} | 10.00 |  | 1.50 |" in text


@pytest.mark.slow
def test_every_arm_runs(geant4_data, capsys):
    overhead.main(["--photons", "2", "--rounds", "1"])
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[1].strip() for row in rows] == list(overhead.ARMS)
    assert all(float(row[2]) > 0 for row in rows)
