"""Specs and conditions: what a model may be called and asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from calozoo_core.errors import ConditionsError, InputError
from calozoo_core.generator import Conditions, Generator, ModelSpec
from calozoo_core.incident import Incident
from calozoo_core.random import stream
from calozoo_core.showers import Showers

SPEC = ModelSpec(
    name="one.point",
    summary="One deposit a shower.",
    factory="nowhere:One",
    representation="x25",
    detector="ild_siecal_regular",
    conditions=Conditions(energy_gev=(0.1, 127), theta_deg=(0, 60)),
    license="Apache-2.0",
)


class One(Generator):
    @classmethod
    def load(cls, spec, folder, *, device="cpu", precision=None):
        return cls(spec)

    def sample(self, incident, seed, first):
        n = len(incident)
        x = [stream(seed, first + i, "x").normal() for i in range(n)]
        return Showers(
            np.arange(n + 1),
            x,
            np.zeros(n),
            np.zeros(n),
            np.ones(n),
            incident,
            "x25",
            SPEC.detector,
        )


ONE = One(SPEC)


@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 2**64 - 1))
def test_the_batch_size_does_not_change_the_showers(n, batch_size, seed):
    whole = ONE.generate(energy=50, n=n, seed=seed, batch_size=n)
    parts = ONE.generate(energy=50, n=n, seed=seed, batch_size=batch_size)
    np.testing.assert_array_equal(parts.x, whole.x)


@pytest.mark.parametrize("energy", [0.1, 127])
def test_the_bounds_of_the_conditions_are_inside(energy):
    assert len(ONE.generate(energy=energy)) == 1
    angle = np.radians(60)
    assert len(ONE.generate(energy=1, direction=(np.sin(angle), 0, np.cos(angle)))) == 1


@pytest.mark.parametrize(
    ("incident", "words"),
    [
        (Incident(200, (0, 0, 1)), "200 GeV is outside what one.point was trained on"),
        (Incident([1, 0.05], (0, 0, 1)), "0.05 GeV is outside"),
        (Incident(1, (2, 0, 1)), "63.4 degrees from the normal is outside"),
    ],
)
def test_what_lies_outside_the_conditions_is_refused_unless_asked_for(incident, words):
    with pytest.raises(ConditionsError, match=words):
        ONE.generate(incident)
    assert len(ONE.generate(incident, extrapolate=True)) == len(incident)


@pytest.mark.parametrize("extrapolate", [False, True])
def test_another_particle_is_refused(extrapolate):
    with pytest.raises(ConditionsError, match=r"one\.point makes showers of gamma, not of pi\+"):
        ONE.generate(Incident(1, (0, 0, 1), "pi+"), extrapolate=extrapolate)


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"energy": 50, "n": 0},
        {"energy": 50, "n": -1},
        {"energy": [1, 2], "n": 3},
        {"energy": 50, "n": 2, "batch_size": 0},
        {"incident": Incident(50, (0, 0, 1)), "n": 2},
        {"energy": -1},
        {"energy": 50, "seed": -1},
    ],
)
def test_a_request_that_makes_no_sense_is_refused(request_):
    with pytest.raises(InputError):
        ONE.generate(**request_)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "onepoint"},
        {"name": "One.Point"},
        {"name": "one.point\n"},
        {"factory": "nowhere"},
        {"representation": "x36"},
        {"summary": ""},
        {"weights": "package"},
        {"colour": "red"},
    ],
)
def test_a_spec_that_says_nonsense_is_refused(wrong):
    with pytest.raises(ValidationError):
        ModelSpec(**SPEC.model_dump() | wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"energy_gev": (0, 10)},
        {"energy_gev": (10, 1)},
        {"energy_gev": (1, 10), "theta_deg": (0, 90)},
        {"energy_gev": (1, 10), "theta_deg": (-1, 10)},
        {"energy_gev": (float("nan"), 10)},
        {"energy_gev": (1, float("inf"))},
    ],
)
def test_conditions_that_are_no_ranges_are_refused(wrong):
    with pytest.raises(ValidationError):
        Conditions(**wrong)


def test_no_primaries_make_no_showers():
    none = Incident(np.zeros(0), np.zeros((0, 3)), position=np.zeros((0, 3)))
    showers = One(SPEC).generate(none)
    assert len(showers) == 0
    assert (showers.representation, showers.detector) == ("x25", SPEC.detector)
    assert showers.incident == none


def test_a_name_is_architecture_and_tag():
    assert (SPEC.architecture, SPEC.tag) == ("one", "point")
