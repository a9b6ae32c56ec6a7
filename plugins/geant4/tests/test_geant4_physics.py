"""Showers are what electromagnetic showers in this calorimeter are."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo_core.detector import load_detector
from calozoo_core.incident import Incident


@pytest.fixture(scope="module", name="showers")
def _showers(geant4):
    """Forty photons of 1 GeV, straight in."""
    return geant4.generate(energy=1.0, n=40, seed=3)


def test_visible_energy_is_that_of_the_sampling_fraction(showers):
    fraction = showers.visible_energy / 1000
    error = fraction.std() / np.sqrt(len(fraction))
    assert error < 0.001
    # 2.45 % at 5 GeV, where all of the shower is in the thin tungsten; 2.26 % at 50 GeV.
    assert abs(fraction.mean() - 0.0245) < 3 * error + 0.0003


def test_points_lie_in_the_layers_in_order_of_the_stack(showers):
    assert showers.layer.max() < load_detector("ild_siecal_regular").n_layers
    energy = np.bincount(showers.layer, weights=showers.energy, minlength=30)
    assert 3 < np.argmax(energy[:-1] + energy[1:]) < 9
    assert energy[0] < 0.3 * energy.max()
    assert energy[-1] < 0.1 * energy.max()


def test_no_step_is_earlier_than_light_could_be(showers):
    depth = load_detector("ild_siecal_regular").layer_depth_mm[showers.layer] - 0.27
    distance = np.sqrt(depth**2 + showers.x.astype(float) ** 2 + showers.y.astype(float) ** 2)
    assert np.all(showers.time > (distance - 0.1) / 299.792458 - 1e-4)


def test_deposits_peak_at_a_minimum_ionising_particle(showers):
    counts, edges = np.histogram(showers.energy, bins=np.arange(0.1, 0.5, 0.02))
    assert 0.12 < edges[np.argmax(counts)] < 0.26


def test_photons_have_no_side_along_the_field_axis(showers):
    centre = [np.average(s.x, weights=s.energy) for s in _one_by_one(showers)]
    assert abs(np.mean(centre)) < 4 * np.std(centre) / np.sqrt(40)


def test_field_bends_electrons_and_positrons_to_opposite_sides(geant4):
    def mean_y(particle):
        incident = Incident(np.full(60, 0.2), (0, 0, 1), particle)
        showers = geant4.generate(incident, seed=5)
        centres = [np.average(s.y, weights=s.energy) for s in _one_by_one(showers)]
        return np.mean(centres), np.std(centres) / np.sqrt(60)

    (positron, error), (electron, other_error) = mean_y("e+"), mean_y("e-")
    # F = q v x B: along z' in a field along x', a positive charge goes to +y'.
    assert positron > 0 > electron
    assert positron - electron > 3 * np.hypot(error, other_error)


def test_electrons_shower_earlier_than_photons(geant4, showers):
    electrons = geant4.generate(Incident(np.full(40, 1.0), (0, 0, 1), "e-"), seed=3)
    depth = [np.average(s.layer, weights=s.energy) for s in (electrons, showers)]
    assert depth[0] < depth[1] - 0.5


def test_slanted_shower_lies_along_its_direction(geant4):
    direction = np.array([0.5, 0.3, 0.8])
    showers = geant4.generate(energy=2.0, direction=direction, n=15, seed=1)
    depth = load_detector("ild_siecal_regular").layer_depth_mm[showers.layer]
    for axis, points in enumerate((showers.x, showers.y)):
        slope = np.sum(showers.energy * depth * points) / np.sum(showers.energy * depth**2)
        assert slope == pytest.approx(direction[axis] / direction[2], abs=0.05)


def _one_by_one(showers):
    return (showers[i : i + 1] for i in range(len(showers)) if showers.n_points[i])
