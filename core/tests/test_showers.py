"""Ragged batches: cutting them and putting them together loses nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shower_strategies import same_showers, showers

from calozoo_core.errors import InputError
from calozoo_core.incident import Incident
from calozoo_core.showers import Showers

SOUND = {
    "offsets": [0, 2],
    "x": [0, 1],
    "y": [0, 1],
    "layer": [3, 4],
    "energy": [0.5, 0.25],
    "incident": Incident(10, (0, 0, 1)),
    "representation": "x25",
    "detector": "ild_siecal_regular",
}


@given(showers(), st.integers(1, 4))
def test_parts_put_together_are_the_whole(batch, size):
    parts = [batch[start : start + size] for start in range(0, len(batch), size)]
    assert same_showers(Showers.concatenate(parts), batch)


@given(showers(), st.data())
def test_a_slice_holds_the_points_of_its_showers(batch, data):
    start = data.draw(st.integers(0, len(batch)))
    stop = data.draw(st.integers(0, len(batch)))
    part = batch[start:stop]
    points = np.isin(batch.shower_index, range(start, stop))
    assert len(part) == max(0, stop - start)
    np.testing.assert_array_equal(part.x, batch.x[points])
    np.testing.assert_array_equal(part.n_points, batch.n_points[start:stop])


@given(showers())
def test_visible_energy_is_the_sum_of_each_showers_deposits(batch):
    for i in range(len(batch)):
        points = slice(batch.offsets[i], batch.offsets[i + 1])
        expected = batch.energy[points].sum(dtype=np.float64)
        assert batch.visible_energy[i] == pytest.approx(expected, abs=1e-9)


@given(showers())
def test_awkward_arrays_hold_the_same_points(batch):
    awkward = pytest.importorskip("awkward")
    array = batch.to_awkward()
    assert awkward.num(array).tolist() == batch.n_points.tolist()
    np.testing.assert_array_equal(awkward.to_numpy(awkward.flatten(array).energy), batch.energy)


def test_no_showers_cannot_be_put_together():
    with pytest.raises(InputError, match="no showers"):
        Showers.concatenate([])


@pytest.mark.parametrize("other", [{"representation": "x1"}, {"time": [1, 2]}])
def test_showers_of_two_kinds_are_not_put_together(other):
    with pytest.raises(InputError, match="different kinds"):
        Showers.concatenate([Showers(**SOUND), Showers(**SOUND | other)])


@pytest.mark.parametrize(
    "wrong",
    [
        {"offsets": [0, 1]},
        {"offsets": [1, 2]},
        {"offsets": [0, 1, 2]},
        {"offsets": []},
        {"offsets": [0, np.nan]},
        {"x": [0, 1, 2]},
        {"x": [[0, 1], [2, 3]]},
        {"time": [1]},
        {"layer": [3, -1]},
        {"layer": [3, 256]},
        {"layer": np.array([3, 256])},
        {"layer": [3, 4.5]},
        {"energy": ["a", "b"]},
    ],
)
def test_arrays_that_contradict_each_other_or_their_type_are_refused(wrong):
    with pytest.raises(InputError):
        Showers(**SOUND | wrong)


def test_decreasing_offsets_are_refused():
    two = {"incident": Incident([1, 2, 3], (0, 0, 1)), "offsets": [0, 2, 1, 2]}
    with pytest.raises(InputError, match="never decrease"):
        Showers(**SOUND | two)
