"""The contract every model of the zoo keeps, at energies that do not take minutes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from calozoo_core.generator import Conditions
from calozoo_core.testing import ModelContract
from calozoo_geant4 import ILD_SIECAL_REGULAR
from calozoo_geant4.generator import Geant4

LOW_ENERGY = ILD_SIECAL_REGULAR.model_copy(
    update={
        "conditions": Conditions(
            particles=("gamma", "e-", "e+"), energy_gev=(0.1, 0.6), theta_deg=(0, 20)
        )
    }
)


@pytest.fixture(scope="module", name="shared")
def _shared(geant4_data) -> Iterator[Geant4]:
    """One generator for all checks, so that its worker starts once."""
    generator = Geant4.load(LOW_ENERGY)
    yield generator
    generator.close()


class TestGeant4(ModelContract):
    spec = LOW_ENERGY
    visible_fraction = (0.018, 0.03)

    @pytest.fixture
    def generator(self, shared: Geant4) -> Geant4:
        return shared

    @pytest.fixture
    def load(self, geant4_data: None) -> Iterator[Callable[[], Geant4]]:
        with ExitStack() as loaded:

            def load() -> Geant4:
                generator = Geant4.load(self.spec)
                loaded.callback(generator.close)
                return generator

            yield load
