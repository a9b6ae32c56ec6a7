"""Photon pairs: the sample, and what 100 pairs of 5 GeV say of Geant4 and of perfect models."""

from __future__ import annotations

import time

import numpy as np
import pytest
from physics.pair_data import DETECTOR, EVENTS, PAIRS, SEPARATION, hits_of

from calozoo.physics.pair_sample import PairSample
from calozoo.physics.pairs import compare_pairs, measure_pairs, rise
from calozoo.reconstruction.parameters import finder_parameters
from calozoo.reconstruction.photon_finder import PhotonFinder
from calozoo_core.placement import load_placement

FINDER = PhotonFinder(DETECTOR, finder_parameters())


@pytest.fixture(scope="module", name="measured")
def _measured():
    models = ("geant4.ild-siecal", "optimum.x1", "optimum.x9")
    return {m: measure_pairs(hits_of(m), EVENTS, SEPARATION, FINDER) for m in models}


def test_photons_of_a_pair_are_on_the_face_as_far_apart_as_they_should_be():
    vertex = EVENTS.vertex.reshape(-1, 2, 3)
    assert np.linalg.norm(vertex[:, 0] - vertex[:, 1], axis=1) == pytest.approx(SEPARATION)
    assert load_placement(DETECTOR).on_face(EVENTS.vertex).all()
    assert EVENTS.vertex[:, 1] == pytest.approx(1804.7)
    middle = vertex.mean(axis=1)
    theta = np.degrees(np.arccos(middle[:, 2] / np.linalg.norm(middle, axis=1)))
    assert 83 <= theta.min() < theta.max() <= 87
    assert SEPARATION.max() <= 30


def test_a_pair_depends_on_its_number_alone():
    assert PairSample(5, 7, 30.0).events() == EVENTS[:7]
    assert PAIRS.separations()[:7].tolist() == PairSample(5, 7, 30.0).separations().tolist()


def test_the_rise_is_found_where_it_was_put():
    separation = np.linspace(0, 30, 3000)
    n_found = 1 + (separation > 11)
    assert rise(separation, n_found)[0] == pytest.approx(11, abs=0.3)


def test_geant4s_pairs_are_one_photon_when_close_and_two_when_apart(measured):
    truth = measured["geant4.ild-siecal"]
    assert truth.n_found[SEPARATION < 6].mean() < 1.1
    assert truth.n_found[SEPARATION > 18].mean() == pytest.approx(2, abs=0.06)
    assert truth.quantities()["singles.5GeV.response"] == pytest.approx(1, abs=0.02)


def test_x1_is_behind_x9(measured):
    truth = measured["geant4.ild-siecal"]
    x1, x9 = (
        {figure.name: figure for figure in compare_pairs([measured[m]], truth)}
        for m in ("optimum.x1", "optimum.x9")
    )
    for name in ("pairs.5GeV.d50", "pairs.5GeV.sharing", "singles.5GeV.position"):
        assert abs(x1[name].value) > 2 * abs(x9[name].value), name
    number, position = "pairs.5GeV.number", "singles.5GeV.position"
    assert x1[number].value > 2 * x9[number].value
    assert x1[position].value > 3 * x1[position].error
    assert abs(x9[position].value) < 2 * x9[position].error


def test_geant4_against_itself_differs_by_nothing(measured):
    truth = measured["geant4.ild-siecal"]
    same = compare_pairs([truth, truth], truth, truth)
    assert all(figure.value == 0 for figure in same)
    assert all(figure.error == figure.noise_floor == figure.seed_spread == 0 for figure in same)
    assert {figure.name.partition(".")[0] for figure in same} == {"pairs", "singles"}


def test_seeds_are_averaged_and_their_spread_is_given(measured):
    truth, x1, x9 = (measured[m] for m in ("geant4.ild-siecal", "optimum.x1", "optimum.x9"))
    both, one, other = (
        {f.name: f for f in compare_pairs(models, truth, x9)} for models in ([x1, x9], [x1], [x9])
    )
    name = "singles.5GeV.position"
    values = one[name].value, other[name].value
    assert both[name].value == pytest.approx(np.mean(values))
    assert both[name].seed_spread == pytest.approx(np.std(values, ddof=1))
    assert one[name].seed_spread is None
    # The floor of a divergence is measured, that of a difference is what chance would give.
    assert both["pairs.5GeV.number"].noise_floor == other["pairs.5GeV.number"].value
    assert both[name].noise_floor == pytest.approx(0.8 * other[name].error, rel=0.01)


def test_a_quantity_without_entries_says_so(measured):
    truth = measured["geant4.ild-siecal"]
    near = truth.rows(np.flatnonzero(truth.separation < 10))
    plateau = {f.name: f for f in compare_pairs([near], near)}["pairs.5GeV.plateau"]
    assert plateau.value is None
    assert plateau.reason


def test_the_finder_takes_milliseconds_an_event():
    hits = hits_of("geant4.ild-siecal")
    began = time.process_time()
    for i in range(50):
        FINDER.find(hits.hits[i])
    assert (time.process_time() - began) / 50 < 0.02  # 3 ms here; the limit is for slow machines
