from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from shower_strategies import showers

from calozoo_core.clumps import VoxelMesh, voxel_energies
from calozoo_core.incident import Incident
from calozoo_core.showers import Showers

meshes = st.sampled_from(
    [
        VoxelMesh(),
        VoxelMesh(edges_mm=(), sectors=(2,)),
        VoxelMesh(edges_mm=(4, 30, 31), sectors=(4, 24, 8, 12)),
    ]
)


def middle(mesh):
    """A position well inside each cell."""
    low = np.array((0, *mesh.edges_mm))[mesh.ring]
    high = np.array((*mesh.edges_mm, 500))[mesh.ring]
    angle = (mesh.sector + 0.5) / np.array(mesh.sectors)[mesh.ring] * 2 * np.pi
    radius = (low + high) / 2
    return radius * np.cos(angle), radius * np.sin(angle)


@given(meshes)
def test_a_cell_is_found_by_its_middle(mesh):
    assert mesh.cell(*middle(mesh)).tolist() == list(range(mesh.n_cells))


@given(meshes)
def test_mirror_is_the_cell_at_the_opposite_x(mesh):
    x, y = middle(mesh)
    assert np.array_equal(mesh.cell(-x, y), mesh.mirror)
    assert np.array_equal(mesh.mirror[mesh.mirror], np.arange(mesh.n_cells))


@given(meshes)
def test_neighbours_lie_beside_the_middle_of_a_cell(mesh):
    near, cells = mesh.neighbours, np.arange(mesh.n_cells)
    assert np.array_equal(near.after[near.before], cells)
    turn = (mesh.sector + 0.5) / np.array(mesh.sectors)[mesh.ring]
    half = 0.5 / np.array(mesh.sectors)[mesh.ring]
    for step, ways in ((-1, (near.inner, near.inner_too)), (1, (near.outer, near.outer_too))):
        for way in ways:
            is_there = (way < mesh.n_cells) & (mesh.ring + step >= 0)
            here, other = cells[is_there], way[is_there]
            assert np.array_equal(mesh.ring[other], mesh.ring[here] + step)
            apart = np.abs((turn[here] - turn[other] + 0.5) % 1 - 0.5)
            assert np.all(apart < half[other] + 1e-9)


def test_neighbours_end_at_the_axis_and_at_the_last_ring():
    mesh = VoxelMesh(edges_mm=(4.0,), sectors=(4, 8))
    assert mesh.neighbours.inner[:4].tolist() == [2, 3, 0, 1]
    assert mesh.neighbours.inner[4:].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert mesh.neighbours.outer.tolist() == [5, 7, 9, 11] + [12] * 8
    assert mesh.neighbours.outer_too.tolist() == [4, 6, 8, 10] + [12] * 8


@given(meshes)
def test_mirrored_cells_have_mirrored_neighbours(mesh):
    mirror = np.append(mesh.mirror, mesh.n_cells)
    near = mesh.neighbours
    assert np.array_equal(near.before[mesh.mirror], mirror[near.after])
    for one, two in ((near.inner, near.inner_too), (near.outer, near.outer_too)):
        here = np.sort(np.stack([one, two])[:, mesh.mirror], axis=0)
        assert np.array_equal(here, np.sort(mirror[np.stack([one, two])], axis=0))


@given(showers(), meshes)
def test_voxels_hold_the_energy_of_each_layer(batch, mesh):
    energies = voxel_energies(batch, mesh)
    row = batch.shower_index * 30 + batch.layer
    layers = np.bincount(row, batch.energy, 30 * len(batch)).reshape(len(batch), 30)
    np.testing.assert_allclose(energies.sum(axis=2), layers, rtol=1e-5)
    np.testing.assert_allclose(mesh.ring_energies(energies).sum(axis=2), layers, rtol=1e-5)


def test_mirrored_showers_have_mirrored_voxels():
    rng = np.random.default_rng(1)
    direction = rng.normal([0, 0, 3], 1, (4, 3))
    columns = {
        "offsets": [0, 200, 400, 600, 800],
        "y": rng.normal(0, 20, 800),
        "layer": rng.integers(0, 30, 800),
        "energy": rng.exponential(1, 800),
        "representation": "x25",
        "detector": "ild_siecal_regular",
    }
    x, mesh = rng.normal(0, 20, 800), VoxelMesh()
    one = Showers(x=x, incident=Incident(10, direction), **columns)
    other = Showers(x=-x, incident=Incident(10, direction * (-1, 1, 1)), **columns)
    expected = voxel_energies(one, mesh)[:, :, mesh.mirror]
    np.testing.assert_allclose(voxel_energies(other, mesh), expected, rtol=1e-6)


def test_whole_clumps_go_to_the_voxel_of_their_centre():
    pair = Showers(
        offsets=[0, 2],
        x=[49, 51],
        y=[1, 1],
        layer=[5, 5],
        energy=[1, 3],
        incident=Incident(10, (0, 0, 1)),
        representation="x25",
        detector="ild_siecal_regular",
    )
    mesh = VoxelMesh()
    ((layer, cell),) = np.argwhere(voxel_energies(pair, mesh)[0])
    assert (layer, cell) == (5, mesh.cell(np.array(50.5), np.array(1.0)))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sectors": (7,) * 20}, "even numbers up to 64 that divide the largest, not 7"),
        ({"sectors": (8,) * 19 + (12,)}, "divide the largest, not 8"),
        ({"sectors": (8,) * 19}, "19 edges make 20 rings, and sectors has 19 numbers"),
        ({"edges_mm": (3.0, 1.0), "sectors": (8,) * 3}, "edges_mm must be lengths that grow"),
        ({"edges_mm": (0.0, 1.0), "sectors": (8,) * 3}, "edges_mm must be lengths that grow"),
        ({"sectors": (128,) * 20}, "even numbers up to 64 that divide the largest, not 128"),
    ],
)
def test_rings_and_sectors_that_do_not_fit_are_one_clear_error(wrong, message):
    with pytest.raises(ValidationError, match=message) as caught:
        VoxelMesh(**wrong)
    assert caught.value.error_count() == 1


def test_meshes_are_compared_by_their_sizes_also_after_they_were_used():
    used, new = VoxelMesh(), VoxelMesh()
    assert used.neighbours is not None
    assert used == new
    assert hash(used) == hash(new)
    assert used != VoxelMesh(edges_mm=(5.0,), sectors=(4, 8))
