"""Neighbours of points and cells, against pairs taken one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from calozoo_core.detector import load_detector
from calozoo_core.incident import Incident
from calozoo_core.observables.deposits import Deposits
from calozoo_core.observables.neighbours import (
    POINT_DISTANCES_MM,
    RADIUS_BANDS_MM,
    NeighbourSums,
    adjacent_cells,
    has_point_within,
)

ILD = load_detector("ild_siecal_regular")


def deposits(offsets, layer, dx, dy) -> Deposits:
    n = len(offsets) - 1
    return Deposits(
        offsets=np.asarray(offsets, np.int64),
        layer=np.asarray(layer, np.uint8),
        dx=np.asarray(dx, np.float64),
        dy=np.asarray(dy, np.float64),
        energy=np.ones(len(layer)),
        incident=Incident(np.full(n, 10.0), (0, 0, 1)),
        detector=ILD,
    )


def crowded(seed: int, n: int, reach_mm: float) -> Deposits:
    rng = np.random.default_rng(seed)
    offsets = np.sort(rng.integers(0, n + 1, 4))
    offsets[[0, -1]] = 0, n
    return deposits(
        offsets, rng.integers(0, 3, n), *rng.uniform(-reach_mm, reach_mm, (2, n)).round(1)
    )


@given(st.integers(0, 1000), st.integers(0, 120), st.sampled_from([3.0, 20.0, 1e5]))
def test_points_near_points_are_those_of_all_pairs(seed, n, reach_mm):
    points = crowded(seed, n, reach_mm)
    apart = np.hypot(points.dx[:, None] - points.dx, points.dy[:, None] - points.dy)
    alike = (points.owner[:, None] == points.owner) & (points.layer[:, None] == points.layer)
    apart[~alike | np.eye(n, dtype=bool)] = np.inf
    nearest = apart.min(axis=1, initial=np.inf)
    found = has_point_within(points)
    for row, distance in zip(found, POINT_DISTANCES_MM, strict=True):
        clear = np.abs(nearest - distance) > 1e-9  # 1.6 mm itself is a matter of rounding
        np.testing.assert_array_equal(row[clear], (nearest <= distance)[clear])


@given(st.integers(0, 1000), st.integers(0, 120))
def test_cells_beside_and_behind_cells_are_those_of_all_pairs(seed, n):
    rng = np.random.default_rng(seed)
    places = np.unique(rng.integers(0, [2, 30, 4, 4], (n, 4)), axis=0)
    owner, layer, row, column = places.T
    pitch = ILD.cell_mm
    cells = deposits(
        np.searchsorted(owner, np.arange(3)), layer, (column + 0.2) * pitch, (row - 1.7) * pitch
    )
    step = places[None, :, :] - places[:, None, :]
    same_shower, same_layer = step[..., 0] == 0, step[..., 1] == 0
    touch = np.abs(step[..., 2:]).max(axis=2, initial=0)
    beside, is_behind = adjacent_cells(cells)
    np.testing.assert_array_equal(beside, (same_shower & same_layer & (touch == 1)).sum(axis=1))
    behind = same_shower & (step[..., 1] == 1) & (touch == 0)
    np.testing.assert_array_equal(is_behind, behind.any(axis=1))


def test_neighbours_are_counted_by_block_and_radius():
    sums = NeighbourSums(2, ("near",))
    cells = deposits([0, 2, 3], [0, 0, 5], [3.0, 6.0, 100.0], [4.0, 8.0, 0.0])
    sums.add(cells, np.array([[True, False, True]]), np.array([0, 1]))
    first, second = sums.deposits
    assert first.tolist() == [0, 1, 1, 0, 0, 0]  # 5 mm is in the second band, 10 mm in the third
    assert second.tolist() == [0, 0, 0, 0, 0, 1]
    assert sums.with_neighbour[0].sum(axis=1).tolist() == [1, 1]
    assert len(RADIUS_BANDS_MM) == sums.deposits.shape[1]
    sums += sums
    assert sums.deposits.sum() == 6
