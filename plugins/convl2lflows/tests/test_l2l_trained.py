"""The weights that come with the package, against Geant4 showers they were not trained on."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from calozoo_convl2lflows import SPEC
from calozoo_convl2lflows.config import GridConfig
from calozoo_core.detector import load_detector
from calozoo_core.frames import axis_offsets
from calozoo_core.generator import Generator
from calozoo_core.incident import Incident
from calozoo_core.representation import Representation
from calozoo_core.showers import Showers
from calozoo_core.testing import ModelContract
from calozoo_core.testing.photons import PhotonPhysics, held_out_showers


class TestConvL2LFlows(ModelContract):
    spec = SPEC
    visible_fraction = (0.015, 0.035)
    nonlinearity = 0.1


class TestPhotons(PhotonPhysics):
    """Against what of Geant4's showers lies in the box; what the box loses is the card's to say."""

    spec = SPEC
    divergence: ClassVar = {
        "layer_energy": 2e-4,
        "layer_count": 2e-4,
        "radius_energy": 40e-4,
        "radius_count": 3e-4,
        "energy_count": 5e-4,
    }
    means: ClassVar = {"visible_energy": 0.02}

    @pytest.fixture(scope="class")
    @classmethod
    def reference(cls) -> Showers:
        """The held-out showers as such a grid sees them, points anywhere in their sub-cells."""
        grid = Representation.named("x9", load_detector(SPEC.detector).cell_mm)
        return in_box(grid(held_out_showers(), seed=3))

    def test_nothing_lies_outside_the_box(self, model: Generator) -> None:
        """150 mm across, leaning with the shower."""
        showers = model.generate(Incident([80] * 20, (0.5, -0.3, 1)), seed=2)
        assert len(in_box(showers).x) == len(showers.x)


def in_box(showers: Showers) -> Showers:
    """The points less than 75 mm from the axis along x' and along y'."""
    dx, dy = axis_offsets(showers, load_detector(SPEC.detector))
    half = GridConfig().side * GridConfig().pitch_mm / 2 + 1e-2
    inside = (np.abs(showers.x - dx) < half) & (np.abs(showers.y - dy) < half)
    before = np.concatenate([[0], np.cumsum(inside)])
    columns = {name: getattr(showers, name)[inside] for name in ("x", "y", "layer", "energy")}
    return replace(showers, offsets=before[showers.offsets], **columns)
