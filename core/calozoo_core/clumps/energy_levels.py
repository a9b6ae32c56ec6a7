"""Energies in 255 steps of 5.6 %, from 1 keV to 1 GeV, a byte each."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.typing import Float32Array

__all__ = ["LEAST_MEV", "LEVEL_MEV", "energy_levels"]

LEAST_MEV: Final = 1e-3
_LOG_STEP: Final = float(np.log(1e6)) / 254

_STEPPED: Final = LEAST_MEV * np.exp(_LOG_STEP * (np.arange(256) - 1))
LEVEL_MEV: Final = np.where(np.arange(256) > 0, _STEPPED, 0).astype(np.float32)
"""Energy of each level, in MeV, shape (256,); level 0 is none."""


def energy_levels(energies: Float32Array) -> NDArray[np.uint8]:
    """Levels next to energies, of the same shape; 0 for less than half the least one.

    Arguments:
        energies: In MeV, any shape.
    """
    exact = np.log(np.maximum(energies, LEAST_MEV / 2) / LEAST_MEV) / _LOG_STEP
    levels = np.clip(np.rint(exact) + 1, 1, 255)
    return np.where(energies > LEAST_MEV / 2, levels, 0).astype(np.uint8)
