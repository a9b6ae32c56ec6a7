"""Library of halos: showers come out as they went in, and give cores their surroundings."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from calozoo_core.clumps import HaloLibrary, VoxelMesh, load_library, voxel_energies
from calozoo_core.clumps.core_matching import core_features
from calozoo_core.errors import InputError, WeightsError
from calozoo_core.incident import Incident
from calozoo_core.kernels import numpy_only
from calozoo_core.showers import Showers

MESH = VoxelMesh()
CORE = 5
STEP = 0.028
"""Half a step of the stored energies."""


@pytest.fixture(scope="module")
def showers():
    rng = np.random.default_rng(3)
    n, each = 24, 300
    angle = np.radians(rng.uniform(0, 55, n))
    turn = rng.uniform(0, 2 * np.pi, n)
    direction = np.stack(
        [np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)], axis=1
    )
    radius = rng.exponential(9, n * each)
    phi = rng.uniform(0, 2 * np.pi, n * each)
    return Showers(
        offsets=np.arange(n + 1) * each,
        x=radius * np.cos(phi),
        y=radius * np.sin(phi),
        layer=np.sort(rng.integers(0, 30, (n, each)), axis=1).ravel(),
        energy=rng.exponential(0.5, n * each) + 0.01,
        incident=Incident(np.sort(rng.uniform(1, 120, n)), direction),
        representation="x25",
        detector="ild_siecal_regular",
    )


@pytest.fixture(scope="module")
def library(showers):
    return HaloLibrary.from_showers(showers)


@pytest.fixture(scope="module")
def voxels(showers):
    return voxel_energies(showers, MESH)


def features(voxels, incident):
    return core_features(MESH.ring_energies(voxels)[:, :, :CORE], incident)


def alone(library, **fields):
    """The library, of which the nearest shower is taken as a whole."""
    alone = {"candidates": 1, "references": 1}
    return replace(library, config=library.config.model_copy(update=alone | fields))


def whole(*numbers):
    """Numbers of showers, all layers of which are taken."""
    return np.repeat(np.array(numbers)[:, None], 30, axis=1)


def test_a_shower_comes_out_as_it_went_in(library, voxels):
    np.testing.assert_allclose(library.voxels(whole(3, 0, 7)), voxels[[3, 0, 7]], rtol=STEP)


def test_layers_of_several_showers_make_one(library, voxels):
    numbers = np.arange(30)[None] % 24
    found = library.voxels(numbers)
    np.testing.assert_allclose(found[0], voxels[numbers[0], np.arange(30)], rtol=STEP)


def test_the_second_half_is_the_mirror_image(library, voxels):
    found = library.voxels(whole(5 + len(voxels)))
    np.testing.assert_allclose(found, voxels[[5]][:, :, MESH.mirror], rtol=STEP)


def test_voxels_far_apart_come_out_where_they_were():
    """From the first voxel of a layer to the last is farther than one entry reaches."""
    wide = VoxelMesh(sectors=(64,) * 20)
    one = Showers(
        offsets=[0, 2],
        x=[0.5, 300.0],
        y=[0.1, -1.0],
        layer=[29, 29],
        energy=[1.0, 2.0],
        incident=Incident(10, (0, 0, 1)),
        representation="x25",
        detector="ild_siecal_regular",
    )
    library = HaloLibrary.from_showers(one, mesh=wide)
    assert library.config.n_entries > 2
    np.testing.assert_allclose(library.voxels(whole(0)), voxel_energies(one, wide), rtol=STEP)


def test_a_shower_is_nearest_to_itself_and_to_its_mirror_image(library, showers, voxels):
    n = len(showers)
    own = features(voxels, showers.incident)
    nearest = library.matcher.nearest
    assert nearest(own)[0][:, 0].tolist() == list(range(n))
    mirrored = own * np.array([1, 1, 1, 1, -1, 1, 1, 1])
    numbers, apart = nearest(mirrored)
    assert numbers[:, 0].tolist() == list(range(n, 2 * n))
    assert np.all(np.diff(apart) >= 0)
    assert all(len(set(row)) == len(row) for row in numbers.tolist())


def test_the_match_does_not_depend_on_the_batch(library, showers, voxels):
    core = MESH.ring_energies(voxels)[:, :, :CORE]
    coin = np.random.default_rng(1).random(len(showers), np.float32)
    match = library.matcher
    one_by_one = [
        match(core[[i]], showers.incident[i : i + 1], coin[[i]])[0] for i in range(len(showers))
    ]
    np.testing.assert_array_equal(match(core, showers.incident, coin), one_by_one)


@pytest.mark.parametrize("by", [numpy_only, nullcontext])
def test_each_layer_takes_the_shower_whose_rings_are_like_its_own(library, showers, voxels, by):
    """Where nothing but the rings counts, layers of two showers are found in both."""
    rings_only = {"layer_weights": (0.0,) * 4, "shower_weight": 0.0, "lean_weight": 0.0}
    core = MESH.ring_energies(voxels)[:, :, :CORE]
    mixed = core[[7]]
    mixed[:, 15:] = core[8, 15:]
    with by():
        numbers = alone(library, candidates=48, **rings_only).matcher(
            mixed, showers.incident[7:8], np.zeros(1, np.float32)
        )
    # A shower and its mirror image have the same rings, and empty layers are like all others.
    filled = mixed[0].any(axis=1)
    assert 5 < filled.sum() < 30
    wanted = np.where(np.arange(30) < 15, 7, 8)
    np.testing.assert_array_equal((numbers[0] % len(showers))[filled], wanted[filled])


@pytest.mark.parametrize("by", [numpy_only, nullcontext])
def test_layers_are_taken_from_showers_of_one_lean(library, showers, voxels, by):
    core = MESH.ring_energies(voxels)[:, :, :CORE]
    strict = alone(library, candidates=48, lean_weight=1e6)
    with by():
        numbers = strict.matcher(core, showers.incident, np.zeros(len(core), np.float32))
    # Exactly one shower has a given lean: its own, or its mirror image's if that came first.
    assert all(len(set(row)) == 1 for row in numbers.tolist())


def test_rings_of_the_core_keep_their_energies(library, showers):
    rng = np.random.default_rng(1)
    core = rng.exponential(2, (len(showers), 30, CORE)).astype(np.float32)
    core[:, 3] = 0
    found = library.around(core, showers.incident, rng.random(len(showers), np.float32))
    np.testing.assert_allclose(MESH.ring_energies(found)[:, :, :CORE], core, rtol=1e-5)


def test_the_halo_is_that_of_a_shower_of_the_library(library, showers, voxels):
    coin = np.zeros(len(showers), np.float32)
    core = MESH.ring_energies(voxels)[:, :, :CORE]
    found = alone(library).around(core, showers.incident, coin)
    np.testing.assert_allclose(found, voxels, rtol=3 * STEP, atol=1e-6)


@pytest.mark.parametrize("by", [numpy_only, nullcontext])
def test_no_numbers_make_no_voxels(library, by):
    with by():
        assert library.voxels(np.zeros((0, 30), np.int64)).shape == (0, 30, MESH.n_cells)


def test_a_core_of_another_shape_is_refused(library, showers):
    with pytest.raises(InputError, match=r"need a core of shape \(2, 30, 5\)"):
        library.around(np.ones((2, 30, 4), np.float32), showers.incident[:2], np.zeros(2))


def test_no_showers_make_no_library(showers):
    with pytest.raises(InputError, match="needs showers"):
        HaloLibrary.from_showers(showers[:0])


def test_a_shower_without_energy_is_refused(showers):
    empty = Showers(
        offsets=[0, 0],
        x=[],
        y=[],
        layer=[],
        energy=[],
        incident=Incident(10, (0, 0, 1)),
        representation="x25",
        detector="ild_siecal_regular",
    )
    with pytest.raises(InputError, match="leave out those without"):
        HaloLibrary.from_showers(Showers.concatenate([showers[:1], empty]))


def test_a_library_is_the_same_after_it_was_a_file(library, tmp_path):
    pytest.importorskip("torch")
    library.write(tmp_path)
    back = HaloLibrary.read(tmp_path)
    assert back.config == library.config
    for name in ("features", "core", "lean", "first", "step", "level"):
        np.testing.assert_array_equal(getattr(back, name), getattr(library, name))


@pytest.mark.parametrize("name", ["first", "features", "step"])
def test_a_library_that_contradicts_itself_is_refused(library, tmp_path, name):
    pytest.importorskip("torch")
    library.write(tmp_path)
    path = tmp_path / "model.safetensors"
    arrays = load_file(path)
    arrays[name] = arrays[name][::-1].copy() if name != "step" else arrays[name] * 0
    save_file(arrays, path)
    with pytest.raises(WeightsError, match=f"its '{name}' contradicts"):
        HaloLibrary.read(tmp_path)


def test_a_mesh_without_the_core_is_refused(library, tmp_path):
    pytest.importorskip("torch")
    library.write(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["core_rings"] = 21
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="a mesh of 20 rings has no core of 21"):
        HaloLibrary.read(tmp_path)


def test_more_references_than_candidates_are_refused(library):
    fields = library.config.model_dump() | {"references": 5, "candidates": 4}
    with pytest.raises(ValueError, match="4 candidates have no 5 references among them"):
        type(library.config)(**fields)


def test_a_library_comes_for_ild_and_for_no_other():
    config = load_library("ild_siecal_regular").config
    assert config.core_edges_mm == (1.5, 3.0, 4.5, 6.0, 8.0)
    with pytest.raises(InputError, match="No library of showers comes with calozoo for par04_siw"):
        load_library("par04_siw")
