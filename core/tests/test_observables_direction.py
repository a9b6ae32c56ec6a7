"""The direction of a shower by itself: lines of cells, weights, and showers that have none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calozoo_core.observables import angular_residuals, principal_axes

angles = st.floats(-1.2, 1.2)


def unit(phi, theta_from_normal=0.0):
    """A direction into the calorimeter from its azimuth about x' and its slope along x'."""
    vector = np.array([np.tan(theta_from_normal), np.sin(phi), np.cos(phi)])
    return vector / np.linalg.norm(vector)


def line(direction, n=12):
    """Cells along a direction."""
    return np.linspace(5, 200, n)[:, None] * direction + [20.0, -7.0, 0.0]


@given(angles, angles)
def test_a_line_of_cells_points_in_its_direction(phi, theta):
    direction = unit(phi, theta)
    axis = principal_axes(np.array([0, 12]), line(direction), np.linspace(1, 3, 12))
    np.testing.assert_allclose(axis, [direction], atol=1e-9)


@given(angles, angles, angles, angles)
def test_residuals_are_differences_of_azimuth_and_polar_angle(phi, theta, true_phi, true_theta):
    axis, true = unit(phi, theta), unit(true_phi, true_theta)
    found = angular_residuals(np.array([0, 12]), line(axis), np.ones(12), true[None])
    assert found.phi == pytest.approx([np.degrees(phi - true_phi)], abs=1e-5)
    # The polar axis is x': what lies along it has polar angle 0.
    polar = [np.arccos(direction[0]) for direction in (axis, true)]
    assert found.theta == pytest.approx([np.degrees(polar[0] - polar[1])], abs=1e-5)
    assert found.angle == pytest.approx([np.degrees(np.arccos(min(1, axis @ true)))], abs=1e-3)


def test_a_deposit_weighs_as_much_as_its_energy():
    # A cross of two bars, one along z' and one along x', equally long.
    bars = np.array([[0, 0, 10], [0, 0, 30], [-10, 0, 20], [10, 0, 20]])
    along_z = principal_axes(np.array([0, 4]), bars, np.array([2.0, 2, 1, 1]))
    along_x = principal_axes(np.array([0, 4]), bars, np.array([1.0, 1, 2, 2]))
    np.testing.assert_allclose(np.abs(along_z), [[0, 0, 1]], atol=1e-12)
    np.testing.assert_allclose(np.abs(along_x), [[1, 0, 0]], atol=1e-12)


def test_four_percent_of_the_hits_leave_a_halo_out():
    rng = np.random.default_rng(1)
    core, halo = line(unit(0.2), 8), rng.uniform(-300, 300, (192, 3))
    position = np.concatenate([core, halo])
    energy = np.concatenate([np.full(8, 5.0), rng.uniform(0.1, 4, 192)])
    shuffled = rng.permutation(200)
    offsets = np.array([0, 200])
    best = principal_axes(offsets, position[shuffled], energy[shuffled], share=0.04)
    np.testing.assert_allclose(best, [unit(0.2)], atol=1e-9)
    every = principal_axes(offsets, position[shuffled], energy[shuffled])
    assert np.abs(every - unit(0.2)).max() > 0.1


@pytest.mark.parametrize(("n", "expected"), [(25, 1), (26, 2), (175, 7), (176, 8)])
def test_a_share_of_hits_is_rounded_up_and_not_by_a_rounding_error(n, expected):
    # Hits on a line but for hit number `expected`, by energy, which would turn the axis.
    position = line(unit(0.0), n)
    energy = np.linspace(9, 1, n)
    position[expected] += [50.0, 0, 0]
    axis = principal_axes(np.array([0, n]), position, energy, share=0.04)
    if expected == 1:
        assert np.isnan(axis).all()  # a single hit has no direction
    else:
        np.testing.assert_allclose(axis, [[0, 0, 1]], atol=1e-9)


def test_showers_without_two_places_have_no_axis_and_their_neighbours_do():
    position = np.concatenate([line(unit(0.1), 3), [[1.0, 2, 3]], [[4.0, 5, 6]] * 2])
    offsets = np.array([0, 0, 3, 4, 6])
    axes = principal_axes(offsets, position, np.ones(6))
    assert np.isnan(axes[[0, 2, 3]]).all()
    np.testing.assert_allclose(axes[1], unit(0.1), atol=1e-9)
