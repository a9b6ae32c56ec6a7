"""Profiles of a sample: every deposit is counted once, where it belongs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from shower_strategies import showers

from calozoo_core.detector import load_detector
from calozoo_core.errors import DetectorError
from calozoo_core.frames import axis_offsets
from calozoo_core.incident import Incident
from calozoo_core.observables import ENERGY_EDGES_MEV, RADIUS_EDGES_MM, divergences, profiles
from calozoo_core.showers import Showers

ILD = load_detector("ild_siecal_regular")


def on_axis(direction, n_layers=30):
    """One deposit a layer, where the direction crosses its middle."""
    slope = np.divide(direction[:2], direction[2])
    return Showers(
        offsets=[0, n_layers],
        x=ILD.layer_depth_mm[:n_layers] * slope[0],
        y=ILD.layer_depth_mm[:n_layers] * slope[1],
        layer=np.arange(n_layers),
        energy=np.full(n_layers, 0.25),
        incident=Incident(10, direction),
        representation="x25",
        detector=ILD.name,
    )


@given(showers())
def test_profiles_are_histograms_of_the_points(batch):
    sums = profiles([batch], ILD)
    dx, dy = axis_offsets(batch, ILD)
    radius, energy = np.hypot(batch.x - dx, batch.y - dy), batch.energy
    layers = np.arange(31)
    expected = {
        "layer_energy": np.histogram(batch.layer, layers, weights=energy)[0],
        "layer_count": np.histogram(batch.layer, layers)[0],
        "radius_energy": np.histogram(radius, RADIUS_EDGES_MM, weights=energy)[0],
        "radius_count": np.histogram(radius, RADIUS_EDGES_MM)[0],
        "energy_count": np.histogram(energy, ENERGY_EDGES_MEV)[0],
    }
    for name, counts in expected.items():
        np.testing.assert_allclose(getattr(sums, name), counts, err_msg=name)


@given(showers())
def test_a_sample_may_come_in_batches_of_any_size(batch):
    whole, parts = profiles([batch], ILD), profiles((batch[i : i + 1] for i in range(9)), ILD)
    for name in ("layer_energy", "radius_count", "energy_count", "n_points"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name))
    np.testing.assert_allclose(parts.visible_energy, batch.visible_energy, atol=1e-9)


def test_the_axis_runs_along_the_incident_direction():
    # 12.2813 mm is what the published code finds for layer 1 at 60 and 45 degrees.
    theta, phi = np.radians(60), np.radians(45)
    direction = (np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta))
    dx, dy = axis_offsets(on_axis(direction), ILD)
    assert dx[1] == pytest.approx(12.2813, abs=1e-3)
    assert dy[1] == pytest.approx(12.2813, abs=1e-3)


@pytest.mark.parametrize("direction", [(0, 0, 1), (0.5, 0, 0.8), (-0.3, 0.7, 0.6)])
def test_a_shower_on_its_axis_has_no_radius(direction):
    sums = profiles([on_axis(direction)], ILD)
    assert sums.radius_count[0] == 30
    assert sums.radius_energy[0] == pytest.approx(7.5)


def test_a_sample_is_at_no_distance_from_itself():
    sums = profiles([on_axis((0, 0, 1))], ILD)
    assert set(divergences(sums, sums).values()) == {0.0}


def test_a_layer_behind_the_last_is_refused():
    batch = replace(on_axis((0, 0, 1)), layer=np.full(30, 30))
    with pytest.raises(DetectorError, match="layer 30, and ild_siecal_regular has layers 0 to 29"):
        profiles([batch], ILD)
