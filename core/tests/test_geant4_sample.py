"""What photon showers in the ILD calorimeter look like, on a Geant4 sample."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo_core.detector import load_detector
from calozoo_core.frames import axis_offsets
from calozoo_core.io import ShowerFile
from calozoo_core.observables import profiles
from calozoo_core.representation import Representation

ILD = load_detector("ild_siecal_regular")


def centre_of_gravity(showers):
    """Energy-weighted mean distance of each shower to its axis along x' and y', in mm."""
    dx, dy = axis_offsets(showers, ILD)
    sums = [
        np.bincount(showers.shower_index, showers.energy * offset, minlength=len(showers))
        for offset in (showers.x - dx, showers.y - dy)
    ]
    return [total / showers.visible_energy for total in sums]


def test_the_sample_is_read_in_batches_as_at_once(geant4_files, geant4_showers):
    with ShowerFile(geant4_files[0]) as file:
        assert file.seed.startswith("0")
        assert "geant4" in file.generator
        part = next(iter(file.batches(64)))
    np.testing.assert_array_equal(part.x, geant4_showers[:64].x)


def test_visible_energy_is_2_29_percent_at_normal_incidence(geant4_showers):
    incident = geant4_showers.incident
    steep = incident.theta < 15
    fraction = geant4_showers.visible_energy[steep] / (1e3 * incident.energy[steep])
    error = fraction.std() / np.sqrt(steep.sum())
    assert fraction.mean() == pytest.approx(0.0229, abs=5 * error)
    assert error < 0.0003


def test_energetic_showers_reach_the_thick_absorbers_and_show_a_little_less(geant4_showers):
    energy = geant4_showers.incident.energy
    fraction = geant4_showers.visible_energy / (1e3 * energy)
    low, high = fraction[energy < 40], fraction[energy > 80]
    error = np.hypot(low.std() / np.sqrt(len(low)), high.std() / np.sqrt(len(high)))
    assert 3 * error < low.mean() - high.mean() < 0.1 * low.mean()


def test_showers_are_mirror_symmetric_along_the_field_and_not_across_it(geant4_showers):
    along, across = centre_of_gravity(geant4_showers)
    n = len(geant4_showers)
    assert abs(along.mean()) < 5 * along.std() / np.sqrt(n)
    # Matter holds more electrons than positrons, and the field bends them one way.
    assert across.mean() == pytest.approx(-0.244, abs=5 * across.std() / np.sqrt(n))
    assert across.mean() < -4 * across.std() / np.sqrt(n)


def test_layers_zigzag_since_only_odd_ones_lie_close_behind_tungsten(geant4_showers):
    layers = profiles([geant4_showers], ILD).layer_energy
    odd = np.arange(5, 20, 2)
    assert np.all(layers[odd] > (layers[odd - 1] + layers[odd + 1]) / 2)


def test_the_energy_of_points_peaks_where_a_minimum_ionising_particle_deposits(geant4_showers):
    steep = geant4_showers.incident.theta[geant4_showers.shower_index] < 20
    counts, edges = np.histogram(
        np.log10(geant4_showers.energy[steep]), bins=100, range=(-1.5, 0.5)
    )
    peak = 10 ** edges[np.argmax(counts) : np.argmax(counts) + 2].mean()
    assert peak == pytest.approx(0.204, rel=0.08)


@pytest.mark.parametrize("name", ["x9", "x1"])
def test_merging_real_showers_keeps_energy_and_layers(geant4_showers, name):
    batch = geant4_showers[:100]
    merged = Representation.named(name, ILD.cell_mm)(batch, seed=1)
    np.testing.assert_allclose(merged.visible_energy, batch.visible_energy, rtol=1e-6)
    assert np.all(merged.n_points < batch.n_points)
    before, after = profiles([batch], ILD), profiles([merged], ILD)
    np.testing.assert_allclose(after.layer_energy, before.layer_energy, rtol=1e-6)


def test_each_grid_is_another_reading_of_the_same_shower(geant4_showers):
    x1 = Representation.named("x1", ILD.cell_mm)
    one, other = (x1(geant4_showers[:50], seed=seed) for seed in (1, 2))
    assert not np.array_equal(one.n_points, other.n_points)
    assert one.n_points.mean() == pytest.approx(other.n_points.mean(), rel=0.03)
