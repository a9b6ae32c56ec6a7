from __future__ import annotations

import json
import re
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from calozoo_core.clumps import ClumpTable, HaloLibrary, VoxelMesh, load_table, lookup
from calozoo_core.clumps.bundled import bundled_folder
from calozoo_core.clumps.lookup import GRID_MM
from calozoo_core.errors import InputError, WeightsError
from calozoo_core.incident import Incident
from calozoo_core.showers import Showers
from calozoo_core.weights import CONFIG_FILE, TENSORS_FILE

COLUMNS = ("patches", "first", "points")
MESH = VoxelMesh(edges_mm=(4, 20), sectors=(8, 16, 8))


@pytest.fixture(scope="module")
def showers():
    rng = np.random.default_rng(5)
    n, each = 6, 400
    return Showers(
        offsets=np.arange(n + 1) * each,
        x=rng.normal(0, 12, n * each),
        y=rng.normal(0, 12, n * each),
        layer=np.sort(rng.integers(0, 30, (n, each)), axis=1).ravel(),
        energy=rng.exponential(0.5, n * each),
        incident=Incident([5, 10, 20, 40, 80, 120], (0, 0, 1)),
        representation="x25",
        detector="ild_siecal_regular",
    )


@pytest.fixture(scope="module")
def table(showers):
    return ClumpTable.from_showers(showers, MESH)


def test_a_table_holds_every_point_and_energy_of_its_showers(table, showers):
    assert table.config.n_points == len(showers.x) == len(table.points)
    total = showers.energy.sum(dtype=np.float64)
    assert table.energy.sum(dtype=np.float64) == pytest.approx(total, rel=1e-3)


def test_patches_are_stored_in_the_first_sector_of_their_ring(table):
    x, y = table.points[:, :2].T * GRID_MM
    owner = np.repeat(np.arange(table.config.n_patches), np.diff(table.first))
    ring = np.repeat(np.arange(len(table.patches)), table.patches) // (26 * 24) % MESH.n_rings
    alone = (np.diff(table.first) == 1)[owner]
    cell = MESH.cell(x[alone], y[alone])
    expected = MESH.ring_start[ring[owner[alone]]]
    # But for those that the grid of stored positions moved across an edge.
    assert np.mean(cell == expected) > 0.98
    assert table.energy.min() > 0


def test_a_table_is_read_as_it_was_written(table, tmp_path):
    table.write(tmp_path)
    again = ClumpTable.read(tmp_path)
    assert again.config == table.config
    for name in COLUMNS:
        assert np.array_equal(getattr(again, name), getattr(table, name)), name
    content = [(tmp_path / name).read_bytes() for name in (CONFIG_FILE, TENSORS_FILE)]
    again.write(tmp_path)
    assert [(tmp_path / name).read_bytes() for name in (CONFIG_FILE, TENSORS_FILE)] == content


