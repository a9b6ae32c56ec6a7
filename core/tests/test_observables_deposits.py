"""Points and cells about the axis: showers of one and two cells by hand, and cells by placement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from shower_strategies import showers

from calozoo_core.detector import load_detector
from calozoo_core.errors import DetectorError, InputError
from calozoo_core.incident import Incident
from calozoo_core.observables import merged_cells, placed_cells, points
from calozoo_core.placement import load_placement
from calozoo_core.representation import Representation, grid_offsets
from calozoo_core.showers import Showers

ILD = load_detector("ild_siecal_regular")
CELL = ILD.cell_mm


def shower(x, y, layer, energy, direction=(0, 0, 1)):
    return Showers(
        offsets=[0, len(x)],
        x=x,
        y=y,
        layer=layer,
        energy=energy,
        incident=Incident(10, direction),
        representation="x25",
        detector=ILD.name,
    )


def test_a_shower_of_two_points_by_hand():
    two = points(shower([3, 0], [4, -1], [2, 5], [3.0, 1.0]), ILD)
    assert two.radius.tolist() == [5, 1]
    assert two.occupancy.tolist() == [2]
    assert two.visible_energy.tolist() == [4]
    assert two.response == pytest.approx([0.4])
    assert two.centre_x == pytest.approx([2.25])
    assert two.centre_y == pytest.approx([2.75])
    assert two.centre_z == pytest.approx([(3 * 2.5 + 5.5) / 4])


def test_a_slanted_axis_is_nearer_across_than_within_the_layer():
    # 60 degrees in the plane of x' and z': 10 mm along x' are 5 mm across, 10 mm along y' are 10.
    direction = (np.sin(np.pi / 3), 0, 0.5)
    at = ILD.layer_depth_mm[4] * np.tan(np.pi / 3)
    two = points(shower([at + 10, at], [0, 10], [4, 4], [1, 1], direction), ILD)
    assert two.radius == pytest.approx([10, 10], abs=1e-4)
    assert two.distance == pytest.approx([5, 10], abs=1e-4)


def test_two_points_in_a_cell_are_one_cell_at_its_middle():
    shift = grid_offsets(1, CELL, seed=3)[0]
    middle = shift + CELL * np.array([4.5, -1.5])
    x, y = middle[0] + [1.0, -2.0], middle[1] + [2.0, 0.0]
    cells = merged_cells(shower(x, y, [7, 7], [0.25, 0.5]), ILD, seed=3)
    assert cells.energy.tolist() == [0.75]
    assert cells.dx == pytest.approx([middle[0]], abs=1e-5)
    assert cells.dy == pytest.approx([middle[1]], abs=1e-5)


def test_cells_below_half_a_mip_are_left_out():
    three = shower([0, 50, 100], [0, 0, 0], [7, 7, 7], [0.099, 0.1, 0.101])
    cells = merged_cells(three, ILD)
    assert cells.energy == pytest.approx([0.1, 0.101])
    assert cells.occupancy.tolist() == [2]
    assert merged_cells(three, ILD, threshold_mev=0).occupancy.tolist() == [3]


@given(showers())
def test_merged_cells_have_the_energies_of_representation_x1(batch):
    cells = merged_cells(batch, ILD, threshold_mev=0, seed=5, first=11)
    x1 = Representation.named("x1", CELL)(batch, seed=5, first=11)
    np.testing.assert_array_equal(cells.offsets, x1.offsets)
    np.testing.assert_array_equal(cells.layer, x1.layer)
    np.testing.assert_allclose(cells.energy, x1.energy, rtol=1e-6)


@given(showers())
def test_cells_of_a_sample_do_not_depend_on_where_it_is_cut(batch):
    whole = merged_cells(batch, ILD, seed=1)
    parts = [merged_cells(batch[i : i + 1], ILD, seed=1, first=i) for i in range(len(batch))]
    for name in ("dx", "dy", "energy"):
        parted = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_allclose(parted, getattr(whole, name), rtol=1e-12)


def test_whole_cells_fall_onto_a_grid_of_their_own_and_stay_as_many():
    middles = np.arange(20) * CELL
    x1 = replace(shower(middles, 2 * middles, [3] * 20, np.ones(20)), representation="x1")
    cells = merged_cells(x1, ILD, seed=1)
    assert cells.occupancy.tolist() == [20]
    shifts = np.sort(cells.dx) - middles
    assert np.ptp(shifts) < 1e-5
    assert np.abs(shifts).max() <= CELL / 2 + 1e-5


def test_an_empty_shower_has_no_energy_and_no_centre():
    none = points(shower([], [], [], []), ILD)
    assert none.occupancy.tolist() == none.visible_energy.tolist() == none.response.tolist() == [0]
    assert np.isnan([none.centre_x, none.centre_y, none.centre_z]).all()
    assert np.isnan(none.residuals_100.angle).all()
    assert len(merged_cells(shower([], [], [], []), ILD).energy) == 0


def test_points_without_energy_are_none():
    assert points(shower([1, 2], [0, 0], [0, 0], [0, 0.5]), ILD).occupancy.tolist() == [1]


@pytest.mark.parametrize("look", [points, merged_cells])
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"energy": [np.nan]}, "nan MeV is no measurement"),
        ({"energy": [np.inf]}, "inf MeV is no measurement"),
        ({"energy": [-1]}, "-1 MeV is no measurement"),
        ({"x": [np.nan]}, "nan mm, in no calorimeter"),
        ({"y": [1e30]}, "1e\\+30 mm, in no calorimeter"),
    ],
)
def test_values_that_are_no_measurement_are_refused(look, wrong, sentence):
    one = {"x": [0], "y": [0], "layer": [1], "energy": [1.0]}
    with pytest.raises(InputError, match=sentence):
        look(shower(**one | wrong), ILD)


@pytest.mark.parametrize("look", [points, merged_cells])
def test_a_layer_behind_the_last_is_refused_in_points_and_cells(look):
    with pytest.raises(DetectorError, match="layer 30, and ild_siecal_regular has layers 0 to 29"):
        look(shower([0], [0], [30], [1.0]), ILD)


class TestPlaced:
    """Cells that a placement made, seen from the axis again."""

    placement = load_placement("ild_siecal")

    def on_axes(self, n):
        """Showers of a point a layer, on their axes."""
        position, momentum = self.placement.draw(n, seed=4)
        direction = self.placement.local_direction(position, momentum)
        slope = direction[:, :2] / direction[:, 2:]
        depth = np.tile(ILD.layer_depth_mm, n)
        return Showers(
            offsets=np.arange(n + 1) * 30,
            x=depth * np.repeat(slope[:, 0], 30),
            y=depth * np.repeat(slope[:, 1], 30),
            layer=np.tile(np.arange(30), n),
            energy=np.ones(30 * n),
            incident=Incident(np.full(n, 10.0), direction, position=position),
            representation="steps",
            detector=ILD.name,
        )

    def test_hits_of_points_on_the_axis_are_less_than_a_cell_away_from_it(self):
        batch = self.on_axes(40)
        cells = placed_cells(self.placement.place(batch), batch.incident, self.placement)
        assert len(cells.energy) > 800
        assert np.abs(cells.dx).max() <= CELL / 2 + 0.01
        assert np.abs(cells.dy).max() <= CELL / 2 + 0.01

    def test_hits_without_positions_or_of_other_showers_are_refused(self):
        batch = self.on_axes(3)
        hits = self.placement.place(batch)
        nowhere = Incident(batch.incident.energy, batch.incident.direction)
        with pytest.raises(InputError, match="give their position"):
            placed_cells(hits, nowhere, self.placement)
        with pytest.raises(InputError, match="Hits of 3 showers do not go with 2 primaries"):
            placed_cells(hits, batch.incident[:2], self.placement)
