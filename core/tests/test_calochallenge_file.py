"""The CaloChallenge's layout, and the cylindrical voxels it is made of."""

from __future__ import annotations

import math

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shower_strategies import showers

from calozoo_core.detector import load_detector
from calozoo_core.errors import DetectorError, InputError, ShowerFileError
from calozoo_core.incident import Incident
from calozoo_core.io.calochallenge import (
    DATASETS,
    SAMPLING_FRACTION,
    THRESHOLD_MEV,
    read,
    read_binning,
    read_showers,
    write,
)
from calozoo_core.showers import Showers
from calozoo_core.voxels import CylinderVoxels, LayerBins

ILD = "ild_siecal_regular"
VOXELS = CylinderVoxels.regular(30, n_alpha=8, n_r=6, dr_mm=20.0)
# Rings and sectors that differ from layer to layer, some layers without any, as in data set 1.
UNEVEN = CylinderVoxels(
    tuple(
        LayerBins([(0.0, 5.0, 40.0, 200.0), (0.0,), (0.0, 300.0)][layer % 3], 1 + layer % 5)
        for layer in range(15)
    )
)


def deposit(r, alpha, layer, energy=1.0, direction=(0, 0, 1), detector="par04_siw"):
    """One deposit at these cylinder coordinates of a shower straight in."""
    x, y = r * math.cos(alpha), r * math.sin(alpha)
    return Showers([0, 1], [x], [y], [layer], [energy], Incident(10, direction), "steps", detector)


@pytest.mark.parametrize(
    ("name", "n_alpha", "n_r", "dr"), [("dataset2", 16, 9, 4.65), ("dataset3", 50, 18, 2.325)]
)
def test_the_radius_runs_fastest_then_alpha_then_the_layer(tmp_path, name, n_alpha, n_r, dr):
    ring, sector, layer = 3, 11, 31
    alpha = -math.pi + (sector + 0.5) * 2 * math.pi / n_alpha
    write(tmp_path / "c.h5", [deposit((ring + 0.5) * dr, alpha, 2 * layer + 1)], DATASETS[name])
    with h5py.File(tmp_path / "c.h5") as file:
        table = file["showers"][...].reshape(1, 45, n_alpha, n_r)
    assert np.argwhere(table).tolist() == [[0, layer, sector, ring]]


def test_the_file_holds_two_tables_of_float64_in_mev_packed_with_gzip(tmp_path):
    batch = Showers.concatenate([deposit(1, 0, 0, 0.5), deposit(1, 0, 89, 1.5)])
    write(tmp_path / "c.h5", [batch[:1], batch[1:]], DATASETS["dataset2"])
    with h5py.File(tmp_path / "c.h5") as file:
        assert sorted(file) == ["incident_energies", "showers"]
        assert file["incident_energies"][...].tolist() == [[10_000.0], [10_000.0]]
        assert file["showers"].shape == (2, 6480)
        assert file["showers"][...].sum(axis=1).tolist() == [0.5, 1.5]
        for table in file.values():
            assert (table.dtype, table.compression) == (np.dtype("<f8"), "gzip")


def test_deposits_are_divided_by_the_sampling_fraction_and_small_voxels_emptied(tmp_path):
    assert round(THRESHOLD_MEV, 5) == 0.01515
    small, large = 0.4e-3, 0.6e-3
    batch = Showers.concatenate([deposit(1, 0, 0, small), deposit(1, 0, 0, large)])
    exported = write(
        tmp_path / "c.h5",
        [batch],
        DATASETS["dataset2"],
        sampling_fraction=SAMPLING_FRACTION,
        threshold_mev=THRESHOLD_MEV,
    )
    _, voxels = read(tmp_path / "c.h5")
    assert voxels.sum(axis=1) == pytest.approx([0, large / 0.033])
    assert exported.below_threshold_mev == pytest.approx(small)


@pytest.mark.parametrize("voxels", [VOXELS, UNEVEN])
@given(showers())
def test_energy_is_in_the_voxels_or_reported_as_outside(tmp_path_factory, voxels, batch):
    path = tmp_path_factory.mktemp("files") / "c.h5"
    exported = write(path, [batch], voxels, threshold_mev=0.5)
    total = read(path)[1].sum() + exported.outside_mev + exported.below_threshold_mev
    assert exported.visible_mev == batch.energy.sum()
    assert total == pytest.approx(exported.visible_mev)


