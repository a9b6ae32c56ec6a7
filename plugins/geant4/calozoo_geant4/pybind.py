"""Import of geant4_pybind, with the environment in which it finds its data without a question."""

from __future__ import annotations

import os

from calozoo_geant4.data_sets import data_environment

os.environ |= data_environment()
import geant4_pybind as g4  # type: ignore[import-not-found]

__all__ = ["g4"]
