"""Tests of the store of simulated samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from physics.tau_data import pi0_events

import calozoo
from calozoo.physics.runner import common_trigger
from calozoo.physics.sample_store import Sample, SampleStore
from calozoo_core.detector import load_detector
from calozoo_core.errors import CalozooError

DETECTOR = load_detector("ild_siecal")
SEED = 1


@pytest.fixture(name="sample")
def _sample():
    return Sample("made-up", pi0_events(), 5)


def store_in(folder):
    return SampleStore(folder, DETECTOR, common_trigger(DETECTOR))


def brighter(model):
    """The same model in another version, whose showers have twice the energy."""

    class Brighter(type(model)):
        def sample_numbers(self, incident, seed, numbers):
            showers = super().sample_numbers(incident, seed, numbers)
            return replace(showers, energy=2 * showers.energy)

    return Brighter(model.spec)


def test_chunks_of_another_version_of_a_model_are_made_again(sample, tmp_path):
    toy = calozoo.load("toy")
    before = store_in(tmp_path / "kept").models(sample, {"toy": toy}, SEED)["toy"]
    newer = {"toy": brighter(toy)}
    after = store_in(tmp_path / "kept").models(sample, newer, SEED)["toy"]
    assert after != before
    assert after == store_in(tmp_path / "fresh").models(sample, newer, SEED)["toy"]


def test_chunks_of_the_same_model_are_not_made_again(sample, tmp_path):
    toy = calozoo.load("toy")
    store_in(tmp_path).models(sample, {"toy": toy}, SEED)
    chunks = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    store_in(tmp_path).models(sample, {"toy": toy}, SEED)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")} == chunks
    assert len(chunks) == 3


@pytest.mark.parametrize(("before", "after"), [(2, 12), (12, 2), (7, 8)])
def test_a_sample_may_grow_and_shrink(sample, tmp_path, before, after):
    toy = calozoo.load("toy")

    def made(folder, n):
        some = replace(sample, events=sample.events[:n])
        return store_in(tmp_path / folder).models(some, {"toy": toy}, SEED)["toy"]

    made("kept", before)
    assert made("kept", after) == made("fresh", after)
    assert made("kept", before) == made("kept", 12)[:before]


def test_a_folder_is_refused_for_events_that_differ_behind_the_first_chunk(sample, tmp_path):
    toy = {"toy": calozoo.load("toy")}
    store_in(tmp_path).models(sample, toy, SEED)
    order = [*range(8), 9, 8, 10, 11]
    events = sample.events
    others = type(events).concatenate([events[i : i + 1] for i in order])
    with pytest.raises(CalozooError, match="holds a sample of other events"):
        store_in(tmp_path).models(replace(sample, events=others), toy, SEED)


def test_a_chunk_whose_columns_do_not_fit_together_is_made_again(sample, tmp_path):
    toy = {"toy": calozoo.load("toy")}
    sound = store_in(tmp_path).models(sample, toy, SEED)["toy"]
    (chunk,) = tmp_path.rglob("00001.npz")
    with np.load(chunk) as columns:
        np.savez(chunk, **{**columns, "cell": columns["cell"][:-1]})
    assert store_in(tmp_path).models(sample, toy, SEED)["toy"] == sound
