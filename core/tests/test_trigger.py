"""The cuts of the trigger, and primaries drawn behind it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from placement_kinds import BARREL, ENDCAP, ILD, KINDS

from calozoo_core.detector import load_detector
from calozoo_core.detector_description import Endcap
from calozoo_core.errors import DetectorError, InputError
from calozoo_core.placement import Trigger

BARREL_TRIGGER = Trigger.of(replace(ILD, endcap=None))
ENDCAP_TRIGGER = Trigger.of(replace(ILD, barrel=None))


def line(theta_deg, phi_deg):
    theta, phi = np.radians(theta_deg), np.radians(phi_deg)
    theta, phi = np.broadcast_arrays(theta, phi)
    return np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], -1)


@given(k=st.integers(0, 7), theta=st.floats(41, 139))
def test_the_barrel_vetoes_eight_windows_of_azimuth(k, theta):
    edge = 22.5 + 45 * k
    azimuth = [edge - 0.0101, edge - 0.0099, edge, edge + 7.9999, edge + 8.0001]
    taken = BARREL_TRIGGER.aims(line(theta, np.array(azimuth)))
    assert taken.tolist() == [True, False, False, False, True]


def test_the_barrel_takes_82_percent_of_azimuth():
    azimuth = np.arange(0, 360, 0.01)
    assert BARREL_TRIGGER.aims(line(90, azimuth)).mean() == pytest.approx(1 - 8.01 / 45, abs=1e-3)


def test_the_barrel_takes_polar_angles_from_40_to_140_degrees():
    theta = np.array([39.999, 40.001, 139.999, 140.001])
    assert BARREL_TRIGGER.aims(line(theta, 0)).tolist() == [False, True, True, False]


def test_the_endcaps_take_polar_angles_up_to_33_degrees_from_the_beam():
    theta = np.array([32.999, 33.001, 90, 146.999, 147.001])
    assert ENDCAP_TRIGGER.aims(line(theta, 100)).tolist() == [True, False, False, False, True]


def test_a_detector_with_both_takes_what_either_takes():
    theta, phi = np.meshgrid(np.arange(0.5, 180), np.arange(0.5, 360))
    lines = line(theta.ravel(), phi.ravel())
    either = BARREL_TRIGGER.aims(lines) | ENDCAP_TRIGGER.aims(lines)
    np.testing.assert_array_equal(Trigger.of(ILD).aims(lines), either)


def test_every_line_that_is_taken_stays_in_one_stave_to_the_last_layer():
    azimuth = np.arange(0, 360, 0.005)
    lines = line(90, azimuth)
    lines = lines[BARREL_TRIGGER.aims(lines)]
    entry = BARREL.enter(lines)
    stave = BARREL.part_at_face(entry)
    for depth in np.arange(0.2, 206, 5.0):
        there = entry * (1804.7 + depth) / 1804.7
        np.testing.assert_array_equal(BARREL.part_of(there), stave)


def test_a_line_in_the_middle_of_a_window_crosses_into_the_next_stave():
    lines = line(90, 22.5 + 3.5 + 45 * np.arange(8))
    entry = BARREL.enter(lines)
    behind = BARREL.part_of(entry * (1804.7 + 206) / 1804.7)
    np.testing.assert_array_equal(behind, (BARREL.part_at_face(entry) - 1) % 8)


def test_particles_of_the_wrong_kind_or_energy_are_left_to_full_simulation():
    up = line(90, np.array([90, 90, 90]))
    trigger = replace(BARREL_TRIGGER, particles=("gamma", "e-"), least_energy_gev=10.0)
    assert trigger.accepts(up, [9.99, 10, 500]).tolist() == [False, True, True]
    assert trigger.accepts(up, 10, "e-").all()
    assert not trigger.accepts(up, 10, "pi-").any()
    assert BARREL_TRIGGER.accepts(up[0], 5).tolist() == [True]


@pytest.mark.parametrize(
    ("momentum", "energy", "why"),
    [([[0, 1]], 5, "must be three numbers"), ([[0, 1, 0]] * 2, [5, 6, 7], "as many energies")],
)
def test_a_request_that_does_not_fit_together_is_refused(momentum, energy, why):
    with pytest.raises(InputError, match=why):
        BARREL_TRIGGER.accepts(momentum, energy)


@pytest.mark.parametrize("name", ["ild_siecal_regular", "par04_siw"])
def test_a_plain_shape_takes_every_angle(name):
    assert Trigger.of(load_detector(name)).aims(np.random.default_rng(1).normal(size=(9, 3))).all()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_drawn_primaries_hit_the_face_and_pass_the_trigger(kind):
    position, momentum = kind.draw(100, seed=3)
    kind.check(position)
    assert Trigger.of(kind.detector).aims(momentum).all()
    np.testing.assert_allclose(np.linalg.norm(momentum, axis=1), 1)
    assert np.all(kind.local_direction(position, momentum)[:, 2] > 0)


@pytest.mark.parametrize("kind", [BARREL, ENDCAP, KINDS["cylinder"]])
def test_drawn_primaries_come_from_the_interaction_point(kind):
    position, momentum = kind.draw(50, seed=3)
    np.testing.assert_allclose(np.cross(position, momentum), 0, atol=1e-9)


@pytest.mark.parametrize("kind", [BARREL, KINDS["slab"], KINDS["barrel and endcaps"]])
def test_a_drawn_primary_depends_on_the_seed_and_its_number_alone(kind):
    position, momentum = kind.draw(40, seed=3)
    later = kind.draw(15, seed=3, first=25)
    np.testing.assert_array_equal(later[0], position[25:])
    np.testing.assert_array_equal(later[1], momentum[25:])
    assert not np.any(np.all(kind.draw(40, seed=4)[0] == position, axis=1))


def test_drawn_lines_are_isotropic_behind_the_trigger():
    _, momentum = BARREL.draw(4000, seed=5)
    cos = momentum[:, 2] / np.cos(np.radians(40))
    histogram, _ = np.histogram(cos, bins=8, range=(-1, 1))
    assert np.all(np.abs(histogram - 500) < 5 * np.sqrt(500))
    staves = np.bincount(BARREL.part_at_face(momentum), minlength=8)
    assert np.all(np.abs(staves - 500) < 5 * np.sqrt(500))


def test_drawn_positions_of_a_slab_fill_one_cell():
    position, momentum = KINDS["slab"].draw(2000, seed=5)
    assert np.all(momentum == [0, 0, 1])
    place = position[:, :2] / ILD.cell_mm
    assert np.all((place >= 0) & (place < 1))
    np.testing.assert_allclose(place.mean(axis=0), 0.5, atol=0.04)
    np.testing.assert_allclose(place.std(axis=0), np.sqrt(1 / 12), atol=0.02)


def test_no_primaries_are_nothing():
    position, momentum = BARREL.draw(0, seed=1)
    assert position.shape == momentum.shape == (0, 3)


def test_a_trigger_that_never_accepts_ends_with_an_error(monkeypatch):
    far = Endcap(
        face_mm=2411.7,
        inner_radius_mm=2000,
        outer_radius_mm=2095,
        modules=1,
        towers_per_module=1,
        lateral_mm=0,
    )
    placement = type(ENDCAP)(replace(ILD, barrel=None, endcap=far, wafers=None))
    monkeypatch.setattr("calozoo_core.placement.base._MOST_ROUNDS", 5)
    with pytest.raises(DetectorError, match="takes next to no line that hits ild_siecal"):
        placement.draw(2, seed=1)
