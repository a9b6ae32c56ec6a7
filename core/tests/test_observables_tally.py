"""Tallies: every entry is counted once, however the sample comes in pieces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from shower_strategies import showers

from calozoo_core.detector import load_detector
from calozoo_core.errors import DetectorError, InputError
from calozoo_core.incident import Incident
from calozoo_core.observables import (
    BLOCKS,
    ObservableAccumulator,
    central_90,
    energy_windows,
    response_curve,
)
from calozoo_core.observables.accumulator import MOST_FEATURES, block_of
from calozoo_core.observables.cell_features import feature_columns
from calozoo_core.observables.response import Responses
from calozoo_core.placement import load_placement
from calozoo_core.showers import Showers

ILD = load_detector("ild_siecal_regular")


def tally_of(*batches, **options):
    tally = ObservableAccumulator(ILD, **options)
    for batch in batches:
        tally.add(batch)
    return tally


def responses_of(energy, visible, block):
    """Responses of showers of which only the visible energy matters."""
    n = len(energy)
    return Responses(energy, visible, np.ones(n, np.int32), np.zeros((n, 2), np.float32), block)


def same(one, other):
    """Whether two tallies are equal, but for the order of additions."""
    assert len(one) == len(other)
    for name in one.observables:
        a, b = one.histogram(name), other.histogram(name)
        np.testing.assert_allclose(a.blocks, b.blocks, rtol=1e-12, atol=1e-12, err_msg=name)
        assert (a.left_out, a.n_showers) == (b.left_out, b.n_showers)
    for name in ("showers", "layer", "layers", "voxel", "squares", "pairs"):
        a, b = getattr(one.correlations, name), getattr(other.correlations, name)
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12, err_msg=name)
    np.testing.assert_array_equal(one.responses.energy_gev, other.responses.energy_gev)
    np.testing.assert_array_equal(one.responses.block, other.responses.block)
    np.testing.assert_allclose(one.responses.visible_mev, other.responses.visible_mev, rtol=1e-6)
    np.testing.assert_array_equal(one.responses.cells, other.responses.cells)
    np.testing.assert_allclose(one.responses.centre_mm, other.responses.centre_mm, atol=1e-4)
    for name in ("point_neighbours", "cell_neighbours"):
        a, b = getattr(one, name), getattr(other, name)
        np.testing.assert_array_equal(a.deposits, b.deposits, err_msg=name)
        np.testing.assert_array_equal(a.with_neighbour, b.with_neighbour, err_msg=name)
    np.testing.assert_array_equal(one.cell_energies, other.cell_energies)
    np.testing.assert_allclose(one.features, other.features, rtol=1e-5, atol=1e-5)


@settings(max_examples=15)
@given(showers())
def test_a_sample_in_pieces_is_the_sample_at_once(batch):
    pieces = [batch[i : i + 1] for i in range(len(batch))]
    same(tally_of(*pieces), tally_of(batch))


def test_real_showers_in_pieces_or_in_two_processes_are_the_same_sample(geant4_showers):
    sample = geant4_showers[:120]
    at_once = tally_of(sample)
    same(tally_of(sample[:37], sample[37:101], sample[101:]), at_once)
    first, second = tally_of(sample[:70]), tally_of(sample[70:], first=70)
    first += second
    same(first, at_once)


def test_only_the_next_part_can_be_added(geant4_showers):
    first, second = tally_of(geant4_showers[:5]), tally_of(geant4_showers[5:9], first=6)
    with pytest.raises(InputError, match="next part of the same sample"):
        first += second


@settings(max_examples=15)
@given(showers())
def test_every_point_is_in_a_bin_or_beside_them(batch):
    tally = tally_of(batch)
    for name in ("points.spectrum", "points.radial_count"):
        assert tally.histogram(name).blocks.sum() == len(batch.energy)
    energy = tally.histogram("points.layer_energy").contents.sum()
    assert energy == pytest.approx(batch.energy.sum(dtype=np.float64))
    for name in ("points.occupancy", "points.visible_energy", "cells.response", "cells.theta_4"):
        histogram = tally.histogram(name)
        assert histogram.blocks.sum() == histogram.n_showers
        assert histogram.n_showers + histogram.left_out == len(batch)


def test_two_cells_by_hand():
    two = Showers(
        offsets=[0, 2, 2],
        x=[0.1, 100.1],
        y=[0.1, 0.1],
        layer=[3, 4],
        energy=[2.0, 0.5],
        incident=Incident([10, 20], (0, 0, 1)),
        representation="x25",
        detector=ILD.name,
    )
    tally = tally_of(two)
    layers = tally.histogram("cells.layer_energy")
    assert layers.contents[[3, 4]].tolist() == [2.0, 0.5]
    assert layers.contents.sum() == 2.5
    assert layers.per_shower[3] == 1  # the second shower is empty, and counts
    assert tally.histogram("cells.layer_count").contents[[3, 4]].tolist() == [1, 1]
    occupancy = tally.histogram("cells.occupancy")
    assert (occupancy.contents[0], occupancy.n_showers, occupancy.left_out) == (2, 2, 0)
    centre = tally.histogram("cells.centre_z")
    filled = np.flatnonzero(centre.contents)
    # (2 x 3.5 + 0.5 x 4.5) / 2.5 = 3.7 layers; the empty shower has no centre.
    assert (filled.tolist(), centre.n_showers, centre.left_out) == ([7], 1, 1)
    n_features = sum(map(len, feature_columns(30).values()))
    assert tally.features.shape == (2, n_features)
    assert np.isfinite(tally.features).all()
    assert tally.responses.cells.tolist() == [2, 0]
    assert np.isnan(tally.responses.centre_mm).tolist() == [[False] * 2, [True] * 2]


def test_layer_sums_are_what_correlations_are_made_of(geant4_showers):
    sample = geant4_showers[:60]
    sums = tally_of(sample, threshold_mev=0).correlations
    row = sample.shower_index * 30 + sample.layer
    energy = np.bincount(row, sample.energy, minlength=60 * 30).reshape(60, 30)
    np.testing.assert_allclose(sums.layer.sum(axis=0), energy.sum(axis=0), rtol=1e-6)
    np.testing.assert_allclose(sums.layers.sum(axis=0), energy.T @ energy, rtol=1e-6)
    # Voxels of a layer have its energy, but for what is more than 12 cells from the axis.
    near = sums.voxel.sum(axis=(0, 2)) / energy.sum(axis=0)
    assert near[3:27].min() > 0.9  # albedo and tails lie farther out
    assert near.max() <= 1 + 1e-9


def test_each_run_of_showers_is_dealt_to_all_blocks():
    blocks = block_of(0, 10 * BLOCKS)
    for run in blocks.reshape(10, BLOCKS):
        assert sorted(run) == list(range(BLOCKS))
    np.testing.assert_array_equal(block_of(73, 200), block_of(0, 300)[73:273])
    # Ten energies in turn are spread over the blocks, and not ten blocks over the energies.
    energies = np.arange(10 * BLOCKS) % 10
    per_block = [len(set(energies[blocks == k])) for k in range(BLOCKS)]
    assert min(per_block) > 3


def test_the_error_of_a_profile_is_the_scatter_between_showers(geant4_showers):
    histogram = tally_of(geant4_showers).histogram("points.layer_energy")
    row = geant4_showers.shower_index * 30 + geant4_showers.layer
    energy = np.bincount(row, geant4_showers.energy, minlength=800 * 30).reshape(800, 30)
    expected = energy.std(axis=0, ddof=1) / np.sqrt(800)
    np.testing.assert_allclose(histogram.per_shower, energy.mean(axis=0), rtol=1e-6)
    # Found from 50 blocks, an error has itself an error of 10 %; layers go up and down together.
    assert np.mean(histogram.error[5:25] / expected[5:25]) == pytest.approx(1, abs=0.3)


def test_placed_showers_are_tallied_as_their_stored_hits():
    placement = load_placement("ild_siecal")
    position, momentum = placement.draw(3, seed=1)
    direction = placement.local_direction(position, momentum)
    rng = np.random.default_rng(0)
    batch = Showers(
        offsets=[0, 300, 300, 600],
        x=rng.normal(0, 20, 600),
        y=rng.normal(0, 20, 600),
        layer=rng.integers(0, 30, 600),
        energy=rng.exponential(1, 600),
        incident=Incident(np.full(3, 20.0), direction, position=position),
        representation="x25",
        detector=ILD.name,
    )
    live, stored = (
        ObservableAccumulator(ILD, placement=placement),
        ObservableAccumulator(ILD, placement=placement),
    )
    live.add(batch)
    stored.add(batch, placement.place(batch))
    same(live, stored)
    assert live.readout == "ild_siecal"
    total = live.histogram("cells.layer_energy").contents.sum()
    assert 0.5 < total / batch.energy.sum() < 1  # some of it fell into gaps


def test_what_does_not_belong_into_a_tally_is_refused(geant4_showers):
    tally = tally_of(geant4_showers[:2])
    with pytest.raises(InputError, match="x9 showers do not go with x25 showers"):
        tally.add(replace(geant4_showers[:1], representation="x9"))
    with pytest.raises(DetectorError, match="made for par04_siw, not for ild_siecal_regular"):
        tally.add(replace(geant4_showers[:1], detector="par04_siw"))
    with pytest.raises(DetectorError, match="another number of layers"):
        ObservableAccumulator(ILD, placement=load_placement("par04_siw"))
    with pytest.raises(InputError, match="with the placement that made them"):
        tally.add(geant4_showers[:1], load_placement("ild_siecal").place(_nothing()))
    with pytest.raises(InputError, match="No observable is called 'cells"):
        tally.histogram("cells.colour")
    assert len(tally) == 2


def test_showers_that_do_not_say_where_they_enter_are_not_placed(geant4_showers):
    tally = ObservableAccumulator(ILD, placement=load_placement("ild_siecal"))
    with pytest.raises(InputError, match="position"):
        tally.add(geant4_showers[:1])
    assert len(tally) == 0


def _nothing():
    """A shower without points, at a place on the top stave."""
    incident = Incident(10, (0, 0, 1), position=(0, 1804.7, 0))
    return Showers([0, 0], [], [], [], [], incident, "x25", ILD.name)


def test_what_is_kept_does_not_grow_with_the_points(geant4_showers):
    few, many = tally_of(_nothing()), tally_of(*[_nothing()] * 3, geant4_showers[:1])
    assert few.correlations.voxel.size == many.correlations.voxel.size
    assert len(many.features) == 4 < MOST_FEATURES


def test_the_central_90_percent_leave_tails_out():
    core = np.random.default_rng(2).normal(20, 1, 20_000)
    tailed = np.concatenate([core, np.full(500, 1000.0), np.full(500, -1000.0)])
    mean, width = central_90(tailed)
    assert mean == pytest.approx(20, abs=0.03)
    # A normal distribution cut at its 5 % quantiles is 0.79 as wide; here 2.6 % were cut already.
    assert width == pytest.approx(0.88, abs=0.04)


def test_resolution_and_linearity_are_those_of_a_known_response():
    rng = np.random.default_rng(3)
    energy = np.tile(np.arange(10.0, 101, 10), 2000).astype(np.float32)
    per_gev = rng.normal(23, 23 * 0.17 / np.sqrt(energy))
    block = block_of(0, len(energy)).astype(np.uint8)
    responses = responses_of(energy, (per_gev * energy).astype(np.float32), block)
    curve = response_curve(responses, energy_windows(energy), BLOCKS)
    assert [round(point.window.centre_gev) for point in curve] == list(range(10, 101, 10))
    for point in curve:
        width = 0.7896 * 0.17 / np.sqrt(point.window.centre_gev)  # of a cut normal distribution
        assert abs(point.linearity - 23) < 5 * point.linearity_error
        assert abs(point.resolution - width) < 5 * point.resolution_error
        assert 0 < point.resolution_error < 0.05 * point.resolution


def test_windows_with_few_or_empty_showers_have_no_point():
    block = np.zeros(100, np.uint8)
    energy = np.repeat(np.float32([10, 20]), [30, 70])
    visible = np.where(energy == 20, 0, 200).astype(np.float32)
    assert response_curve(responses_of(energy, visible, block), energy_windows(energy), 1) == ()
