"""Further events of Geant4 are those that a run for more events has."""

from __future__ import annotations

import numpy as np
import pytest
from physics.pair_data import deposits_of

from calozoo.events.deposits import Deposits
from calozoo.physics import kept_truth
from calozoo.physics.runner import TRUTH
from studies.events.keep_truth import main as keep
from studies.events.simulate_truth import main, sample_names, whole_sample

CLOSE = "pairs-5GeV-30mm"


def test_a_sample_that_is_not_known_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main([str(tmp_path / "work"), "pairs-7GeV-30mm"])
    assert stop.value.code == 2
    assert "invalid choice: 'pairs-7GeV-30mm'" in capsys.readouterr().err
    assert not (tmp_path / "work").exists()


def test_samples_are_those_of_the_benchmark_at_their_full_size(tmp_path):
    sizes = {name: len(whole_sample(name, tmp_path).events) for name in sample_names()[:-1]}
    assert sizes["pairs-20GeV-90mm"] == 2000
    assert sizes["pairs-100GeV-30mm"] == 500
    assert len(sizes) == 6


@pytest.mark.slow
@pytest.mark.usefixtures("geant4_data")
def test_events_behind_those_that_are_kept_are_those_of_a_longer_run(tmp_path, monkeypatch):
    first, measured, work = (tmp_path / name for name in ("first", "measured", "work"))
    for seed in (1, 2):
        folder = first / CLOSE / f"{TRUTH}-seed{seed}"
        folder.mkdir(parents=True)
        deposits_of(TRUTH)[:100].write(folder / "00000.npz")
    keep([str(first), "--out", str(measured)])
    monkeypatch.setattr(kept_truth, "measured_folder", lambda: measured)

    main([str(work), CLOSE, "--seed", "1", "-n", "100"])

    (made,) = (work / CLOSE).rglob("*.npz")
    assert made.name == "00001.npz"
    found, expected = Deposits.read(made), deposits_of(TRUTH)[100:200]
    for name in ("offsets", "cell", "energy"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
