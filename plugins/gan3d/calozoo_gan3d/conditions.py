"""What the networks see of a primary."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calozoo_core.incident import Incident

__all__ = ["CONDITIONS", "conditions", "mirrored"]

CONDITIONS = 8
"""Numbers of `conditions`."""

_ODD = (2, 5)
# Middle and half width of ln(E / GeV) for 1-127 GeV.
_MIDDLE = 2.42


def conditions(incident: Incident) -> NDArray[np.float32]:
    """Scaled logarithm of the energy and its square, direction, slopes, path, shape (n, 8)."""
    log_energy = np.log(incident.energy.astype(np.float64)) / _MIDDLE - 1
    px, py, pz = incident.direction.astype(np.float64).T
    columns = (log_energy, log_energy**2, px, py, pz, px / pz, py / pz, 1 / pz)
    return np.column_stack(columns).astype(np.float32)


def mirrored(condition: NDArray[np.float32], sign: NDArray[np.float32]) -> NDArray[np.float32]:
    """Conditions of showers of which some, those with sign -1, are mirrored at x' = 0."""
    turned = condition.copy()
    turned[:, _ODD] *= sign[:, None]
    return turned
