"""CaloClouds3 on clumps: the contract of the zoo, and points that have neighbours."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from calozoo_caloclouds3 import CLUMPS, SPEC
from calozoo_core.clumps import ClumpsGenerator
from calozoo_core.generator import Generator
from calozoo_core.testing import ModelContract, load_bundled
from calozoo_core.testing._requests import bundled_folder
from calozoo_core.testing.cores import CoreSourceContract


class TestCaloClouds3Clumps(ModelContract):
    spec = CLUMPS
    visible_fraction = (0.015, 0.035)
    nonlinearity = 0.12  # of Geant4 itself it is 0.08, straight in

    @pytest.fixture
    def load(self) -> Callable[[], Generator]:
        return lambda: ClumpsGenerator.load(
            CLUMPS, bundled_folder(CLUMPS), source=load_bundled(SPEC)
        )


class TestCaloClouds3Rings(CoreSourceContract):
    spec = SPEC
