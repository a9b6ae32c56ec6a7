from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from shower_strategies import showers

from calozoo_core.detector import load_detector
from calozoo_core.frames import axis_offsets, perpendicular_positions, perpendicular_to_local


@given(st.floats(0, 60), st.floats(0, 360))
def test_a_slanted_shower_is_longer_along_its_slant_and_not_across(theta, phi):
    t, p = np.radians([theta, phi])
    direction = np.array([[np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)]])
    (matrix,) = perpendicular_to_local(direction)
    along, across = np.array([np.cos(p), np.sin(p)]), np.array([-np.sin(p), np.cos(p)])
    np.testing.assert_allclose(matrix @ along, along / np.cos(t), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(matrix @ across, across, rtol=1e-9, atol=1e-9)


@given(showers())
def test_positions_at_right_angles_to_the_axis_lead_back_to_the_layer(batch):
    detector = load_detector(batch.detector)
    x, y = perpendicular_positions(batch, detector)
    matrix = perpendicular_to_local(batch.incident.direction)[batch.shower_index]
    dx, dy = axis_offsets(batch, detector)
    back = np.einsum("pij,jp->ip", matrix, np.stack([x, y])) + np.stack([dx, dy])
    np.testing.assert_allclose(back, np.stack([batch.x, batch.y]), rtol=1e-4, atol=1e-3)
