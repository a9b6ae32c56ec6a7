"""The weights that ship: the contract, and Geant4's showers of the same primaries."""

from __future__ import annotations

from typing import ClassVar

from calozoo_calodiffusion import SPEC
from calozoo_calodiffusion.config import preset
from calozoo_calodiffusion.model import CaloDiffusion
from calozoo_core.testing import ModelContract, load_bundled
from calozoo_core.testing.cores import CorePhysics


class TestCaloDiffusion(ModelContract):
    spec = SPEC
    visible_fraction = (0.015, 0.035)
    nonlinearity = 0.12  # of Geant4 itself it is 0.08, straight in


class TestCaloDiffusionPhysics(CorePhysics):
    spec = SPEC
    stages: ClassVar = {"energies", "shape"}


def test_the_weights_are_those_of_the_preset() -> None:
    model, config = load_bundled(SPEC), preset("ild-photon-clumps")
    assert isinstance(model, CaloDiffusion)
    assert (model.config.energies, model.trained.config.shape) == (config.energies, config.shape)
    assert model.trained.config.fitted_on == "its training showers"
    assert 1 <= model.steps <= 8
