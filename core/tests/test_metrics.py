"""The Jensen-Shannon divergence is what it should be, also by another library's reckoning."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from calozoo_core.errors import InputError
from calozoo_core.metrics import js_divergence

contents = st.integers(0, 1000).map(float)
pairs = st.integers(1, 12).flatmap(
    lambda n: npst.arrays(np.float64, (2, n), elements=contents).filter(
        lambda pair: np.all(pair.sum(axis=1) > 0)
    )
)


@given(pairs)
def test_it_is_symmetric_and_between_zero_and_ln_2(pair):
    divergence = js_divergence(*pair)
    assert divergence == pytest.approx(js_divergence(*pair[::-1]), abs=1e-15)
    assert 0 <= divergence <= np.log(2)


@given(pairs, st.floats(1e-3, 1e3))
def test_only_the_shape_of_a_histogram_matters(pair, scale):
    assert js_divergence(pair[0] * scale, pair[0]) == pytest.approx(0, abs=1e-15)
    assert js_divergence(pair[0] * scale, pair[1]) == pytest.approx(js_divergence(*pair), abs=1e-14)


@given(pairs, st.randoms(use_true_random=False))
def test_the_order_of_the_bins_does_not_matter(pair, random):
    order = list(range(pair.shape[1]))
    random.shuffle(order)
    assert js_divergence(*pair[:, order]) == pytest.approx(js_divergence(*pair), abs=1e-14)


@given(pairs)
def test_it_is_the_square_of_scipys_distance(pair):
    distance = pytest.importorskip("scipy.spatial.distance").jensenshannon(*pair)
    # Empty bins are filled with 1e-10 here and with nothing there.
    assert js_divergence(*pair) == pytest.approx(np.nan_to_num(distance) ** 2, abs=1e-7)


def test_histograms_that_share_no_bin_are_ln_2_apart():
    assert js_divergence([1, 0, 0], [0, 2, 3]) == pytest.approx(np.log(2), rel=1e-6)


def test_a_case_by_hand():
    # P = (1/2, 1/2), Q = (1, 0): 3/4 ln(4/3).
    assert js_divergence([1, 1], [1, 0]) == pytest.approx(0.75 * np.log(4 / 3), abs=1e-8)


def test_very_large_contents_do_not_overflow():
    assert js_divergence([1e308, 1e308], [1, 1]) == 0


@pytest.mark.parametrize(
    "wrong", [[0, 0], [1, -1], [1, np.nan], [1, np.inf], [np.inf, -np.inf], [], [1, 2, 3], [[1, 2]]]
)
def test_histograms_that_are_none_or_of_other_bins_are_refused(wrong):
    with pytest.raises(InputError):
        js_divergence(wrong, [1, 2])
    with pytest.raises(InputError):
        js_divergence([1, 2], wrong)


def test_published_histograms_are_at_no_distance_from_themselves_and_some_from_their_mirror():
    folder = os.environ.get("CALOZOO_UPSTREAM")
    if not folder:
        pytest.skip("set CALOZOO_UPSTREAM to the folder with ild_geant4_reference.npz")
    distance = pytest.importorskip("scipy.spatial.distance")
    with np.load(Path(folder) / "ild_geant4_reference.npz") as file:
        layers = file["counts_3"]
    assert js_divergence(layers, layers / 1e5) < 1e-15
    mirrored = js_divergence(layers[::-1], layers)
    assert mirrored == pytest.approx(distance.jensenshannon(layers[::-1], layers) ** 2, rel=1e-6)