@pytest.mark.parametrize("voxels", [VOXELS, UNEVEN, CylinderVoxels.regular(10, 50, 18, 2.325)])
@settings(max_examples=25)
@given(showers(), st.integers(0, 2**64 - 1))
def test_points_spread_over_voxels_fill_the_same_voxels(voxels, batch, seed):
    filled, _ = voxels.fill(batch)
    found = voxels.spread(filled, batch.incident, ILD, seed)
    again, outside = voxels.fill(found)
    assert np.allclose(again, filled)
    assert outside.sum() == 0


def test_real_tilted_showers_fill_the_same_voxels_after_a_round_trip(geant4_showers, tmp_path):
    voxels = CylinderVoxels.regular(30, 50, 18, 2.325)
    batch = geant4_showers[:20]
    write(tmp_path / "c.h5", [batch], voxels, sampling_fraction=0.02)
    found = read_showers(
        tmp_path / "c.h5",
        voxels,
        detector=ILD,
        direction=batch.incident.direction,
        particle="gamma",
        sampling_fraction=0.02,
    )
    assert np.allclose(voxels.fill(found)[0], voxels.fill(batch)[0], rtol=1e-5, atol=0)
    assert np.array_equal(found.incident.energy, batch.incident.energy)


def test_a_point_on_the_axis_of_a_tilted_shower_has_radius_zero():
    depth = load_detector(ILD).layer_depth_mm
    a, b, c = direction = Incident(1, (0.6, -0.3, 0.7)).direction[0].astype(float)
    layer = np.arange(30)
    x, y = depth * a / c, depth * b / c
    batch = Showers([0, 30], x, y, layer, np.ones(30), Incident(1, direction), "steps", ILD)
    filled, _ = CylinderVoxels.regular(30, 1, 10, 1e-3).fill(batch)
    assert filled.reshape(30, 10)[:, 0].tolist() == [1] * 30


@pytest.mark.parametrize("direction", [(0.5, 0, 1), (-1, 2, 1.5), (0.1, -0.1, 1)])
def test_the_voxels_of_a_tilted_shower_are_those_of_the_same_shower_turned_upright(direction):
    # Where a line beside the axis, and parallel to it, crosses the layers: one ring, one sector.
    axis = Incident(1, direction).direction[0].astype(float)
    aside = np.cross(axis, (0, 0, 1))
    aside *= 15 / np.linalg.norm(aside)
    depth = load_detector(ILD).layer_depth_mm
    x, y, _ = (aside + depth[:, None] * axis / axis[2]).T  # `aside` has no z'
    batch = Showers([0, 30], x, y, np.arange(30), np.ones(30), Incident(1, direction), "steps", ILD)
    filled, _ = CylinderVoxels.regular(30, 61, 10, 2.0).fill(batch)
    filled = filled.reshape(30, 61, 10)
    assert np.flatnonzero(filled.sum(axis=(0, 1))).tolist() == [7]
    # The shortest rotation leaves alone what is perpendicular to z' and to the axis.
    turn = (math.atan2(aside[1], aside[0]) + math.pi) / (2 * math.pi)
    assert np.flatnonzero(filled.sum(axis=(0, 2))).tolist() == [int(turn * 61)]


def test_spread_points_lie_uniformly_in_the_area_of_their_voxel_and_in_its_layers():
    voxels = CylinderVoxels.regular(45, 4, 2, 10.0)
    n = 4000
    values = np.zeros((n, voxels.n_voxels))
    values[:, 3 * 8 + 2 * 2 + 1] = 1  # layer 3, alpha from 0 to pi/2, r from 10 to 20
    found = voxels.spread(values, Incident(np.full(n, 10.0), (0, 0, 1)), "par04_siw", seed=1)
    r2, alpha = found.x.astype(float) ** 2 + found.y**2, np.arctan2(found.y, found.x)
    assert ((r2 > 100) & (r2 < 400) & (alpha > 0) & (alpha < np.pi / 2)).all()
    assert r2.mean() == pytest.approx(250, abs=5)
    assert alpha.mean() == pytest.approx(np.pi / 4, abs=0.03)
    assert set(found.layer.tolist()) == {6, 7}
    assert (found.layer == 6).mean() == pytest.approx(0.5, abs=0.04)


def test_the_same_seed_gives_the_same_points_whatever_the_batches(tmp_path, monkeypatch):
    batch = Showers.concatenate([deposit(r, 1, 5, detector=ILD) for r in (1, 20, 50)])
    write(tmp_path / "c.h5", [batch], VOXELS)
    at_once = read_showers(tmp_path / "c.h5", VOXELS, detector=ILD, seed=3)
    monkeypatch.setattr("calozoo_core.io.calochallenge.BLOCK_VOXELS", 1)
    one_by_one = read_showers(tmp_path / "c.h5", VOXELS, detector=ILD, seed=3)
    other = read_showers(tmp_path / "c.h5", VOXELS, detector=ILD, seed=4)
    assert np.array_equal(at_once.x, one_by_one.x)
    assert not np.array_equal(at_once.x, other.x)


