"""Conditions of the networks from primaries."""

from __future__ import annotations

import numpy as np

from calozoo_core.incident import Incident
from calozoo_core.typing import Float32Array

__all__ = ["CONDITIONS", "HALF_LOG_RANGE", "conditions", "mirrored"]

CONDITIONS = 8
"""Width of `conditions`."""

_P_X = (2, 5)  # columns that change sign when x' is mirrored: p_x and p_x / p_z
HALF_LOG_RANGE = 2.42
"""Middle and half width of ln(E / GeV) for 1-127 GeV."""


def conditions(incident: Incident) -> Float32Array:
    """Condition of primaries for the networks, shape (n, 8).

    Scaled logarithm of the energy and its square, direction, slopes and path length.
    """
    log_energy = np.log(incident.energy.astype(np.float64)) / HALF_LOG_RANGE - 1
    px, py, pz = incident.direction.astype(np.float64).T
    columns = (log_energy, log_energy**2, px, py, pz, px / pz, py / pz, 1 / pz)
    return np.column_stack(columns).astype(np.float32)


def mirrored(condition: Float32Array, sign: Float32Array) -> Float32Array:
    """Conditions after mirroring at x' = 0 of the showers with sign -1, shape (n, 8)."""
    flipped = condition.copy()
    flipped[:, _P_X] *= sign[:, None]
    return flipped
