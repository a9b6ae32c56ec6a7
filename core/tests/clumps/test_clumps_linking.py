from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from shower_strategies import showers

from calozoo_core.clumps import Linking, link_clumps
from calozoo_core.detector import load_detector
from calozoo_core.frames import perpendicular_positions
from calozoo_core.incident import Incident
from calozoo_core.showers import Showers


def linked_by_pairs(batch, linking):
    """Clump of each point, found by comparing all pairs; numbered by first appearance."""
    x, y = perpendicular_positions(batch, load_detector(batch.detector))
    radius = np.hypot(x, y)
    label = list(range(len(x)))
    for i in range(len(x)):
        for k in range(i):
            reach = linking.growth * min(radius[i], radius[k])
            reach = min(max(reach, linking.least_mm), linking.most_mm)
            is_together = batch.shower_index[i] == batch.shower_index[k]
            is_together &= batch.layer[i] == batch.layer[k]
            if is_together and np.hypot(x[i] - x[k], y[i] - y[k]) <= reach:
                label = [label[i] if one == label[k] else one for one in label]
    return first_appearance(label)


def first_appearance(label):
    seen = {}
    return [seen.setdefault(one, len(seen)) for one in label]


@given(showers(), st.sampled_from([Linking(), Linking(least_mm=30, most_mm=60)]))
def test_clumps_are_the_connected_components_of_close_pairs(batch, linking):
    clumps = link_clumps(batch, linking)
    assert first_appearance(clumps.of_point.tolist()) == linked_by_pairs(batch, linking)


@given(showers())
def test_clumps_keep_the_energy_of_each_layer(batch):
    clumps = link_clumps(batch)
    row = batch.shower_index * 30 + batch.layer
    expected = np.bincount(row, batch.energy, 30 * len(batch))
    found = np.bincount(clumps.shower * 30 + clumps.layer, clumps.energy, 30 * len(batch))
    np.testing.assert_allclose(found, expected)


@given(showers())
def test_clumps_come_in_the_order_of_showers_and_layers(batch):
    clumps = link_clumps(batch)
    row = clumps.shower * 30 + clumps.layer
    assert np.all(np.diff(row) >= 0)
    assert np.array_equal(row[clumps.of_point], batch.shower_index * 30 + batch.layer)


def points_at(x, layer=0):
    return Showers(
        offsets=[0, len(x)],
        x=x,
        y=np.zeros(len(x)),
        layer=np.full(len(x), layer),
        energy=np.ones(len(x)),
        incident=Incident(10, (0, 0, 1)),
        representation="x25",
        detector="ild_siecal_regular",
    )


def test_deposits_link_farther_away_from_the_axis_but_not_without_limit():
    near, far, farthest = ([r, r + gap] for r, gap in ((20, 2.5), (40, 4.7), (200, 6.1)))
    assert len(link_clumps(points_at(near)).x) == 2
    assert len(link_clumps(points_at(far)).x) == 1
    assert len(link_clumps(points_at(farthest)).x) == 2


def test_a_chain_of_deposits_is_one_clump_however_long():
    chain = points_at(np.arange(11, 400))
    assert len(link_clumps(chain).x) == 1


def test_deposits_near_the_axis_link_where_they_touch():
    assert len(link_clumps(points_at([0.1, 0.5, 4.9])).x) == 3
    assert len(link_clumps(points_at([0.1, 0.4, 4.9])).x) == 2


def test_linking_distances_in_the_wrong_order_are_refused():
    with pytest.raises(ValidationError, match="least_mm must not be above most_mm"):
        Linking(least_mm=3, most_mm=2)
