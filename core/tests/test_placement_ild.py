"""ILD's wafers, gaps, staves and quadrants lie where its geometry and the published map say."""

from __future__ import annotations

import numpy as np
import pytest
from placement_kinds import BARREL, ENDCAP, ILD, KINDS, entries, gaussian_showers

from calozoo_core.placement import load_placement

CELL, WAFER = ILD.cell_mm, 18 * ILD.cell_mm
PITCH, TOWER = 92.590, 187.36
TOP = 2  # the stave whose middle has an azimuth of 90 degrees
FACE, DEPTH = 1804.7, ILD.layer_depth_mm
LAYERS = np.arange(30)
SHIFT = np.where(LAYERS // 2 <= 9, 12.47 * (LAYERS // 2), 112.23 + 16.67 * (LAYERS // 2 - 9))


def on_top(y, x, layer):
    """Global points of the top stave, whose y' is the global x and whose x' is the global z."""
    y, x, layer = np.broadcast_arrays(y, x, layer)
    return np.stack([y, FACE + DEPTH[layer], x], axis=-1).astype(np.float64).reshape(-1, 3)


def middles_along(points, layer, axis):
    """Distinct coordinates of the middles of the top stave's cells under points, in order."""
    layer = np.full(len(points), layer, np.uint8)
    cell = np.unique(BARREL.cells(points, layer))
    cell = cell[cell // BARREL.cells_per_part == TOP]
    centres = BARREL.cell_centres(cell, np.full(len(cell), layer[0], np.uint8))
    return np.unique(centres[:, axis].round(6))


def gaps(middles):
    """Middle and width of each gap between neighbouring cells."""
    steps = np.diff(middles) - CELL
    is_gap = steps > 0.01
    return (middles[:-1] + (steps + CELL) / 2)[is_gap], steps[is_gap]


@pytest.mark.parametrize("layer", LAYERS)
def test_gaps_around_the_barrel_lie_where_the_published_map_has_them(layer):
    middles = middles_along(on_top(np.arange(-1100, 800, 2.0), 50.0, layer), layer, axis=0)
    middle, width = gaps(middles)
    assert len(middle) >= 14
    away = (middle - (-13.8375 - SHIFT[layer]) + PITCH / 2) % PITCH - PITCH / 2
    np.testing.assert_allclose(away, 0, atol=1e-3)
    np.testing.assert_allclose(width, 1.0, atol=1e-3)
    np.testing.assert_allclose(np.diff(middle), PITCH, atol=1e-3)


@pytest.mark.parametrize("layer", [0, 1, 18, 29])
def test_gaps_along_the_barrel_lie_where_the_published_map_has_them(layer):
    middles = middles_along(on_top(50.0, np.arange(-2350, 2350, 2.0), layer), layer, axis=2)
    assert len(middles) == 5 * 5 * 2 * 18
    middle, width = gaps(middles)
    inner = np.abs(middle) < 469  # of the middle module
    inside = [TOWER * n for n in (-2, -1, 0, 1, 2)]
    between = [93.68 + TOWER * n for n in (-2, -1, 0, 1)]
    np.testing.assert_allclose(middle[inner], sorted(inside + between), atol=1e-3)
    np.testing.assert_allclose(width[inner], [1.0, 3.18] * 4 + [1.0], atol=1e-3)
    is_wide = width > 4
    np.testing.assert_allclose(middle[is_wide], [-1410, -470, 470, 1410], atol=1e-3)
    np.testing.assert_allclose(width[is_wide], 3.18 + 3.2, atol=1e-3)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_stave_ends_with_one_short_wafer_of_whole_cells(layer):
    middles = middles_along(on_top(np.arange(-1200, 800, 2.0), 50.0, layer), layer, axis=0)
    back = SHIFT[layer] + 12.69
    stack = DEPTH[-1] + 0.2625 + 1.5 + 0.5 + 0.4 + 0.1 + 0.44 - 0.1
    begin = 1804.8 * np.tan(np.pi / 8) - back - 8.0
    end = -(1804.8 * np.tan(np.pi / 8) + np.sqrt(2) * stack - back)
    assert middles[-1] == pytest.approx(begin - 0.5 - CELL / 2, abs=1e-3)
    whole, rest = divmod(begin - end, PITCH)
    last = int((rest - 1.0) / CELL) if rest > 1.0 else 0
    assert len(middles) == 18 * whole + last
    assert middles[0] - CELL / 2 - 0.5 >= end - 1e-3


def test_random_points_find_silicon_as_often_as_it_covers_the_layer():
    rng = np.random.default_rng(1)
    layer = rng.integers(0, 30, 400_000).astype(np.uint8)
    points = on_top(
        rng.uniform(-PITCH, PITCH, len(layer)), rng.uniform(-TOWER, TOWER, 400_000), layer
    )
    active = np.mean(BARREL.cells(points, layer) >= 0)
    assert active == pytest.approx(WAFER / PITCH * 2 * WAFER / TOWER, abs=0.001)
    assert active == pytest.approx(0.967, abs=0.001)


def lost_fraction(batch, seed):
    """Energy that falls into gaps, for positions uniform over the pattern of gaps."""
    rng = np.random.default_rng(seed)
    n = len(batch)
    position = np.column_stack(
        [rng.uniform(-PITCH / 2, PITCH / 2, n), np.full(n, FACE), rng.uniform(-1, 1, n) * TOWER / 2]
    )
    hits = BARREL.place(batch, position)
    return 1 - hits.energy.sum(dtype=np.float64) / batch.visible_energy.sum()


def test_straight_showers_lose_as_much_as_the_gaps_cover():
    batch = gaussian_showers(ILD, n=1500)
    lost = np.mean([lost_fraction(batch, seed) for seed in range(4)])
    assert lost == pytest.approx(0.033, abs=0.0015)


def test_geant4_showers_lose_as_much_as_the_gaps_cover(geant4_showers):
    lost = np.mean([lost_fraction(geant4_showers, seed) for seed in range(3)])
    assert lost == pytest.approx(0.033, abs=0.003)


@pytest.mark.parametrize("stave", range(8))
def test_a_shower_in_another_stave_is_the_same_shower_turned(stave):
    batch = gaussian_showers(ILD)
    position, _ = entries(BARREL, 200)
    position = position[BARREL.part_at_face(position) == 0][: len(batch)]
    angle = np.radians(45 * stave)
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    here = BARREL.place(batch, position)
    there = BARREL.place(batch, position @ turn.T)
    np.testing.assert_array_equal(there.cell, here.cell + stave * BARREL.cells_per_part)
    np.testing.assert_array_equal(there.energy, here.energy)
    middles = np.stack([here.x, here.y, here.z], axis=1) @ turn.T
    np.testing.assert_allclose(np.stack([there.x, there.y, there.z], axis=1), middles, atol=1e-3)


def test_the_frame_of_the_top_stave_is_the_one_models_are_trained_in():
    position = np.array([[10.0, FACE, -40.0]])
    there = BARREL.to_global(np.array([[1.0, 2.0, 3.0]]), position)
    np.testing.assert_allclose(there, [[12.0, FACE + 3, -39.0]], atol=1e-9)


def test_the_frames_of_the_ends_are_each_other_s_turned_about_the_vertical():
    local = np.array([[1.0, 2.0, 3.0]])
    front = ENDCAP.to_global(local, np.array([[0.0, 900.0, 2411.7]]))
    back = ENDCAP.to_global(local, np.array([[0.0, 900.0, -2411.7]]))
    np.testing.assert_allclose(front, [[-1, 898, 2414.7]])
    np.testing.assert_allclose(back, [[1, 898, -2414.7]])


@pytest.mark.parametrize("stave", range(8))
@pytest.mark.parametrize("layer", [0, 29])
def test_a_stave_ends_at_its_neighbours_on_either_side(layer, stave):
    azimuth = np.radians(45 * stave)
    outwards, around = (np.array([np.cos(a), np.sin(a), 0]) for a in (azimuth, azimuth - np.pi / 2))
    y = np.arange(-1100, 800, 0.25)
    part = BARREL.part_of(outwards * (FACE + DEPTH[layer]) + around * y[:, None])
    inside, depth = y[part == stave], DEPTH[layer] - 0.1
    half_width = 1804.8 * np.tan(np.pi / 8)
    assert inside.max() == pytest.approx(half_width - depth, abs=0.25)
    # On the other side it is wider than its neighbour's sector begins, but for its cells to end.
    assert inside.min() < -half_width - depth * np.tan(np.pi / 8)
    assert np.all(np.diff(inside) == 0.25)


def endcap_layer(layer=7):
    """A grid of global points of a layer at positive z, and whether each is in a cell."""
    side = np.arange(-2200, 2200, 11.0) + 0.4
    x, y = (values.ravel() for values in np.meshgrid(side, side))
    z = np.full(len(x), 2411.7 + DEPTH[layer])
    points = np.stack([x, y, z], axis=1)
    return points, ENDCAP.cells(points, np.full(len(x), layer, np.uint8)) >= 0


def test_an_endcap_is_an_octagon_with_a_square_hole_and_few_gaps():
    points, is_live = endcap_layer()
    x, y = np.abs(points[:, :2]).T
    in_hole = np.maximum(x, y) < 400
    beyond = np.maximum(np.maximum(x, y), (x + y) / np.sqrt(2)) > 2095.84
    assert not is_live[in_hole | beyond].any()
    assert 0.9 < is_live[~in_hole & ~beyond].mean() < 0.967


def test_an_endcap_is_the_same_after_a_quarter_turn_and_both_ends_are_alike():
    points, is_live = endcap_layer()
    layer = np.full(len(points), 7, np.uint8)
    turned = points[:, [1, 0, 2]] * [-1, 1, 1]
    np.testing.assert_array_equal(ENDCAP.cells(turned, layer) >= 0, is_live)
    back = points * [-1, 1, -1]
    cell = ENDCAP.cells(back, layer)
    np.testing.assert_array_equal(cell >= 0, is_live)
    assert np.all(cell[is_live] // ENDCAP.cells_per_part == 1)


def test_towers_of_an_endcap_are_stacked_away_from_the_hole():
    layer = np.uint8(0)
    y = np.arange(380, 2110, 1.0)
    points = np.stack([np.full(len(y), 30.0), y, np.full(len(y), 2411.7 + DEPTH[0])], axis=1)
    cell = np.unique(ENDCAP.cells(points, np.full(len(y), layer)))
    cell = cell[cell >= 0]
    centres = np.sort(ENDCAP.cell_centres(cell, np.full(len(cell), layer))[:, 1])
    assert len(centres) == 3 * 3 * 2 * 18
    assert centres[0] - CELL / 2 == pytest.approx(400 + 1.6 + 1.09 + 0.5, abs=1e-3)
    _, width = gaps(centres)
    towers = ([1.0, 3.18] * 3)[:-1]
    np.testing.assert_allclose(width, [*towers, 6.38, *towers, 6.38, *towers], atol=1e-3)


def test_cells_of_staves_and_ends_are_never_the_same():
    both = load_placement("ild_siecal")
    batch = gaussian_showers(ILD, n=200)
    position, _ = entries(both, 200)
    hits = both.place(batch, position)
    is_end = both.cells_per_part * 8 <= hits.cell
    assert 0.1 < is_end.mean() < 0.9
    np.testing.assert_array_equal(np.abs(hits.z) > 2400, is_end)
    places = {}
    for cell, *place in zip(hits.cell, hits.x, hits.y, hits.z, strict=True):
        assert places.setdefault(cell, place) == place
    assert len(set(map(tuple, places.values()))) == len(places)


def test_a_barrel_with_endcaps_says_what_its_parts_say():
    both = KINDS["barrel and endcaps"]
    batch = gaussian_showers(ILD, n=30)
    position, _ = entries(both, 30)
    at_end = np.abs(position[:, 2]) > 2380
    hits = both.place(batch, position)
    for i in range(30):
        part = ENDCAP if at_end[i] else BARREL
        own = part.place(batch[i : i + 1], position[i])
        rows = slice(hits.offsets[i], hits.offsets[i + 1])
        for name in ("layer", "x", "y", "z", "energy"):
            np.testing.assert_array_equal(getattr(hits, name)[rows], getattr(own, name))
