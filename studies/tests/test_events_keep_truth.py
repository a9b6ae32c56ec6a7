"""What is kept of simulated samples is what both seeds have, and the samples stay as they are."""

from __future__ import annotations

import numpy as np
import pytest
from physics.pair_data import EVENTS, SEPARATION, deposits_of, hits_of

from calozoo.physics import kept_truth
from calozoo.physics.kept_truth import KeptTruth
from calozoo.physics.measurement_arrays import restored_pairs
from calozoo.physics.pairs import measure_pairs
from calozoo.physics.runner import DETECTOR, TRUTH
from calozoo.reconstruction.parameters import finder_parameters
from calozoo.reconstruction.photon_finder import PhotonFinder
from calozoo_core.detector import load_detector
from calozoo_core.errors import CalozooError
from studies.events.keep_truth import main

CLOSE = "pairs-5GeV-30mm"


@pytest.fixture(name="work")
def _work(tmp_path):
    """Two chunks of one seed of Geant4, and one and a chunk after a gap of the other."""
    deposits = deposits_of(TRUTH)
    for seed, numbers in ((1, (0, 1)), (2, (0, 2))):
        folder = tmp_path / "work" / CLOSE / f"{TRUTH}-seed{seed}"
        folder.mkdir(parents=True)
        for number in numbers:
            first = 100 * (number % 2)
            deposits[first : first + 100].write(folder / f"{number:05d}.npz")
    return tmp_path / "work"


def test_the_events_that_both_seeds_have_are_kept(work, tmp_path, monkeypatch, capsys):
    before = {path: path.stat().st_mtime_ns for path in work.rglob("*")}
    measured = tmp_path / "measured"
    main([str(work), "--out", str(measured)])
    assert capsys.readouterr().out == f"{CLOSE}: 50 events\n"
    assert {path: path.stat().st_mtime_ns for path in work.rglob("*")} == before
    assert [path.name for path in measured.iterdir()] == [f"{CLOSE}.safetensors"]
    content = (measured / f"{CLOSE}.safetensors").read_bytes()
    assert len(content) < 50 * 2 * 40 + 2000
    main([str(work), "--out", str(measured)])
    assert (measured / f"{CLOSE}.safetensors").read_bytes() == content
    monkeypatch.setattr(kept_truth, "measured_folder", lambda: measured)
    kept = KeptTruth.read(CLOSE)
    assert kept.description.n_events == 50
    assert kept.description.seeds == (1, 2)
    finder = PhotonFinder(load_detector(DETECTOR), finder_parameters())
    found = measure_pairs(hits_of(TRUTH)[:50], EVENTS[:50], SEPARATION[:50], finder)
    for seed in kept.seeds:
        restored = restored_pairs(seed, 5.0, SEPARATION[:50])
        for name, values in vars(found).items():
            expected = np.asarray(values, dtype=np.float32)
            assert np.array_equal(
                np.asarray(getattr(restored, name), np.float32), expected, equal_nan=True
            ), name


def test_a_folder_of_other_events_is_refused(work, tmp_path):
    (work / CLOSE / "sample.txt").write_text("of others")
    with pytest.raises(CalozooError, match="holds a sample of other events"):
        main([str(work), "--out", str(tmp_path / "measured")])


def test_a_folder_without_samples_gives_no_files(tmp_path, capsys):
    main([str(tmp_path / "nowhere"), "--out", str(tmp_path / "measured")])
    assert capsys.readouterr().out == ""
    assert list((tmp_path / "measured").iterdir()) == []
