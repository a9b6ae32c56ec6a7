"""From voxels to points, and what is measured for it."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo_core.showers import Showers
from calozoo_gan3d.config import Gan3dConfig
from calozoo_gan3d.grid import Voxels, edges, fill
from calozoo_gan3d.points import PointTables, fitted_tables, scatter
from calozoo_gan3d.training_data import ImageSample, UprightPoints, upright_points


@pytest.fixture(scope="module")
def tables(showers: Showers, tiny_config: Gan3dConfig) -> PointTables:
    return fitted_tables(upright_points(showers, 1), len(showers), tiny_config.grid)


def test_points_give_their_voxels_again(
    sample: ImageSample, tables: PointTables, tiny_config: Gan3dConfig
) -> None:
    cloud = scatter(sample.voxels, tables, tiny_config.grid, seed=1, first=0)
    shower = np.repeat(np.arange(len(sample)), np.diff(cloud.offsets))
    again = fill(cloud.x, cloud.y, cloud.layer, cloud.energy, shower, len(sample), tiny_config.grid)
    np.testing.assert_array_equal(again.voxel, sample.voxels.voxel)
    np.testing.assert_allclose(again.energy, sample.voxels.energy, rtol=1e-4)


def test_a_shower_alone_has_the_points_it_has_among_others(
    sample: ImageSample, tables: PointTables, tiny_config: Gan3dConfig
) -> None:
    offsets, index, energy = sample.voxels
    whole = scatter(sample.voxels, tables, tiny_config.grid, seed=1, first=10)
    rows = slice(offsets[3], offsets[4])
    alone = Voxels(offsets[3:5] - offsets[3], index[rows], energy[rows])
    cloud = scatter(alone, tables, tiny_config.grid, seed=1, first=13)
    points = slice(whole.offsets[3], whole.offsets[4])
    np.testing.assert_array_equal(cloud.x, whole.x[points])
    np.testing.assert_allclose(cloud.energy, whole.energy[points], rtol=1e-6)


def test_no_voxels_give_no_points(tables: PointTables, tiny_config: Gan3dConfig) -> None:
    none = Voxels(np.zeros(3, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))
    cloud = scatter(none, tables, tiny_config.grid, seed=1, first=0)
    assert cloud.offsets.tolist() == [0, 0, 0]
    assert len(cloud.x) == len(cloud.energy) == 0


def test_points_lie_where_in_a_voxel_the_energy_was(tiny_config: Gan3dConfig) -> None:
    """All energy in the corner of one voxel: nearly all points come to lie there."""
    grid = tiny_config.grid
    bounds = edges(grid)
    n = 4000
    x = np.full(n, bounds[5] + 0.1, np.float32)
    y = np.full(n, bounds[3] - 0.1, np.float32)
    shower = np.arange(n) // 4
    points = UprightPoints(x, y, np.full(n, 7, np.uint8), np.ones(n, np.float32), shower)
    tables = fitted_tables(points, 1000, grid)
    voxels = fill(x, y, points.layer, points.energy, shower, 1000, grid)
    cloud = scatter(voxels, tables, grid, seed=1, first=0)
    width = (bounds[6] - bounds[5]) / 4
    assert (cloud.x < bounds[5] + width).mean() > 0.9
    assert (cloud.y > bounds[3] - (bounds[3] - bounds[2]) / 4).mean() > 0.9
    # Four deposits in one sub-cell are one point.
    assert len(cloud.x) == 1000


def test_as_many_points_as_sub_cells_were_hit(
    showers: Showers, sample: ImageSample, tables: PointTables, tiny_config: Gan3dConfig
) -> None:
    points = upright_points(showers, 1)
    cells = np.stack([np.floor(v / (5.0883331 / 3)) for v in (points.x, points.y)])
    inside = np.all([np.abs(v) < tiny_config.grid.half_mm for v in (points.x, points.y)], axis=0)
    keys = np.stack([points.shower, points.layer, *cells])[:, inside]
    hit = len(np.unique(keys, axis=1).T)
    cloud = scatter(sample.voxels, tables, tiny_config.grid, seed=1, first=0)
    assert len(cloud.x) == pytest.approx(hit, rel=0.1)