def test_voxels_whose_layers_the_detector_cannot_fill_evenly_are_refused(tmp_path):
    with pytest.raises(DetectorError, match=r"The 30 layers of .* 45 layers of voxels"):
        write(tmp_path / "c.h5", [deposit(1, 0, 0, detector=ILD)], DATASETS["dataset2"])
    assert not list(tmp_path.iterdir())


def test_files_of_32_bits_are_read_too(tmp_path):
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["incident_energies"] = np.full((2, 1), 1000, "f4")
        file["showers"] = np.ones((2, VOXELS.n_voxels), "f4")
    energies, voxels = read(tmp_path / "c.h5", slice(1, None))
    assert (energies.dtype, energies.shape) == (np.float64, (1, 1))
    assert voxels.sum() == VOXELS.n_voxels


ROWS = np.random.default_rng(1).integers(0, 9, (3, VOXELS.n_voxels)).astype(float)
ENERGIES = np.array([[1000.0], [2000.0], [30000.0]])
N_R, N_ALPHA = VOXELS.layers[0].n_r, VOXELS.layers[0].n_alpha
GRID = ROWS.reshape(3, -1, N_ALPHA, N_R)


@pytest.mark.parametrize(
    ("energies", "rows", "how"),
    [
        (ENERGIES[:, 0], ROWS, {}),
        (ENERGIES.astype(int), ROWS.astype("u1"), {}),
        (ENERGIES.astype(">f8"), ROWS.astype(">f4"), {}),
        (ENERGIES.astype("f2"), ROWS.astype("f2"), {"compression": "gzip"}),
        (ENERGIES, GRID, {}),
        (ENERGIES, ROWS, {"compression": "lzf", "shuffle": True}),
        (ENERGIES, GRID.astype("f4"), {"compression": "lzf"}),
    ],
)
def test_layouts_of_other_programs_hold_the_same_showers(tmp_path, energies, rows, how):
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_dataset("incident_energies", data=energies, **how)
        file.create_dataset("showers", data=rows, **how)
    for found, expected in zip(read(tmp_path / "c.h5"), (ENERGIES, ROWS), strict=True):
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_par04_has_its_axes_the_other_way_round(tmp_path):
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["incident_energy"] = ENERGIES[:, 0]
        file["showers"] = GRID.transpose(0, 3, 2, 1)
    energies, rows = read(tmp_path / "c.h5", layout="par04")
    assert np.array_equal(energies, ENERGIES)
    assert np.array_equal(rows, ROWS)


def test_an_lzf_chunk_that_unpacks_to_another_size_is_refused(tmp_path):
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["incident_energies"] = ENERGIES
        rows = file.create_dataset("showers", data=ROWS, compression="lzf", chunks=ROWS.shape)
        packed = rows.id.read_direct_chunk((0, 0))[1]
        rows.id.write_direct_chunk((0, 0), packed[: len(packed) // 2])
    with pytest.raises(ShowerFileError, match="size of one"):
        read(tmp_path / "c.h5")


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({}, "it has no incident_energies"),
        ({"incident_energies": np.ones((2, 1))}, "it has no showers"),
        ({"incident_energies": np.ones((2, 2)), "showers": np.ones((2, 1440))}, "shape"),
        ({"incident_energies": np.ones(2), "showers": np.ones((2, 10, 1440))}, "shape"),
        ({"incident_energy": np.ones(2), "showers": np.ones((2, 9, 16, 10))}, "layout='par04'"),
        ({"incident_energies": np.ones((3, 1)), "showers": np.ones((2, 1440))}, "shape"),
        ({"incident_energies": np.ones((2, 1), "S3"), "showers": np.ones((2, 1440))}, "type"),
        ({"incident_energies": np.ones((2, 1)), "showers": np.full((2, 1440), np.inf)}, "row 0"),
        ({"incident_energies": np.zeros((2, 1)), "showers": np.ones((2, 1440))}, "number of MeV"),
        ({"incident_energies": np.ones((2, 1)), "showers": np.ones((2, 7))}, "7 voxels"),
        ({"incident_energies": np.ones((0, 1)), "showers": np.ones((0, 1440))}, "shape"),
    ],
)
def test_what_is_not_in_the_layout_is_refused(tmp_path, tables, words):
    with h5py.File(tmp_path / "c.h5", "w") as file:
        for name, values in tables.items():
            file[name] = values
    with pytest.raises(ShowerFileError, match=words):
        read_showers(tmp_path / "c.h5", VOXELS, detector=ILD)


