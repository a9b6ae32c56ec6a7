"""Frozen parameters of the photon finder: what the data file says of them can be made again."""

from __future__ import annotations

import json
from itertools import product

import pytest
from physics.pair_data import DETECTOR, FOLDER

from calozoo.events.deposits import Deposits
from calozoo.physics import tuning
from calozoo.physics.pair_sample import PairSample
from calozoo.physics.tuning import (
    MOST_SPLIT,
    SCANNED,
    TUNING_SEED,
    TuningSample,
    best_row,
    calibrated,
    deposits_digest,
    finder_report,
    split_name,
)
from calozoo.reconstruction.parameters import FinderParameters, finder_parameters, frozen_text

FROZEN = json.loads(frozen_text())
SIZES = {5: 200, 20: 60, 100: 10}


@pytest.fixture(scope="module", name="halves")
def _halves():
    """First and second halves of the samples, by energy."""
    samples = {
        energy: TuningSample.of(
            Deposits.read(FOLDER / f"tuning-{energy}GeV.npz"),
            PairSample(energy, n, 30.0, TUNING_SEED),
            DETECTOR,
        )
        for energy, n in SIZES.items()
    }
    return [
        {energy: sample.halves()[half] for energy, sample in samples.items()} for half in (0, 1)
    ]


def test_the_sample_is_the_one_of_the_file():
    found = [deposits_digest(Deposits.read(FOLDER / f"tuning-{energy}GeV.npz")) for energy in SIZES]
    assert found == list(FROZEN["samples"].values())


def test_no_pair_of_the_benchmark_was_tuned_on():
    tuned, tested = (PairSample(20, 60, 30.0, seed).events() for seed in (TUNING_SEED, 0))
    assert not set(tuned.vertex[:, 0]) & set(tested.vertex[:, 0])


def test_the_report_on_the_second_half_can_be_made_again(halves):
    report = finder_report(halves[1], DETECTOR, finder_parameters())
    assert report == pytest.approx(FROZEN["report"], rel=1e-3, abs=1e-5)


def test_the_calibration_on_the_first_half_can_be_made_again(halves):
    again = calibrated(halves[0], DETECTOR, finder_parameters())
    for name in ("response_mev_per_gev", "stochastic", "angle_mrad"):
        found, frozen = getattr(again, name), getattr(finder_parameters(), name)
        assert found == pytest.approx(frozen, rel=2e-3), name


def test_the_rule_chose_the_parameters():
    rows = [dict(zip(FROZEN["scanned"], row, strict=True)) for row in FROZEN["scan"]]
    assert [tuple(row[name] for name in SCANNED) for row in rows] == list(
        product(*SCANNED.values())
    )
    chosen = best_row(rows, FinderParameters())
    assert {n: getattr(finder_parameters(), n) for n in SCANNED} == {n: chosen[n] for n in SCANNED}
    for energy, most in MOST_SPLIT.items():
        assert chosen[split_name(energy)] <= most


def test_a_row_that_splits_too_many_is_not_chosen():
    start = FinderParameters()
    values = {name: getattr(start, name) for name in SCANNED}
    few, many, fewest = (
        {"d50": d50, **values, **{split_name(e): share for e in MOST_SPLIT}}
        for d50, share in ((11, 0.004), (10, 0.02), (11, 0.0))
    )
    changed = fewest | {"min_bins": 6}
    assert best_row([many, few, changed, fewest], start) == fewest
    assert best_row([many, few], start) == few


def test_a_row_of_the_scan_can_be_made_again(halves, monkeypatch):
    chosen = {name: (getattr(finder_parameters(), name),) for name in SCANNED}
    monkeypatch.setattr(tuning, "SCANNED", chosen)
    (row,) = tuning.scan(halves[0], DETECTOR, finder_parameters())
    assert list(row.values()) in FROZEN["scan"]
