"""What is kept of simulated samples is what both seeds have, and the samples stay as they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from physics.pair_data import DETECTOR, EVENTS, SEPARATION, deposits_of, hits_of
from physics.tau_data import pi0_events

import calozoo
from calozoo.physics.kept_truth import TAU_EVENTS, KeptTruth
from calozoo.physics.measurement_arrays import restored_pairs
from calozoo.physics.pairs import measure_pairs
from calozoo.physics.runner import TRUTH, common_trigger
from calozoo.physics.sample_store import Sample, SampleStore
from calozoo.reconstruction.parameters import finder_parameters
from calozoo.reconstruction.photon_finder import PhotonFinder
from calozoo_core.errors import CalozooError
from calozoo_core.io.events import read_events, write_events
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


def test_the_events_that_both_seeds_have_are_kept(work, tmp_path, capsys):
    before = {path: path.stat().st_mtime_ns for path in work.rglob("*")}
    measured = tmp_path / "measured"
    main([str(work), "--out", str(measured)])
    assert capsys.readouterr().out == f"{CLOSE}: 50 events\n"
    assert {path: path.stat().st_mtime_ns for path in work.rglob("*")} == before
    assert [path.name for path in measured.iterdir()] == [f"{CLOSE}.safetensors"]
    content = (measured / f"{CLOSE}.safetensors").read_bytes()
    assert len(content) < 50 * 2 * 40 + 2000
    main([str(work), "--out", str(measured)])
    assert capsys.readouterr().out == ""  # nothing more is there
    assert (measured / f"{CLOSE}.safetensors").read_bytes() == content
    kept = KeptTruth.read(CLOSE, measured)
    assert kept.description.n_events == 50
    assert kept.description.seeds == (1, 2)
    finder = PhotonFinder(DETECTOR, finder_parameters())
    found = measure_pairs(hits_of(TRUTH)[:50], EVENTS[:50], SEPARATION[:50], finder)
    for seed in kept.seeds:
        restored = restored_pairs(seed, 5.0, SEPARATION[:50])
        for name, values in vars(found).items():
            expected = np.asarray(values, dtype=np.float32)
            assert np.array_equal(
                np.asarray(getattr(restored, name), np.float32), expected, equal_nan=True
            ), name


def _chunk(work, seed, number):
    folder = work / CLOSE / f"{TRUTH}-seed{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    deposits_of(TRUTH)[100 * number : 100 * (number + 1)].write(folder / f"{number:05d}.npz")


def test_further_events_are_added_to_those_that_are_kept(tmp_path):
    whole, first, more = (tmp_path / name for name in ("whole", "first", "more"))
    for seed in (1, 2):
        for number in (0, 1):
            _chunk(whole, seed, number)
        _chunk(first, seed, 0)
        _chunk(more, seed, 1)
    at_once, in_parts = tmp_path / "at_once", tmp_path / "in_parts"
    main([str(whole), "--out", str(at_once)])
    main([str(first), "--out", str(in_parts)])
    main([str(more), "--out", str(in_parts)])
    expected, found = (KeptTruth.read(CLOSE, folder) for folder in (at_once, in_parts))
    assert found.description.n_events == expected.description.n_events == 100
    assert [part.n_events for part in found.description.parts] == [50, 50]
    assert found.description.primaries_sha256 == expected.description.primaries_sha256
    assert found.description.truth_sha256 != expected.description.truth_sha256
    for mine, theirs in zip(found.seeds, expected.seeds, strict=True):
        assert mine.keys() == theirs.keys()
        for name, array in mine.items():
            assert array.dtype == theirs[name].dtype
            assert np.array_equal(array, theirs[name]), name


@pytest.mark.parametrize(
    ("field", "said"), [("parameters_sha256", "other parameters"), ("primaries_sha256", "other ev")]
)
def test_nothing_is_added_to_measurements_of_another_kind(tmp_path, field, said):
    work, measured = tmp_path / "work", tmp_path / "measured"
    for seed in (1, 2):
        for number in (0, 1):
            _chunk(work, seed, number)
    main([str(work), "--out", str(measured)])
    kept = KeptTruth.read(CLOSE, measured)
    (part,) = kept.description.parts
    of_half = {"parts": (part.model_copy(update={"n_events": 50}),), field: "of others"}
    changed = replace(kept, description=kept.description.model_copy(update=of_half))
    content = changed.write(measured).read_bytes()
    with pytest.raises(CalozooError, match=said):
        main([str(work), "--out", str(measured)])
    assert (measured / f"{CLOSE}.safetensors").read_bytes() == content


def test_numbers_of_tau_events_go_on(tmp_path):
    events = pi0_events()
    stored = [tmp_path / name for name in ("whole", "first")]
    for work, n in zip(stored, (12, 5), strict=True):
        work.mkdir()
        write_events(work / "tau-12.h5", events)
        store = SampleStore(work, DETECTOR, common_trigger(DETECTOR))
        sample = Sample("tau", events[:n], 5)
        for seed in (1, 2):
            store.models(sample, {TRUTH: calozoo.load("toy")}, seed)
    for out, works in (("at_once", stored[:1]), ("in_parts", stored[::-1])):
        for work in works:
            main([str(work), "--out", str(tmp_path / out)])
    expected, found = (KeptTruth.read("tau", tmp_path / out) for out in ("at_once", "in_parts"))
    assert [part.n_events for part in found.description.parts] == [5, 7]
    for mine, theirs in zip(found.seeds, expected.seeds, strict=True):
        for name, array in mine.items():
            assert np.array_equal(array, theirs[name]), name
            assert array.dtype == theirs[name].dtype
    assert len(read_events(tmp_path / "in_parts" / TAU_EVENTS)) == 12


def test_a_folder_of_other_events_is_refused(work, tmp_path):
    (work / CLOSE / "events.txt").write_text("of others")
    with pytest.raises(CalozooError, match="holds a sample of other events"):
        main([str(work), "--out", str(tmp_path / "measured")])


def test_a_folder_without_samples_gives_no_files(tmp_path, capsys):
    main([str(tmp_path / "nowhere"), "--out", str(tmp_path / "measured")])
    assert capsys.readouterr().out == ""
    assert list((tmp_path / "measured").iterdir()) == []
