"""The report of Geant4's CPU times."""

from __future__ import annotations

import pytest

from studies.geant4 import cpu_time


def test_report_has_ratios_of_timings_made_in_turn():
    own, other = ("ild_siecal_regular", "as it is"), ("ild_siecal_regular", "no field")
    times = {own: [10.0, 20.0, 30.0], other: [9.0, 18.0, 60.0], ("par04_siw", "as it is"): [40.0]}
    steps = {own: 370.0, other: 350.0, ("par04_siw", "as it is"): 650.0}
    text = cpu_time.report(times, steps, {1: [8.0, 9.0, 20.0], 2: [5.0, 4.5, 4.0]}, "200 photons")
    assert "| `ild_siecal_regular` | 20.0 | 10.0 | 370 |" in text
    assert "| no field | 0.90 | 350 |" in text
    assert "| `par04_siw` | 40.0 | 40.0 | 650 |" in text
    assert "| 2 workers | 4.5 | 2.00 |" in text


@pytest.mark.slow
def test_every_variant_runs_and_recording_is_no_large_part(geant4_data, capsys):
    cpu_time.main(["--photons", "1", "--repeats", "2", "--showers", "8", "--energy", "2"])
    text = capsys.readouterr().out
    ratio = {
        cells[1].strip(): float(cells[2])
        for cells in (line.split("|") for line in text.splitlines())
        if len(cells) == 5 and cells[1].strip() in cpu_time.VARIANTS
    }
    assert set(ratio) == set(cpu_time.VARIANTS)
    assert ratio["nothing recorded"] > 0.5
