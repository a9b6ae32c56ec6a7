"""Library of halos: showers come out as they went in, and give cores their surroundings."""

from __future__ import annotations

import json
from contextlib import nullcontext

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from calozoo_core.clumps import HaloLibrary, VoxelMesh, load_library, voxel_energies
from calozoo_core.clumps.library import core_features
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


def alone(library):
    """The library, of which the nearest shower is taken."""
    config = library.config.model_copy(update={"candidates": 1})
    return HaloLibrary(config, library.features, library.first, library.step, library.level)


def test_a_shower_comes_out_as_it_went_in(library, voxels):
    np.testing.assert_allclose(library.voxels(np.array([3, 0, 7])), voxels[[3, 0, 7]], rtol=STEP)


def test_the_second_half_is_the_mirror_image(library, voxels):
    found = library.voxels(np.array([5 + len(voxels)]))
    np.testing.assert_allclose(found, voxels[[5]][:, :, MESH.mirror], rtol=STEP)


def test_voxels_far_apart_come_out_where_they_were():
    """From the first voxel to the last is farther than one entry reaches."""
    one = Showers(
        offsets=[0, 2],
        x=[0.5, 300.0],
        y=[0.1, -1.0],
        layer=[0, 29],
        energy=[1.0, 2.0],
        incident=Incident(10, (0, 0, 1)),
        representation="x25",
        detector="ild_siecal_regular",
    )
    library = HaloLibrary.from_showers(one)
    assert library.config.n_entries > 2
    np.testing.assert_allclose(library.voxels(np.array([0])), voxel_energies(one, MESH), rtol=STEP)


def test_a_shower_is_nearest_to_itself_and_to_its_mirror_image(library, showers, voxels):
    n = len(showers)
    own, coin = features(voxels, showers.incident), np.zeros(n, np.float32)
    assert alone(library).nearest(own, coin).tolist() == list(range(n))
    mirrored = own * np.array([1, 1, 1, 1, -1, 1, 1, 1])
    assert alone(library).nearest(mirrored, coin).tolist() == list(range(n, 2 * n))


def test_the_nearest_do_not_depend_on_the_batch(library, showers, voxels):
    own = features(voxels, showers.incident)
    coin = np.random.default_rng(1).random(len(showers), np.float32)
    one_by_one = [library.nearest(own[[i]], coin[[i]])[0] for i in range(len(showers))]
    assert library.nearest(own, coin).tolist() == one_by_one


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
        assert library.voxels(np.zeros(0, np.int64)).shape == (0, 30, MESH.n_cells)


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
    for name in ("features", "first", "step", "level"):
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
    config["core_rings"] = 13
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="a mesh of 12 rings has no core of 13"):
        HaloLibrary.read(tmp_path)


def test_a_library_comes_for_ild_and_for_no_other():
    config = load_library("ild_siecal_regular").config
    assert config.core_edges_mm == (1.5, 3.0, 4.5, 6.0, 8.0)
    with pytest.raises(InputError, match="No library of showers comes with calozoo for par04_siw"):
        load_library("par04_siw")
