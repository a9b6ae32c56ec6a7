"""The weights that come with the package, against Geant4 showers they were not trained on."""

from __future__ import annotations

from typing import ClassVar

from calozoo_core.testing.photons import PhotonPhysics
from calozoo_gan3d import SPEC


class TestPhotons(PhotonPhysics):
    """Bounds are the aims; the card has what was measured, and the noise of the sample."""

    spec = SPEC
    divergence: ClassVar = {"layer_energy": 10e-4, "radius_energy": 60e-4}
    means: ClassVar = {"visible_energy": 0.02}