@pytest.mark.parametrize(
    "options",
    [
        {"sampling_fraction": 0},
        {"sampling_fraction": math.nan},
        {"threshold_mev": -1},
        {"threshold_mev": math.nan},
    ],
)
def test_a_fraction_or_a_threshold_that_makes_no_sense_is_refused(tmp_path, options):
    with pytest.raises(InputError):
        write(tmp_path / "c.h5", [deposit(1, 0, 0)], DATASETS["dataset2"], **options)


# The binning's XML.

LAYER = '<Layer id="{id}" r_edges="{edges}" n_bin_alpha="{n}" />'


def bins(*layers, name="electron"):
    inside = "".join(LAYER.format(id=i, edges=e, n=n) for i, (e, n) in enumerate(layers))
    return f'<Bin pid="11" name="{name}">{inside}</Bin>'


def test_the_voxels_of_data_set_2_are_read_from_its_xml(tmp_path):
    edges = "0,4.65,9.3,13.95,18.6,23.25,27.9,32.55,37.2,41.85"
    (tmp_path / "b.xml").write_text(f"<Bins>{bins(*[(edges, 16)] * 45)}</Bins>")
    assert read_binning(tmp_path / "b.xml") == DATASETS["dataset2"]


def test_a_layer_with_one_edge_counts_as_a_layer_and_has_no_voxels(tmp_path):
    text = bins(("0,5,10", 1), ("0", 1), ("0,2,4,8", 10))
    (tmp_path / "b.xml").write_text(f"<Bins>{text}</Bins>")
    voxels = read_binning(tmp_path / "b.xml")
    assert [layer.n_voxels for layer in voxels.layers] == [2, 0, 30]
    batch = Showers.concatenate([deposit(1, 0, layer, detector=ILD) for layer in (0, 10, 20)])
    filled, outside = voxels.fill(batch)
    assert (filled.sum(axis=1).tolist(), outside.tolist()) == ([1, 0, 1], [0, 1, 0])


def test_one_of_several_bins_is_chosen_by_name(tmp_path):
    text = bins(("0,5", 1), name="photon") + bins(("0,5,9", 1), name="pion")
    (tmp_path / "b.xml").write_text(f"<Bins>{text}</Bins>")
    assert read_binning(tmp_path / "b.xml", "pion").n_voxels == 2
    for name in (None, "kaon"):
        with pytest.raises(InputError, match="has the bins photon, pion"):
            read_binning(tmp_path / "b.xml", name)


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]>'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not XML"),
        ("<Bins>", "not XML"),
        ("<Bins/>", "no <Layer>"),
        (BOMB + f"<Bins>{bins(('0,&c;', 1))}</Bins>", "document type"),
        ('<!DOCTYPE Bins SYSTEM "/etc/passwd"><Bins/>', "document type"),
        (f"<Bins>{bins(('0,a', 1))}</Bins>", "numbers"),
        (f"<Bins>{bins(('0,5', 'x'))}</Bins>", "numbers"),
        (f"<Bins>{bins(('0,5,5', 1))}</Bins>", "grow"),
        (f"<Bins>{bins(('0,nan', 1))}</Bins>", "grow"),
        (f"<Bins>{bins(('-1,5', 1))}</Bins>", "grow"),
        (f"<Bins>{bins(('0,5', 0))}</Bins>", "one sector"),
        (f"<Bins>{bins(*[('0,5', 1)] * 257)}</Bins>", "more than 256 layers"),
        (f"<Bins>{bins(('0,5', 1))}{bins(('0,5', 1))}</Bins>", "two of its bins"),
        ("<a>" * 9 + "</a>" * 9, "too deep"),
        ('<?xml version="1.0" encoding="no-such"?><Bins/>', "not XML|cannot be used"),
        ("<Bins>" + " " * (1 << 20) + "</Bins>", "longer than"),
        (f"<Bins>{bins(('0,5', 10**9))}</Bins>", "voxels, not 1000000000"),
        (f"<Bins>{bins(('0', 1))}</Bins>", "voxels, not 0"),
    ],
)
def test_an_xml_that_is_no_binning_is_refused_in_one_sentence(tmp_path, text, words):
    (tmp_path / "b.xml").write_text(text)
    with pytest.raises((ShowerFileError, InputError), match=words) as error:
        read_binning(tmp_path / "b.xml")
    assert "\n" not in str(error.value)
    assert str(error.value).endswith(".")


def test_a_missing_binning_is_refused(tmp_path):
    with pytest.raises(ShowerFileError, match="no such file"):
        read_binning(tmp_path / "b.xml")
