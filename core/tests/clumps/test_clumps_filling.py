from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shower_strategies import same_showers

from calozoo_core.clumps import (
    VoxelMesh,
    fill,
    link_clumps,
    load_table,
    numpy_filling,
    voxel_energies,
)
from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError
from calozoo_core.incident import Incident
from calozoo_core.kernels import numpy_only
from calozoo_core.random import stream
from calozoo_core.showers import Showers

DETECTOR = "ild_siecal_regular"
MESH = VoxelMesh()


@pytest.fixture(scope="module")
def table():
    return load_table(DETECTOR)


def streams(n, seed=1, first=0):
    return [stream(seed, first + i, "clumps") for i in range(n)]


def random_voxels(n, seed=1, filled=0.1):
    """Energies of voxels, and primaries of many angles."""
    rng = np.random.default_rng(seed)
    energies = rng.lognormal(-1, 1.5, (n, 30, MESH.n_cells)).astype(np.float32)
    energies[rng.random(energies.shape) > filled] = 0
    direction = rng.normal([0, 0, 1.5], 0.5, (n, 3))
    direction[:, 2] = np.maximum(direction[:, 2], 0.5)
    return energies, Incident(rng.uniform(1, 127, n), direction)


@given(st.integers(0, 10**6))
def test_energies_are_exact_near_the_axis_and_where_they_are_large(seed):
    table = load_table(DETECTOR)
    energies, incident = random_voxels(1, seed)
    exact = (MESH.ring < table.config.exact_rings) | (energies > table.config.exact_mev)
    energies[~exact] = 0
    showers = fill(energies, incident, table, streams(1, seed))
    layers = np.bincount(showers.layer, showers.energy, 30)
    np.testing.assert_allclose(layers, energies.sum(axis=(0, 2)), rtol=1e-4)


def test_energies_elsewhere_are_about_those_of_the_voxels(table):
    energies, incident = random_voxels(20)
    showers = fill(energies, incident, table, streams(20))
    np.testing.assert_allclose(showers.visible_energy, energies.sum(axis=(1, 2)), rtol=0.02)


@given(st.integers(0, 10**6), st.integers(0, 29), st.integers(0, MESH.n_cells - 1))
def test_clumps_of_a_filled_voxel_have_their_centres_in_it(seed, layer, cell):
    table = load_table(DETECTOR)
    _, incident = random_voxels(1, seed)
    energies = np.zeros((1, 30, MESH.n_cells), np.float32)
    energies[0, layer, cell] = np.random.default_rng(seed).lognormal(-1, 1.5)
    showers = fill(energies, incident, table, streams(1, seed))
    assert set(showers.layer.tolist()) == {layer}
    # Positions in the table are rounded to 1/32 mm: an edge may be that close, and so a link.
    exact = table.config.linking
    longer = exact.model_copy(
        update={"growth": exact.growth * 1.05, "least_mm": exact.least_mm + 0.05}
    )
    assert any(in_cell(link_clumps(showers, linking), cell) for linking in (exact, longer))


def in_cell(clumps, cell):
    close = [MESH.cell(clumps.x + dx, clumps.y + dy) for dx in SHIFTS for dy in SHIFTS]
    return np.all((np.array(close) == cell).any(axis=0))


SHIFTS = (-0.05, -0.025, 0, 0.025, 0.05)


def test_voxels_of_filled_showers_are_about_those_they_were_filled_from(table):
    energies, incident = random_voxels(10, filled=0.003)
    again = voxel_energies(fill(energies, incident, table, streams(10)), MESH)
    both = np.minimum(energies, again).sum() / energies.sum()
    assert both > 0.95


def test_showers_do_not_depend_on_the_batch(table):
    energies, incident = random_voxels(7)
    whole = fill(energies, incident, table, streams(7))
    parts = [
        fill(energies[a:b], incident[a:b], table, streams(b - a, first=a))
        for a, b in ((0, 1), (1, 4), (4, 7))
    ]
    assert same_showers(whole, Showers.concatenate(parts))


def test_showers_do_not_depend_on_how_many_points_are_placed_together(table, monkeypatch):
    energies, incident = random_voxels(3)
    with numpy_only():  # kernels place the points of a patch at a time
        whole = fill(energies, incident, table, streams(3))
        monkeypatch.setattr(numpy_filling, "_BLOCK", 50)
        assert fill(energies, incident, table, streams(3)) == whole


def test_other_random_numbers_make_other_showers_of_the_same_voxels(table):
    energies, incident = random_voxels(1)
    one, other = (fill(energies, incident, table, streams(1, seed)) for seed in (1, 2))
    assert not np.array_equal(one.x, other.x)


def test_showers_of_about_one_angle_are_stretched_along_their_slant(table):
    """Angles of one class get the same patches."""
    energies, _ = random_voxels(1)
    seen = []
    for theta in (0.55, 0.75):
        showers = fill(energies, Incident(50, (np.sin(theta), 0, np.cos(theta))), table, streams(1))
        depth = load_detector(DETECTOR).layer_depth_mm[showers.layer]
        seen.append(((showers.x - depth * np.tan(theta)) * np.cos(theta), showers.y))
    np.testing.assert_allclose(seen[0], seen[1], atol=1e-3)


def test_a_shower_without_energy_has_no_points(table):
    energies, incident = random_voxels(3)
    energies[1] = 0
    showers = fill(energies, incident, table, streams(3))
    assert showers.n_points[1] == 0
    assert showers.n_points[0] > 0
    assert len(fill(energies[:0], incident[:0], table, [])) == 0


def test_shapes_that_do_not_fit_are_refused(table):
    energies, incident = random_voxels(2)
    for wrong, given_streams in ((energies[:1], 2), (energies[:, :29], 2), (energies, 1)):
        with pytest.raises(InputError, match=r"2 primaries need energies of shape \(2, 30, 552\)"):
            fill(wrong, incident, table, streams(given_streams))


def test_energies_that_are_not_finite_are_refused(table):
    energies, incident = random_voxels(1)
    energies[0, 3, 3] = np.inf
    with pytest.raises(InputError, match="The energies of voxels must be finite"):
        fill(energies, incident, table, streams(1))


def test_a_voxel_with_more_energy_than_any_of_geant4s_gets_more_points_not_hotter_ones(table):
    energies = np.zeros((2, 30, MESH.n_cells), np.float32)
    cell = MESH.cell(np.array(65.0), np.array(1.0))
    energies[0, 15, cell], energies[1, 15, cell] = 10, 30
    incident = Incident(np.full(2, 50), (0, 0, 1))
    showers = fill(energies, incident, table, streams(2))
    np.testing.assert_allclose(showers.visible_energy, [10, 30], rtol=1e-4)
    assert showers.n_points[1] > 2 * showers.n_points[0]
    assert showers.energy.max() < 10


def test_an_absurd_energy_does_not_take_absurd_memory(table):
    energies = np.zeros((1, 30, MESH.n_cells), np.float32)
    energies[0, 3, -1] = 1e30
    showers = fill(energies, Incident(50, (0, 0, 1)), table, streams(1))
    assert len(showers.x) < 100_000
    assert np.isfinite(showers.energy).all()
