"""Pairs of photons of 5 GeV, simulated once and kept beside the tests."""

from __future__ import annotations

from pathlib import Path

from calozoo.events.deposits import Deposits
from calozoo.events.hit_building import simulated_events
from calozoo.physics.pair_sample import PairSample
from calozoo.physics.sample_store import Sample
from calozoo_core.detector import load_detector
from calozoo_core.placement import load_placement

DETECTOR = load_detector("ild_siecal")
PAIRS = PairSample(5, 100, 30.0)
EVENTS, SEPARATION = PAIRS.events(), PAIRS.separations()
FOLDER = Path(__file__).parent / "data"


def deposits_of(model):
    return Deposits.read(FOLDER / f"pairs-5GeV-30mm-{model}.npz")


def hits_of(model):
    placement = load_placement(DETECTOR)
    return simulated_events(EVENTS, deposits_of(model), placement, 0.1).hits


def only_close_pairs(energy, numbers):
    """Samples of an energy without the uniform pairs, in place of `pair_samples`."""
    pairs = PairSample(energy, numbers[1], 30.0)
    return [(Sample(pairs.name, pairs.events(), 50), pairs)]
