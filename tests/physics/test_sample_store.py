"""Tests of the store of simulated samples."""

from __future__ import annotations

from dataclasses import replace

import pytest
from physics.tau_data import pi0_events

import calozoo
from calozoo.physics.runner import common_trigger
from calozoo.physics.sample_store import Sample, SampleStore
from calozoo_core.detector import load_detector

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
