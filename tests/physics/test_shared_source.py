"""A source that several models are fed with makes each shower once."""

from __future__ import annotations

import numpy as np

import calozoo
from calozoo.physics.shared_source import SharedSource
from calozoo_core.incident import Incident

INCIDENT = Incident([5.0, 8.0, 6.0], (0.1, 0, 1))
NUMBERS = np.array([12, 4, 5])


def test_showers_are_made_once_until_they_are_forgotten(monkeypatch):
    toy, asked = calozoo.load("toy"), []
    make = toy.sample_numbers

    def counted(incident, seed, numbers):
        asked.append((seed, numbers.tolist()))
        return make(incident, seed, numbers)

    monkeypatch.setattr(toy, "sample_numbers", counted)
    shared = SharedSource(toy)
    first = shared.sample_numbers(INCIDENT, 1, NUMBERS)
    assert first == make(INCIDENT, 1, NUMBERS)
    assert shared.sample_numbers(INCIDENT, 1, NUMBERS) is first
    assert asked == [(1, [12, 4, 5])]
    shared.forget()
    assert shared.sample_numbers(INCIDENT, 1, NUMBERS) == first
    assert len(asked) == 2


def test_other_seeds_numbers_and_primaries_are_other_showers():
    toy = calozoo.load("toy")
    shared = SharedSource(toy)
    others = Incident(INCIDENT.energy + 1, INCIDENT.direction)
    for incident, seed, numbers in (
        (INCIDENT, 1, NUMBERS),
        (INCIDENT, 2, NUMBERS),
        (INCIDENT, 1, NUMBERS + 1),
        (others, 1, NUMBERS),
    ):
        found = shared.sample_numbers(incident, seed, numbers)
        assert found == toy.sample_numbers(incident, seed, numbers)
    assert shared.sample(INCIDENT, 1, 3) == toy.sample(INCIDENT, 1, 3)
