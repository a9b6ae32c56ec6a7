"""Merging deposits: energy is kept, places are real ones, and order does not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shower_strategies import same_showers, showers

from calozoo_core.detector import load_detector
from calozoo_core.errors import DetectorError, InputError
from calozoo_core.incident import Incident
from calozoo_core.representation import REPRESENTATIONS, Representation, grid_offsets
from calozoo_core.showers import Showers

CELL = load_detector("ild_siecal_regular").cell_mm
MERGING = ["x1", "x9", "x25", "x100", "x225"]

seeds = st.integers(0, 2**64 - 1)
names = st.sampled_from(MERGING)


def merged(name, batch, seed, first=0, at="peak"):
    return Representation.named(name, CELL, at)(batch, seed, first)


def brute_force(name, batch, seed):
    """The same by a loop over points: {(shower, layer, iy, ix): rows}."""
    pitch = CELL / REPRESENTATIONS[name]
    shift = grid_offsets(len(batch), CELL, seed)
    groups = {}
    for row, i in enumerate(batch.shower_index):
        ix = np.floor((np.float64(batch.x[row]) - shift[i, 0]) / pitch)
        iy = np.floor((np.float64(batch.y[row]) - shift[i, 1]) / pitch)
        groups.setdefault((i, int(batch.layer[row]), iy, ix), []).append(row)
    return dict(sorted(groups.items()))


@given(showers(), names, seeds)
def test_points_are_the_groups_that_a_loop_over_deposits_finds(batch, name, seed):
    out, groups = merged(name, batch, seed), brute_force(name, batch, seed)
    assert out.representation == name
    assert [(i, layer) for i, layer, _, _ in groups] == list(
        zip(out.shower_index, out.layer, strict=True)
    )
    for point, rows in enumerate(groups.values()):
        best = min(rows, key=lambda r: (-batch.energy[r], batch.x[r], batch.y[r]))
        assert out.energy[point] == pytest.approx(batch.energy[rows].sum(dtype=np.float64))
        assert (out.x[point], out.y[point]) == (batch.x[best], batch.y[best])
        if batch.time is not None:
            assert out.time[point] == batch.time[rows].min()


@given(showers(), names, seeds)
def test_a_point_at_the_centre_lies_in_the_middle_of_its_sub_cell(batch, name, seed):
    out, groups = merged(name, batch, seed, at="centre"), brute_force(name, batch, seed)
    shift, pitch = grid_offsets(len(batch), CELL, seed), CELL / REPRESENTATIONS[name]
    expected = [
        ((ix + 0.5) * pitch + shift[i, 0], (iy + 0.5) * pitch + shift[i, 1])
        for i, _, iy, ix in groups
    ]
    np.testing.assert_array_equal(
        np.column_stack([out.x, out.y]), np.array(expected, np.float32).reshape(-1, 2)
    )


@given(showers(), names, seeds)
def test_where_a_point_lies_changes_nothing_else(batch, name, seed):
    peak, centre = (merged(name, batch, seed, at=at) for at in ("peak", "centre"))
    assert same_showers(replace(centre, x=peak.x, y=peak.y), peak)
    half = CELL / REPRESENTATIONS[name] / 2
    assert np.all(np.abs(centre.x.astype(float) - peak.x) <= half + 1e-3)
    assert np.all(np.abs(centre.y.astype(float) - peak.y) <= half + 1e-3)


@given(showers(), st.sampled_from(["x9", "x25"]), seeds)
def test_sub_cells_nest_in_cells_where_points_lie_at_their_centres_too(batch, name, seed):
    fine = merged(name, batch, seed, at="centre")
    at_once, in_two_steps = (merged("x1", s, seed, at="centre") for s in (batch, fine))
    for column in ("offsets", "layer", "x", "y"):
        np.testing.assert_array_equal(getattr(in_two_steps, column), getattr(at_once, column))
    np.testing.assert_allclose(in_two_steps.energy, at_once.energy, rtol=1e-6)


@given(showers(), names, seeds)
def test_energy_is_conserved_when_deposits_are_merged(batch, name, seed):
    out = merged(name, batch, seed)
    np.testing.assert_allclose(out.visible_energy, batch.visible_energy, rtol=1e-7)
    per_layer = [np.bincount(s.layer, s.energy, minlength=30) for s in (out, batch)]
    np.testing.assert_allclose(*per_layer, rtol=1e-7)


@given(showers(), names, seeds, st.randoms(use_true_random=False))
def test_the_order_of_the_deposits_does_not_matter(batch, name, seed, random):
    order = []
    for i in range(len(batch)):
        rows = list(range(batch.offsets[i], batch.offsets[i + 1]))
        random.shuffle(rows)
        order += rows
    columns = {k: getattr(batch, k)[order] for k in ("x", "y", "layer", "energy")}
    if batch.time is not None:
        columns["time"] = batch.time[order]
    shuffled = replace(batch, **columns)
    assert same_showers(merged(name, shuffled, seed), merged(name, batch, seed))


@given(showers(), names, seeds)
def test_merging_a_second_time_changes_nothing(batch, name, seed):
    once = merged(name, batch, seed)
    assert same_showers(merged(name, once, seed + 1 if seed == 0 else seed - 1), once)
    # Nor does it on the same grid, were they steps again.
    assert same_showers(merged(name, replace(once, representation="steps"), seed), once)


@given(showers(), st.sampled_from([("x225", "x9"), ("x25", "x9"), ("x25", "x1")]), seeds)
def test_coarser_merging_leaves_no_more_points(batch, pair, seed):
    fine = merged(pair[0], batch, seed)
    assert np.all(merged(pair[1], fine, seed).n_points <= fine.n_points)


@given(showers(), st.sampled_from([("x225", "x25"), ("x225", "x9"), ("x25", "x1")]), seeds)
def test_squares_that_hold_others_have_no_more_points(batch, pair, seed):
    """Not so x9 and x25: a border of x9 may part what lies in one square of x25."""
    fine, coarse = (merged(name, batch, seed) for name in pair)
    assert np.all(coarse.n_points <= fine.n_points)


@given(showers(), st.sampled_from(["x9", "x25"]), seeds)
def test_the_sub_cells_of_a_shower_nest_in_its_cells(batch, name, seed):
    at_once, in_two_steps = merged("x1", batch, seed), merged("x1", merged(name, batch, seed), seed)
    np.testing.assert_array_equal(in_two_steps.offsets, at_once.offsets)
    np.testing.assert_array_equal(in_two_steps.layer, at_once.layer)
    np.testing.assert_allclose(in_two_steps.energy, at_once.energy, rtol=1e-6)


@given(showers(), names, seeds, st.integers(0, 1000), st.data())
def test_a_shower_is_merged_alike_in_any_batch(batch, name, seed, first, data):
    whole = merged(name, batch, seed, first)
    cut = data.draw(st.integers(0, len(batch)))
    parts = [
        merged(name, part, seed, first + start)
        for start, part in ((0, batch[:cut]), (cut, batch[cut:]))
        if len(part)
    ]
    assert same_showers(Showers.concatenate(parts), whole)


@given(showers("x25"), seeds)
def test_showers_are_not_made_finer(batch, seed):
    x1 = merged("x1", batch, seed)
    for name in ("x9", "x25", "steps"):
        with pytest.raises(InputError, match="cannot be made finer"):
            merged(name, x1, seed)


@given(showers(), seeds)
def test_steps_stay_as_they_are(batch, seed):
    assert merged("steps", batch, seed) is batch


@given(seeds, st.integers(0, 2**40))
def test_grids_are_shifted_by_at_most_half_a_cell(seed, first):
    shift = grid_offsets(20, CELL, seed, first)
    assert np.all(np.abs(shift) <= CELL / 2)
    assert len(np.unique(shift)) == 40


def test_grid_offsets_are_uniform():
    shift = grid_offsets(4000, CELL, seed=1) / CELL
    assert np.all(np.abs(shift.mean(axis=0)) < 5 / np.sqrt(12 * 4000))
    np.testing.assert_allclose(shift.std(axis=0), 1 / np.sqrt(12), rtol=0.03)


def test_a_deposit_far_away_does_not_collide_with_another():
    places = [-9e8, -9e8, 0.0, 9e8]
    batch = line_of_deposits(places)
    assert merged("x25", batch, seed=1).energy.tolist() == [2, 1, 1]
    many = Showers.concatenate([batch] * 300)
    assert merged("x25", many, seed=1).energy.tolist() == [2, 1, 1] * 300


@pytest.mark.parametrize("place", [np.nan, np.inf, -np.inf, 2e9])
def test_a_deposit_at_no_place_is_refused(place):
    with pytest.raises(InputError, match="position that is not a number of mm"):
        merged("x25", line_of_deposits([0.0, place]), seed=1)


def test_a_deposit_of_no_energy_is_refused():
    batch = replace(line_of_deposits([0.0, 0.0]), energy=[1, np.nan])
    with pytest.raises(InputError, match="energy that is not a number of MeV"):
        merged("x25", batch, seed=1)


def test_showers_of_a_detector_with_other_cells_are_refused():
    with pytest.raises(DetectorError, match=r"5.08833 mm wide, not 10 mm"):
        Representation(split=3, cell=10.0)(line_of_deposits([0.0]), seed=1)


@pytest.mark.parametrize("split", [0, 2, -1, 25])
def test_a_split_that_is_not_offered_is_refused(split):
    with pytest.raises(InputError, match="split in 1, 3, 5, 10 or 15"):
        Representation(split=split, cell=CELL)


def test_a_place_in_a_cell_that_is_none_is_refused():
    with pytest.raises(InputError, match="peak or at the centre of its sub-cell, not at 'corner'"):
        Representation(split=1, cell=CELL, at="corner")


@pytest.mark.parametrize("cell", [0, -1, np.nan, np.inf])
def test_a_cell_that_is_no_length_is_refused(cell):
    with pytest.raises(InputError, match="positive length"):
        Representation(split=1, cell=cell)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(InputError, match="there are x1, x9, x25, x100, x225, steps"):
        Representation.named("x36", CELL)


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_a_representation_knows_its_name(name):
    assert Representation.named(name, CELL).name == name


def line_of_deposits(places):
    n = len(places)
    return Showers(
        offsets=[0, n],
        x=places,
        y=np.zeros(n),
        layer=np.zeros(n, np.uint8),
        energy=np.ones(n),
        incident=Incident(10, (0, 0, 1)),
        representation="steps",
        detector="ild_siecal_regular",
    )
