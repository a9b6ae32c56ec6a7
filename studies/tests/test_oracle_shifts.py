"""Shifts of features that a design brings."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo_core.clumps import load_table
from calozoo_core.detector import load_detector
from calozoo_core.incident import Incident
from calozoo_core.io import write_showers
from calozoo_core.observables.cell_features import FEATURE_GROUPS, feature_columns
from calozoo_core.showers import Showers
from studies.oracle import shifts as study


def made_up(n=40, each=150):
    """Showers of random steps, two and two of which lie about half a millimetre apart."""
    rng = np.random.default_rng(2)
    x, y = (
        np.repeat(rng.normal(0, 15, n * each // 2), 2) + rng.normal(0, 0.5, n * each)
        for _ in range(2)
    )
    return Showers(
        offsets=np.arange(n + 1) * each,
        x=x,
        y=y,
        layer=np.sort(rng.integers(0, 30, (n, each)), axis=1).ravel(),
        energy=rng.exponential(0.5, n * each),
        incident=Incident(rng.uniform(10, 100, n), rng.normal([0, 0, 4], 0.4, (n, 3))),
        representation="steps",
        detector="ild_siecal_regular",
    )


def test_steps_themselves_are_not_shifted():
    found = study.shifts(made_up(), "steps")
    assert not found.mean.any()
    assert not found.chance.any()


def test_other_halos_scatter_and_so_shift_by_chance():
    own, other = (
        study.shifts(made_up(), name).chance.sum()
        for name in ("x25", "true cores, halos of the library")
    )
    assert 0 < 10 * own < other


def test_coarse_points_have_fewer_cells_beside_others():
    columns = feature_columns(load_detector("ild_siecal_regular").n_layers)
    names = [name for group in ("primary", *FEATURE_GROUPS) for name in columns[group]]
    found = dict(zip(names, study.shifts(made_up(each=800), "x9").mean, strict=True))
    assert found["log energy"] == 0
    assert found["mean number of neighbours from 2 cells"] < -0.2
    assert abs(found["energy of layer 12"]) < 0.5


def test_a_spread_is_about_the_mean_at_an_energy_and_direction():
    incident = made_up(400, 1).incident
    log_energy = np.log(incident.energy.astype(np.float64))
    noise = np.random.default_rng(1).normal(0, 0.1, 400)
    values = np.stack([log_energy**2 + incident.direction[:, 0], log_energy + noise], axis=1)
    found = study.spread(values, incident)
    assert found[0] == pytest.approx(0, abs=1e-6)
    assert found[1] == pytest.approx(0.1, rel=0.1)


def test_showers_that_the_table_was_made_of_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "steps.h5"
    write_showers(path, made_up(2), generator="made up")
    source = load_table("ild_siecal_regular").config.sources[0]
    monkeypatch.setattr(study, "sha256", lambda _: source.sha256)
    with pytest.raises(SystemExit, match="The table of clumps was made of"):
        study.main([str(path)])


def test_the_table_goes_into_a_page(tmp_path, capsys):
    path, page = tmp_path / "steps.h5", tmp_path / "page.md"
    write_showers(path, made_up(60), generator="made up")
    page.write_text("<!-- begin shifts -->\n<!-- end shifts -->\n")
    study.main([str(path), "--write", str(page)])
    printed = capsys.readouterr().out
    assert printed.strip() in page.read_text()
    assert "| true cores, halos of the library |" in printed
    assert "| steps |" not in printed
