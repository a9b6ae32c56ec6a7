"""Showers that cannot be keep weights from being published."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calozoo.publishing.publish import find_fault
from calozoo_core.generator import Conditions, ModelSpec
from calozoo_core.incident import Incident
from calozoo_core.showers import Showers

SPEC = ModelSpec(
    name="cc.ild",
    summary="A test.",
    factory="nowhere:Nothing",
    representation="x9",
    detector="ild_siecal_regular",
    conditions=Conditions(energy_gev=(1, 10)),
    license="MIT",
)
GOOD = Showers(
    offsets=[0, 2],
    x=[0.0, 1.0],
    y=[0.0, -1.0],
    layer=[3, 29],
    energy=[30.0, 20.0],
    incident=Incident(2, (0, 0, 1)),
    representation="x9",
    detector="ild_siecal_regular",
)
EMPTY = {"offsets": [0, 0], "x": [], "y": [], "layer": [], "energy": []}


def test_showers_that_can_be_are_let_through():
    assert find_fault(GOOD, SPEC) is None


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"representation": "x1"}, "makes x1 points in ild_siecal_regular"),
        ({"detector": "ild_siecal"}, "makes x9 points in ild_siecal"),
        (EMPTY, "makes showers without a single point"),
        ({"x": [0, float("nan")]}, "makes points whose x is not a finite number"),
        ({"y": [float("inf"), 0]}, "makes points whose y is not a finite number"),
        ({"energy": [1, float("nan")]}, "makes points whose energy is not a finite number"),
        ({"energy": [30, 0]}, "makes deposits of 0 MeV"),
        ({"energy": [30, -1]}, "makes deposits of -1 MeV"),
        ({"layer": [0, 30]}, "puts a point in layer 30 of 30"),
        ({"energy": [0.03, 0.02]}, "makes 2.5e-05 of the incident energy visible"),
        ({"energy": [3e4, 2e4]}, "makes 25 of the incident energy visible"),
    ],
)
def test_what_is_wrong_with_showers_is_said(changes, fault):
    assert find_fault(replace(GOOD, **changes), SPEC) == fault