def test_every_class_finds_patches_of_its_ring(table):
    lookup = table.lookup
    groups, rings, energies, kinds = table.config.class_shape
    classes = np.arange(len(table.patches))
    ring_of_patch = np.repeat(classes, table.patches) // (energies * kinds) % rings
    for energy in (1e-6, 0.2, 1e6):
        wanted = np.full(len(classes), energy, np.float32)
        patch = lookup.draw(classes, wanted, np.zeros(len(classes), np.int8), 1.25)
        assert np.array_equal(ring_of_patch[patch], classes // (energies * kinds) % rings)
    assert groups == 8


def test_a_class_with_many_patches_is_looked_up_by_energy(table):
    table = replace(table, config=table.config.model_copy(update={"fewest": 10}))
    lookup = table.lookup
    energies = table.config.class_shape[2] * table.config.class_shape[3]
    of_class = np.repeat(np.arange(len(table.patches)), table.patches)
    own = lookup.energy
    found = lookup.draw(of_class, own, np.zeros(len(own), np.int8), 1.25)
    many = (table.patches >= table.config.fewest)[of_class]
    assert many.any()
    np.testing.assert_allclose(own[found[many]], own[many], rtol=0.003)
    assert np.array_equal(of_class[found] // energies, of_class // energies)


def damaged(table, name):
    """The same table with one wrong number."""
    if name == "count":  # of the first patch one more
        return replace(table, first=np.append(0, table.first[1:] + 1).astype(np.int32))
    values = getattr(table, name).copy()
    if name == "points":  # energies in the opposite order
        values[:, 2] = values[::-1, 2]
    else:
        values[0] += 1
    return replace(table, **{name: values})


def test_patches_are_sorted_by_class_and_energy_whatever_the_block(monkeypatch):
    monkeypatch.setattr(lookup, "BLOCK", 20)
    rng = np.random.default_rng(2)
    held = rng.integers(1, 9, 30)
    energy = rng.exponential(1, held.sum()).astype(np.float32)
    energy[::3] = 0.25  # equal ones stay in their order
    level, patch = np.empty(len(energy), np.uint16), np.empty(len(energy), np.int32)
    lookup.sort_patches(energy, held, level, patch)
    expected = lookup.energy_level(energy)
    order = np.lexsort((expected, np.repeat(np.arange(len(held)), held)))
    np.testing.assert_array_equal(patch, order)
    np.testing.assert_array_equal(level, expected[order])


def test_patches_of_a_class_are_in_the_order_of_their_levels_without_being_sorted():
    table = ClumpTable.read(files_of("tables").parent)
    of_class = table.lookup.level[: table.config.n_patches].astype(np.int64)
    falls = np.flatnonzero(np.diff(of_class) < 0) + 1
    assert np.isin(falls, np.cumsum(table.patches)).all()


def _peak_mb(work):
    """Most memory that is in use while something is made, beside what was before, in MB."""
    tracemalloc.start()
    try:
        kept = work()
        peak = tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
    del kept
    return peak


def test_table_and_library_take_little_more_memory_than_their_files():
    files = [files_of(kind) for kind in ("tables", "libraries")]
    table_mb, library_mb = (path.stat().st_size / 1e6 for path in files)
    table = ClumpTable.read(files[0].parent)
    assert _peak_mb(lambda: ClumpTable.read(files[0].parent)) < table_mb + 10
    assert _peak_mb(lambda: HaloLibrary.read(files[1].parent)) < library_mb + 4
    # Three levels of two bytes, two numbers of four, and what sorts them.
    assert _peak_mb(lambda: table.lookup) < (3 * 2 + 2 * 4) * table.config.n_patches / 1e6 + 6


def files_of(kind):
    with bundled_folder(kind, "folder", "ild_siecal_regular") as folder:
        return folder / TENSORS_FILE


@pytest.mark.parametrize("name", ["patches", "count", "points"])
def test_a_table_that_contradicts_itself_is_refused(table, tmp_path, name):
    damaged(table, name).write(tmp_path)
    message = f"{tmp_path} is not a table of clumps: its numbers of '{name}' contradict it."
    with pytest.raises(WeightsError, match=f"^{re.escape(message)}$"):
        ClumpTable.read(tmp_path)


@pytest.mark.parametrize("energy", [np.nan, np.inf, -0.5])
def test_a_table_with_energies_that_are_none_is_refused(table, tmp_path, energy):
    points = table.points.copy()
    points[-1, 2] = np.float16(energy).view(np.int16)
    replace(table, points=points).write(tmp_path)
    with pytest.raises(WeightsError, match="its numbers of 'points' contradict it"):
        ClumpTable.read(tmp_path)


def test_a_table_cut_short_is_refused(table, tmp_path):
    table.write(tmp_path)
    path = tmp_path / TENSORS_FILE
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="were cut short; train, convert or copy it again"):
        ClumpTable.read(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_points": 1 << 40}, "n_points"),
        ({"version": 1}, "version"),
        ({"n_patches": 3}, "has 'count' in shape"),
        ({"layer_groups": [0, 200]}, "layer_groups"),
        ({"energy_edges_gev": [3.0, 1.0]}, "energy_edges_gev must grow"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_damaged_configuration_is_refused(table, tmp_path, change, message):
    table.write(tmp_path)
    path = tmp_path / CONFIG_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(WeightsError, match=message):
        ClumpTable.read(tmp_path)


def test_absurdly_many_classes_are_refused_before_memory_is(table, tmp_path):
    table.write(tmp_path)
    path = tmp_path / CONFIG_FILE
    content = json.loads(path.read_text())
    content["mesh"] = {"edges_mm": list(range(1, 64)), "sectors": [2] * 64}
    content["energy_edges_gev"] = list(range(1, 33))
    path.write_text(json.dumps(content))
    with pytest.raises(WeightsError, match="more than 262144 classes"):
        ClumpTable.read(tmp_path)


def test_a_table_is_refused_for_another_detector_and_for_other_voxels(table):
    table.check(MESH, "ild_siecal_regular")
    with pytest.raises(WeightsError, match="made for ild_siecal_regular, not for par04_siw"):
        table.check(MESH, "par04_siw")
    with pytest.raises(WeightsError, match="made for other voxels: 3 rings of 32 cells"):
        table.check(VoxelMesh(), "ild_siecal_regular")


def test_a_ring_without_deposits_is_refused(showers):
    with pytest.raises(InputError, match="No deposit of 6 showers lies in ring 2 of the mesh"):
        ClumpTable.from_showers(showers, VoxelMesh(edges_mm=(4, 400), sectors=(8, 8, 8)))


def test_a_detector_without_a_table_is_an_input_error():
    with pytest.raises(InputError, match="No table of clumps comes with calozoo for par04_siw"):
        load_table("par04_siw")


def test_the_table_that_comes_along_says_what_it_was_made_of():
    config = load_table("ild_siecal_regular").config
    assert sum(len(source.rows) for source in config.sources) == 440
    assert all(re.fullmatch("[0-9a-f]{64}", source.sha256) for source in config.sources)
    assert config.mesh == VoxelMesh()
