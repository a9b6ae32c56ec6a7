"""Labels, order and units of figures on cards and leaderboards."""

from __future__ import annotations

from typing import Final

from calozoo_core.metrics.result import MetricResult, format_with_error

__all__ = ["LABELS", "label", "sort_key", "unit", "value_text"]

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
"""Label of each observable, in the order of cards; first those of the benchmark paper's Table I."""

_UNITS: Final = {"js": (1e4, "1e-4 nat"), "separation": (1e4, "1e-4"), "l1": (100.0, "%")}
_ORDER: Final = {name: i for i, name in enumerate(LABELS)}


def label(figure: MetricResult) -> str:
    """Label of a figure."""
    return LABELS.get(figure.name, figure.name)


def unit(metric: str) -> str:
    """Unit of a metric; empty if it has none."""
    return _UNITS.get(metric, (1.0, ""))[1]


def sort_key(figure: MetricResult) -> int:
    """Position of a figure on a card."""
    return _ORDER.get(figure.name, len(_ORDER))


def value_text(value: float, error: float | None, metric: str) -> str:
    """Text of a value in the unit of its metric, with two digits of the error.

    Example:
        >>> value_text(0.00047123, 0.0000041, "js")
        '4.712 ± 0.041'
        >>> value_text(0.1143, 0.0543, "l1")
        '11.4 ± 5.4'
    """
    scale = _UNITS.get(metric, (1.0, ""))[0]
    return format_with_error(value * scale, 0.0 if error is None else error * scale)
