from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from shower_strategies import showers

from calozoo_core.clumps import fill, load_table, neighbour_fractions, voxel_energies
from calozoo_core.clumps.two_point import neighbour_distances
from calozoo_core.detector import load_detector
from calozoo_core.observables import merged_cells
from calozoo_core.random import stream


@given(showers())
def test_nearest_neighbours_are_those_that_a_comparison_of_all_pairs_finds(batch):
    found = neighbour_distances(batch, most_mm=100)
    row = batch.shower_index * 30 + batch.layer
    x, y = batch.x.astype(float), batch.y.astype(float)
    apart = np.hypot(x[:, None] - x, y[:, None] - y)
    apart[(row[:, None] != row) | np.eye(len(row), dtype=bool)] = np.inf
    nearest = apart.min(axis=1, initial=np.inf)
    np.testing.assert_allclose(found, np.where(nearest <= 100, nearest, np.inf))


@given(showers())
def test_fractions_are_fractions_and_grow_with_the_distance(batch):
    fractions = neighbour_fractions(batch, (1.0, 20.0), (0, 50, 1000))
    there = fractions[:, ~np.isnan(fractions[0])]
    assert np.all((there >= 0) & (there <= 1))
    assert np.all(there[1] >= there[0])


@pytest.fixture(scope="module")
def filled(geant4_showers):
    table = load_table(geant4_showers.detector)
    energies = voxel_energies(geant4_showers, table.config.mesh)
    streams = [stream(1, i, "clumps") for i in range(len(geant4_showers))]
    return fill(energies, geant4_showers.incident, table, streams)


def test_filled_points_have_as_many_neighbours_as_geant4s_at_every_radius(filled, geant4_showers):
    found, expected = (neighbour_fractions(one[:200]) for one in (filled, geant4_showers))
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_filled_showers_have_as_many_cells_and_points_as_geant4s(filled, geant4_showers):
    detector = load_detector(filled.detector)
    found, expected = (merged_cells(one, detector) for one in (filled, geant4_showers))
    energy = geant4_showers.incident.energy
    for low, high in ((1, 20), (20, 60), (60, 100), (100, 128)):
        chosen = (energy >= low) & (energy < high)
        ratio = found.occupancy[chosen].sum() / expected.occupancy[chosen].sum()
        assert ratio == pytest.approx(1, abs=0.02), (low, high)
    assert filled.n_points.sum() / geant4_showers.n_points.sum() == pytest.approx(1, abs=0.015)


def test_filled_showers_have_the_energy_and_the_centre_of_geant4s(filled, geant4_showers):
    detector = load_detector(filled.detector)
    found, expected = (merged_cells(one, detector) for one in (filled, geant4_showers))
    ratio = filled.visible_energy / geant4_showers.visible_energy
    assert ratio.mean() == pytest.approx(1, abs=0.003)
    assert ratio.std() < 0.02
    for one, other in ((found.centre_x, expected.centre_x), (found.centre_y, expected.centre_y)):
        # The middle 68 %: few showers with one deposit far out decide the standard deviation.
        width, true_width = (np.diff(np.quantile(v, (0.16, 0.84))) for v in (one, other))
        assert width / true_width == pytest.approx(1, abs=0.08)
        assert np.corrcoef(one, other)[0, 1] > 0.9
