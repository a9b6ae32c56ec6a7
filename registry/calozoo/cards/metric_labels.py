"""What figures are called on cards and leaderboards, in which order and in which unit."""

from __future__ import annotations

import math
from typing import Final

from calozoo_core.metrics.result import MetricResult

__all__ = ["LABELS", "label", "printed", "sort_key", "unit"]

LABELS: Final = {
    "cells.radial_energy_100": "radial energy profile, 0-100 mm",
    "cells.radial_energy_30": "radial energy profile, 0-30 mm",
    "cells.layer_energy": "longitudinal energy profile",
    "cells.phi_100": "phi of the shower, all hits",
    "cells.phi_4": "phi of the shower, 4 % of the hits",
    "cells.theta_100": "theta of the shower, all hits",
    "cells.theta_4": "theta of the shower, 4 % of the hits",
    "cells.resolution": "energy resolution",
    "cells.linearity": "linearity",
    "cells.spectrum": "cell energies",
    "cells.layer_count": "hits by layer",
    "cells.radial_energy": "energy by radius in the layer",
    "cells.radial_count": "hits by radius in the layer",
    "cells.occupancy": "number of hits",
    "cells.visible_energy": "visible energy",
    "cells.response": "visible over incident energy",
    "cells.centre_x": "centre of gravity, x'",
    "cells.centre_y": "centre of gravity, y'",
    "cells.centre_z": "centre of gravity, layer",
    "cells.angle_100": "angle of the shower, all hits",
    "cells.angle_4": "angle of the shower, 4 % of the hits",
    "cells.layer_correlation": "correlations between layers",
    "cells.voxel_correlation": "correlations between voxels",
    "points.spectrum": "point energies",
    "points.layer_energy": "energy by layer",
    "points.layer_count": "points by layer",
    "points.radial_energy": "energy by radius in the layer",
    "points.radial_count": "points by radius in the layer",
    "points.occupancy": "number of points",
    "points.visible_energy": "visible energy",
    "points.response": "visible over incident energy",
    "points.centre_x": "centre of gravity, x'",
    "points.centre_y": "centre of gravity, y'",
    "points.centre_z": "centre of gravity, layer",
}
"""In the order of cards; first the single-particle rows of the benchmark paper's Table I."""

_UNITS: Final = {"js": (1e4, "1e-4 nat"), "separation": (1e4, "1e-4"), "l1": (100.0, "%")}
_ORDER: Final = {name: i for i, name in enumerate(LABELS)}


def label(figure: MetricResult) -> str:
    """A figure's name in words."""
    return LABELS.get(figure.name, figure.name)


def unit(metric: str) -> str:
    """The unit a metric is printed in; empty if it has none."""
    return _UNITS.get(metric, (1.0, ""))[1]


def sort_key(figure: MetricResult) -> int:
    """Those of the benchmark paper first, in its order."""
    return _ORDER.get(figure.name, len(_ORDER))


def printed(value: float, error: float | None, metric: str) -> str:
    """A value in its metric's unit, to as many digits as its error allows.

    Example:
        >>> printed(0.00047123, 0.0000041, "js")
        '4.712 ± 0.041'
        >>> printed(0.1143, 0.0543, "l1")
        '11.4 ± 5.4'
    """
    scale = _UNITS.get(metric, (1.0, ""))[0]
    value *= scale
    if error is None or not error > 0:
        return f"{value:.3g}"
    error *= scale
    digits = min(8, max(0, 1 - math.floor(math.log10(error))))
    return f"{value:.{digits}f} ± {error:.{digits}f}"
