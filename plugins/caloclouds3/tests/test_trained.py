"""The weights that come with the package, against Geant4 showers they were not trained on."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from calozoo_caloclouds3 import CELLS, SPEC
from calozoo_core.detector import load_detector
from calozoo_core.representation import Representation
from calozoo_core.testing import load_bundled
from calozoo_core.testing.photons import PhotonPhysics, held_out_showers

HALF_MIP_MEV = 0.1


class TestPhotons(PhotonPhysics):
    """Bounds are the aims; the card has what was measured, and the noise of the sample."""

    spec = SPEC
    divergence: ClassVar = {"layer_energy": 2e-4, "radius_energy": 1e-3, "energy_count": 2e-3}
    means: ClassVar = {"visible_energy": 0.01, "n_points": 0.03}


def test_the_tag_for_cells_lights_as_many_cells_as_geant4() -> None:
    """The plain tag has Geant4's number of points, and a fifth too many cells."""
    reference = held_out_showers()
    cells = Representation.named("x1", load_detector("ild_siecal_regular").cell_mm)
    live = {}
    for name, showers in (
        ("geant4", reference),
        ("cells", load_bundled(CELLS).generate(reference.incident)),
    ):
        live[name] = np.count_nonzero(cells(showers, seed=3).energy >= HALF_MIP_MEV)
    assert live["cells"] == pytest.approx(live["geant4"], rel=0.02)
