"""What every kind of placement has in common: frames, cells, and how showers become hits."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from placement_kinds import BARREL, ILD, KINDS, entries, gaussian_showers, owner
from shower_strategies import showers

from calozoo_core.errors import DetectorError, InputError
from calozoo_core.incident import Incident
from calozoo_core.placement import Placement, load_placement
from calozoo_core.placement.barrel import BarrelPlacement
from calozoo_core.placement.cylinder import CylinderPlacement
from calozoo_core.placement.endcap import EndcapPlacement
from calozoo_core.showers import Showers

every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())


def local_points(kind, n, seed):
    rng = np.random.default_rng(seed)
    layer = rng.integers(0, kind.detector.n_layers, n).astype(np.uint8)
    transverse = rng.uniform(-250, 250, (n, 2))
    return np.column_stack([transverse, kind.detector.layer_depth_mm[layer]]), layer


def shower_of(points, layer, detector):
    """One shower of these points."""
    return Showers(
        offsets=[0, len(points)],
        x=points[:, 0],
        y=points[:, 1],
        layer=layer,
        energy=np.ones(len(points)),
        incident=Incident(10, (0, 0, 1)),
        representation="steps",
        detector=detector.name,
    )


@every_kind
@settings(max_examples=20)
@given(seed=st.integers(0, 999))
def test_local_to_global_to_local_is_the_identity(kind, seed):
    position, _ = entries(kind, 20, seed)
    points, _ = local_points(kind, len(position), seed)
    back = kind.to_local(kind.to_global(points, position), position)
    np.testing.assert_allclose(back, points, rtol=0, atol=1e-6)


@every_kind
def test_one_position_serves_many_points(kind):
    points, _ = local_points(kind, 30, 1)
    position = entries(kind, 1)[0][0]
    many = np.tile(position, (30, 1))
    one = kind.to_global(points, position)
    np.testing.assert_array_equal(one, kind.to_global(points, many))
    np.testing.assert_array_equal(kind.to_local(one, position), kind.to_local(one, many))


@every_kind
def test_the_local_frame_is_right_handed_and_begins_at_the_position(kind):
    position, _ = entries(kind, 40)
    steps = [kind.to_global(np.tile(1e-3 * e, (40, 1)), position) - position for e in np.eye(3)]
    x, y, z = (step / 1e-3 for step in steps)
    np.testing.assert_allclose(np.cross(x, y), z, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(kind.to_global(np.zeros((40, 3)), position), position, atol=1e-9)


@every_kind
def test_a_local_direction_is_where_a_displaced_point_goes(kind):
    position, momentum = entries(kind, 40)
    local = kind.local_direction(position, momentum)
    np.testing.assert_allclose(np.linalg.norm(local, axis=1), 1)
    there = kind.to_global(1e-3 * local, position)
    unit = momentum / np.linalg.norm(momentum, axis=1, keepdims=True)
    np.testing.assert_allclose((there - position) / 1e-3, unit, atol=1e-5)


@every_kind
def test_lines_from_the_interaction_point_go_into_the_calorimeter(kind):
    position, momentum = entries(kind, 200)
    assert np.all(kind.local_direction(position, momentum)[:, 2] > 0)
    np.testing.assert_allclose(kind.enter(momentum), position)
    along = np.linalg.norm(np.cross(position, momentum), axis=1)
    assert np.all(along < 1e-9 * np.linalg.norm(position, axis=1) * 100)
    kind.check(position)


def cells_around(kind, n=3000):
    """Cells of random points, with their layers and points."""
    position, _ = entries(kind, n)
    local, layer = local_points(kind, len(position), 7)
    points = kind.to_global(local, position)
    cell = kind.cells(points, layer)
    return cell[cell >= 0], layer[cell >= 0], points[cell >= 0]


@every_kind
def test_the_middle_of_a_cell_is_in_that_cell(kind):
    cell, layer, _ = cells_around(kind)
    assert len(cell) > 1000
    np.testing.assert_array_equal(kind.cells(kind.cell_centres(cell, layer), layer), cell)


@pytest.mark.parametrize("name", sorted(KINDS.keys() - {"barrel and endcaps"}))
def test_every_cell_that_there_is_has_a_middle_of_its_own(name):
    kind = KINDS[name]
    of_layer = kind.cells_per_part // kind.detector.n_layers
    # Of a cylinder, only the last layer uses every index.
    first = kind.cells_per_part - of_layer if name == "cylinder" else 0
    part = np.arange(first, kind.cells_per_part, 9973 if first == 0 else 97)
    layer, centres = kind.middles(np.zeros_like(part), part)
    cell = kind.cells(centres, layer.astype(np.uint8))
    exists = cell >= 0  # past the end of a short slab an index is not a cell
    assert exists.mean() > 0.5
    np.testing.assert_array_equal(cell[exists], part[exists])


@every_kind
def test_a_point_is_no_farther_than_a_corner_from_the_middle_of_its_cell(kind):
    cell, layer, points = cells_around(kind)
    away = np.linalg.norm(points - kind.cell_centres(cell, layer), axis=1)
    corner = kind.detector.cell_mm / np.sqrt(2)
    assert 0.95 * corner < away.max() < 1.001 * corner  # a cylinder rounds to whole cells


@every_kind
def test_a_point_between_layers_is_in_no_cell(kind):
    cell, layer, _ = cells_around(kind)
    centres = kind.cell_centres(cell, layer)
    inwards = kind.to_global(np.tile([0.0, 0.0, -0.7], (len(cell), 1)), centres)
    assert np.all(kind.cells(inwards, layer) == -1)


def test_a_cell_does_not_have_any_layer():
    cell, layer, _ = cells_around(BARREL, 10)
    with pytest.raises(InputError, match="needs the layer that it is in"):
        BARREL.cell_centres(cell, layer + np.uint8(1))


def plain_loop(kind, batch, position, threshold):
    """What `place` does, point by point, through the global frame."""
    part = kind.entry(position).part
    depth = kind.detector.layer_depth_mm
    found = []
    for i in range(len(batch)):
        sums = defaultdict(float)
        for row in range(batch.offsets[i], batch.offsets[i + 1]):
            layer = batch.layer[row : row + 1]
            local = np.array([[batch.x[row], batch.y[row], depth[layer[0]]]], np.float64)
            cell = int(kind.cells(kind.to_global(local, position[i]), layer)[0])
            if cell >= 0 and cell // kind.cells_per_part == part[i]:
                sums[int(layer[0]), cell] += float(batch.energy[row])
        found += [(i, *key, sums[key]) for key in sorted(sums) if sums[key] >= threshold]
    return np.array(found).reshape(-1, 4)


@every_kind
@pytest.mark.parametrize("threshold", [0.0, 0.2])
def test_place_does_what_a_plain_loop_does(kind, threshold):
    batch = gaussian_showers(kind.detector, n=6, points=300, width=40.0)
    position, _ = entries(kind, len(batch))
    hits = kind.place(batch, position, threshold)
    expected = plain_loop(kind, batch, position, threshold)
    assert len(expected) > 100
    np.testing.assert_array_equal(owner(hits), expected[:, 0])
    np.testing.assert_array_equal(hits.layer, expected[:, 1])
    np.testing.assert_array_equal(hits.cell, expected[:, 2])
    np.testing.assert_allclose(hits.energy, expected[:, 3], rtol=1e-6)
    centres = kind.cell_centres(hits.cell, hits.layer)
    np.testing.assert_allclose(np.stack([hits.x, hits.y, hits.z], axis=1), centres, rtol=1e-6)


@every_kind
@settings(max_examples=10)
@given(batch=showers())
def test_hits_are_sorted_and_a_cell_appears_once_a_shower(kind, batch):
    batch = replace(batch, detector=kind.detector.name)
    hits = kind.place(batch, entries(kind, len(batch))[0])
    assert len(hits) == len(batch)
    keys = list(zip(owner(hits), hits.layer, hits.cell, strict=True))
    assert keys == sorted(set(keys))
    assert np.all(hits.cell >= 0)


@every_kind
def test_energy_is_in_the_hits_or_in_the_gaps(kind):
    batch = gaussian_showers(kind.detector)
    position, _ = entries(kind, len(batch))
    points = np.column_stack([batch.x, batch.y, kind.detector.layer_depth_mm[batch.layer]])
    cell = kind.cells(
        kind.to_global(points.astype(np.float64), position[batch.shower_index]), batch.layer
    )
    own_part = cell // kind.cells_per_part == kind.entry(position).part[batch.shower_index]
    in_gaps = batch.energy[~own_part].sum(dtype=np.float64)
    in_hits = kind.place(batch, position).energy.sum(dtype=np.float64)
    assert in_hits + in_gaps == pytest.approx(batch.energy.sum(dtype=np.float64), rel=1e-6)


@every_kind
def test_a_shower_does_not_depend_on_the_others_of_its_batch(kind):
    batch = gaussian_showers(kind.detector, n=8, points=9000)
    position, _ = entries(kind, 8)
    together = kind.place(batch, position)
    one_by_one = [kind.place(batch[i : i + 1], position[i]) for i in range(8)]
    for name in ("cell", "layer", "x", "y", "z", "energy"):
        apart = np.concatenate([getattr(hits, name) for hits in one_by_one])
        np.testing.assert_array_equal(getattr(together, name), apart)


@every_kind
def test_a_batch_without_points_or_showers_has_no_hits(kind):
    batch = gaussian_showers(kind.detector, n=2, points=1)
    position, _ = entries(kind, 2)
    assert np.all(kind.place(batch, position).offsets == 0)
    assert len(kind.place(batch[:0], position[:0])) == 0


@every_kind
def test_a_point_that_is_nowhere_leaves_no_hit(kind):
    points = np.array([[np.nan, 0], [0, np.nan], [1e30, 0], [0, -np.inf]])
    batch = shower_of(points, np.zeros(4, np.uint8), kind.detector)
    hits = kind.place(batch, entries(kind, 1)[0])
    assert len(hits.cell) == 0


def test_positions_may_come_with_the_primaries():
    batch = gaussian_showers(ILD, n=4)
    position, _ = entries(BARREL, 4)
    incident = Incident(np.full(4, 10.0), (0, 0, 1), position=position)
    hits = BARREL.place(replace(batch, incident=incident))
    np.testing.assert_array_equal(hits.cell, BARREL.place(batch, position).cell)
    with pytest.raises(InputError, match="Nothing says where these showers enter ild_siecal"):
        BARREL.place(batch)


def test_a_cell_with_less_than_the_threshold_is_no_hit():
    batch = gaussian_showers(ILD)
    position, _ = entries(BARREL, len(batch))
    every, above = BARREL.place(batch, position), BARREL.place(batch, position, 0.1)
    kept = every.energy >= 0.1
    assert 0.3 < kept.mean() < 0.95
    np.testing.assert_array_equal(above.cell, every.cell[kept])
    np.testing.assert_array_equal(np.diff(above.offsets), np.bincount(owner(every)[kept]))


@pytest.mark.parametrize("threshold", [-0.1, np.nan])
def test_a_threshold_that_is_no_energy_is_refused(threshold):
    with pytest.raises(InputError, match="threshold of a hit must be 0 MeV or more"):
        BARREL.place(gaussian_showers(ILD), (0, 1804.7, 0), threshold)


@pytest.mark.parametrize(
    ("position", "why"),
    [
        (np.zeros((21, 3)), r"need positions of shape \(20, 3\)"),
        (np.zeros((1, 3)), r"need positions of shape \(20, 3\)"),
        ((0, 1), "must be three numbers, but their shape is"),
        ("here", "must be three numbers, not 'here'"),
        ((0, np.inf, 0), "must be three finite numbers"),
        ((0, 1700, 3), "The position 0,1700,3 is not on the face of ild_siecal, whose barrel has"),
        ((0, 1804.7, 2360), "up to 2350 mm along it"),
    ],
)
def test_positions_that_are_not_on_the_face_are_refused(position, why):
    with pytest.raises(InputError, match=why):
        BARREL.place(gaussian_showers(ILD), position)


@pytest.mark.parametrize(
    ("name", "off", "on"),
    [
        ("slab", (0, 3000, 1804.7), (0, -2000, 1804.7)),
        ("endcap", (0, 300, 2411.7), (0, 400, -2411.7)),
        ("endcap", (1600, 1600, 2411.7), (1400, 1400, 2411.7)),
        ("cylinder", (0, 800, 1001), (0, -800.9, 1000)),
        ("barrel and endcaps", (0, 1000, 1000), (0, 1000, 2411)),
    ],
)
def test_a_position_is_on_the_face_to_a_millimetre(name, off, on):
    KINDS[name].check(on)
    with pytest.raises(InputError, match="is not on the face of"):
        KINDS[name].check([on, off])


@pytest.mark.parametrize(
    ("name", "momentum"),
    [
        ("slab", (0, 0, -1)),
        ("slab", (2, 0, 1)),
        ("barrel", (0, 0, 1)),
        ("barrel", (0, 0.5, 1)),
        ("endcap", (0, 1, 0)),
        ("endcap", (0, 0, 1)),
        ("cylinder", (0, 0, -1)),
        ("barrel and endcaps", (0.1, 0, -1)),
        ("barrel and endcaps", (0, -0.3, 2)),
    ],
)
def test_a_momentum_that_misses_the_face_is_refused(name, momentum):
    text = ",".join(f"{c:g}" for c in momentum)
    with pytest.raises(InputError, match=f"along {text} from the interaction point misses"):
        KINDS[name].enter([entries(KINDS[name], 1)[1][0], momentum])


def test_a_momentum_that_is_none_is_refused():
    with pytest.raises(InputError, match="misses ild_siecal"):
        BARREL.enter((0, 0, 0))


def test_showers_for_other_layers_are_refused():
    shallow = BarrelPlacement(replace(ILD, name="shallow", slabs=ILD.slabs[:60]))
    with pytest.raises(DetectorError, match="do not fit into shallow"):
        shallow.place(gaussian_showers(ILD), (0, 1804.7, 0))


def test_a_point_in_a_layer_that_is_not_there_is_refused():
    batch = shower_of(np.zeros((1, 2)), np.array([30], np.uint8), ILD)
    with pytest.raises(InputError, match="in layer 30, but ild_siecal ends at 29"):
        BARREL.place(batch, (0, 1804.7, 0))


def test_regular_showers_fit_into_the_detector_with_gaps():
    batch = replace(gaussian_showers(ILD), detector="ild_siecal_regular")
    assert BARREL.place(batch, (0, 1804.7, 0)).energy.sum() > 0.9 * batch.energy.sum()


@pytest.mark.parametrize("kind", [BarrelPlacement, EndcapPlacement, CylinderPlacement])
def test_a_detector_without_the_shape_is_refused(kind):
    with pytest.raises(DetectorError, match="Detector ild_siecal_regular has no"):
        kind(KINDS["slab"].detector)


def test_a_shape_decides_the_placement():
    assert type(load_placement(replace(ILD, endcap=None))) is BarrelPlacement
    assert type(load_placement(replace(ILD, barrel=None))) is EndcapPlacement
    with pytest.raises(DetectorError, match="No detector is called 'nowhere'"):
        load_placement("nowhere")


def test_a_placement_that_leaves_something_out_cannot_be_made():
    class Half(Placement):
        def to_global(self, points, position):
            return points

    with pytest.raises(TypeError, match="abstract"):
        Half(ILD)
