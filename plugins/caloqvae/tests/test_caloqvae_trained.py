"""The weights that ship: the contract, and Geant4's showers of the same primaries."""

from __future__ import annotations

from typing import ClassVar

from calozoo_caloqvae import SPEC
from calozoo_caloqvae.config import preset
from calozoo_caloqvae.model import CaloQvae
from calozoo_core.testing import ModelContract, load_bundled
from calozoo_core.testing.cores import CorePhysics


class TestCaloQvae(ModelContract):
    spec = SPEC
    visible_fraction = (0.015, 0.035)
    nonlinearity = 0.12  # of Geant4 itself it is 0.08, straight in


class TestCaloQvaePhysics(CorePhysics):
    spec = SPEC
    stages: ClassVar = {"energies", "shape", "prior"}
    ring_correlation = 0.28  # it falls short here: 0.19 to 0.27 with several seeds


def test_the_weights_are_those_of_the_preset() -> None:
    model, config = load_bundled(SPEC), preset("ild-photon-clumps")
    assert isinstance(model, CaloQvae)
    trained = model.trained.config
    assert (trained.energies, trained.prior, trained.hidden) == (
        config.energies,
        config.prior,
        config.hidden,
    )
    assert trained.fitted_on == "its training showers"
    assert model.steps <= 100
