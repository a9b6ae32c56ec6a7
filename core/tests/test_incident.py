"""Primaries: what is accepted, what is refused, and that nothing else happens to them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from shower_strategies import incidents

from calozoo_core.errors import InputError
from calozoo_core.incident import Incident


@given(incidents())
def test_directions_are_unit_vectors_into_the_calorimeter(incident):
    norms = np.linalg.norm(incident.direction.astype(np.float64), axis=1)
    np.testing.assert_allclose(norms, 1, atol=2e-7)
    assert np.all(incident.direction[:, 2] > 0)


@given(incidents())
def test_an_incident_made_from_an_incident_is_the_same_to_the_last_bit(incident):
    again = Incident(incident.energy, incident.direction)
    np.testing.assert_array_equal(again.direction, incident.direction)
    np.testing.assert_array_equal(again.energy, incident.energy)


@given(st.floats(1e-3, 1e3), npst.arrays(np.float64, 3, elements=st.floats(0.1, 10)))
def test_the_length_of_a_direction_does_not_matter(scale, direction):
    one, other = Incident(1, direction), Incident(1, direction * scale)
    np.testing.assert_allclose(one.direction, other.direction, atol=2e-7)


@given(npst.arrays(np.float64, st.integers(0, 4)), npst.arrays(np.float64, (2, 3)))
def test_any_numbers_make_an_incident_or_one_clear_refusal(energy, direction):
    try:
        incident = Incident(energy, direction)
    except InputError:
        return
    assert np.all(np.isfinite(incident.energy) & (incident.energy > 0))
    assert np.all(np.isfinite(incident.direction))
    assert np.all(incident.direction[:, 2] > 0)


@given(incidents(), st.integers(1, 7))
def test_batches_hold_every_primary_once_and_in_order(incident, size):
    parts = list(incident.batches(size))
    assert [first for first, _ in parts] == list(range(0, len(incident), size))
    energies = np.concatenate([part.energy for _, part in parts])
    np.testing.assert_array_equal(energies, incident.energy)


def test_one_direction_serves_many_energies_and_one_energy_many_directions():
    assert len(Incident([1, 2, 3], (0, 0, 1))) == 3
    assert len(Incident(5, [(0, 0, 1), (1, 0, 1)])) == 2


def test_theta_is_the_angle_to_the_normal():
    incident = Incident(1, [(0, 0, 1), (1, 0, 1), (0, np.sqrt(3), 1)])
    np.testing.assert_allclose(incident.theta, [0, 45, 60], atol=1e-4)


@pytest.mark.parametrize("energy", [0, -1, np.nan, np.inf, -np.inf, 1e300, 1e-300, [1, 0]])
def test_an_energy_that_is_none_is_refused(energy):
    with pytest.raises(InputError, match="must be positive and finite"):
        Incident(energy, (0, 0, 1))


@pytest.mark.parametrize("direction", [(0, 0, 0), (np.nan, 0, 1), (0, np.inf, 1)])
def test_a_direction_that_is_none_is_refused(direction):
    with pytest.raises(InputError, match="0,0,1 is straight in"):
        Incident(1, direction)


@pytest.mark.parametrize("direction", [(0, 0, -1), (1, 0, 0), (1, 0, -0.1), (1, 0, 1e-60)])
def test_a_direction_that_does_not_lead_in_is_refused(direction):
    with pytest.raises(InputError, match="does not point into the calorimeter"):
        Incident(1, direction)


@pytest.mark.parametrize(
    ("energy", "direction"),
    [
        ([1, 2], [(0, 0, 1)] * 3),
        ([[1, 2]], (0, 0, 1)),
        (1, (0, 1)),
        ("much", (0, 0, 1)),
        (1, [(0, 0, 1), (0, 1)]),
        (None, (0, 0, 1)),
    ],
)
def test_shapes_that_do_not_go_together_are_refused(energy, direction):
    with pytest.raises(InputError):
        Incident(energy, direction)


def test_positions_go_with_their_primaries():
    position = np.arange(9.0).reshape(3, 3)
    incident = Incident([1, 2, 3], (0, 0, 1), position=position)
    np.testing.assert_array_equal(incident[1:].position, position[1:])
    parts = [part for _, part in incident.batches(2)]
    np.testing.assert_array_equal(Incident.concatenate(parts).position, position)
    assert Incident([1, 2], (0, 0, 1)).position is None


def test_one_position_serves_all_primaries():
    incident = Incident([1, 2], (0, 0, 1), position=(0, 1804.7, -50))
    assert incident.position.tolist() == [[0, 1804.7, -50]] * 2


@pytest.mark.parametrize("position", [[1, 2], [[0, 0, 0]] * 3, (0, 0, np.inf), ("a", "b", "c")])
def test_positions_that_are_none_are_refused(position):
    with pytest.raises(InputError, match=r"position.*mm\.$"):
        Incident([1, 2], (0, 0, 1), position=position)


def test_primaries_with_and_without_positions_do_not_mix():
    with pytest.raises(InputError, match="positions"):
        Incident.concatenate([Incident(1, (0, 0, 1)), Incident(1, (0, 0, 1), position=(0, 0, 0))])
