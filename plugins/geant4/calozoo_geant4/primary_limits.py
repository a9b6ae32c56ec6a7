"""Limits of the primaries that Geant4 simulates: where they start, and their energy."""

from __future__ import annotations

import numpy as np

from calozoo_core.detector import Detector
from calozoo_core.typing import BoolArray, FloatArray
from calozoo_geant4.layout import world_half_mm
from calozoo_geant4.world_frame import WorldFrame

__all__ = ["MOST_GEV", "PrimaryLimits"]

MOST_GEV = 1e5
"""Highest kinetic energy of Geant4's electromagnetic physics."""


class PrimaryLimits:
    """Limits of the primaries that Geant4 simulates in a detector.

    Arguments:
        detector: The detector.

    Example:
        >>> from calozoo_core.detector import load_detector
        >>> limits = PrimaryLimits(load_detector("par04_siw"))
        >>> limits.faults(np.zeros((2, 3)), np.array([10.0, 1e30]))
        {1: 'has 1e+30 GeV, and Geant4 simulates 100 TeV at most'}
    """

    def __init__(self, detector: Detector) -> None:
        self._name = detector.name
        self._frame = WorldFrame.of(detector)
        self._half_mm = np.array(world_half_mm(detector))

    def faults(self, vertex: FloatArray, energy_gev: FloatArray) -> dict[int, str]:
        """Faults of primaries that cannot be simulated, by row.

        Arguments:
            vertex: Global positions at which they start, in mm, shape (n, 3).
            energy_gev: Kinetic energies, shape (n,).

        Returns:
            Clauses such as "starts outside the world around ild_siecal".
        """
        world = self._frame.to_world(vertex)
        is_outside: BoolArray = np.any(np.abs(world) >= self._half_mm, axis=1)
        outside = f"starts outside the world around {self._name}"
        too_much = f"GeV, and Geant4 simulates {MOST_GEV / 1000:g} TeV at most"
        return {
            row: outside if is_outside[row] else f"has {energy_gev[row]:g} {too_much}"
            for row in np.flatnonzero(is_outside | (energy_gev > MOST_GEV)).tolist()
        }
