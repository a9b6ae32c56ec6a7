"""Labels, order and units of figures on cards and leaderboards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from calozoo.physics.results import physics_label
from calozoo_core.metrics.classifier import CLASSIFIER
from calozoo_core.metrics.result import MetricResult, format_with_error

__all__ = [
    "DISTANCES",
    "RATIOS",
    "figures_by_part",
    "label",
    "label_of_name",
    "label_with_unit",
    "scale",
    "sort_key",
    "unit",
    "value_text",
    "with_unit",
]

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

RATIO_LABELS: Final = {
    "cells.occupancy": "cells",
    "cells.centre_x": "width of the centre of gravity, x'",
    "cells.centre_y": "width of the centre of gravity, y'",
    "cells.position_x": "position resolution, x'",
    "cells.position_y": "position resolution, y'",
    "cells.hot_1e-2": "hot cells, the reference's hottest 1e-2",
    "cells.hot_1e-3": "hot cells, the reference's hottest 1e-3",
    "cells.hot_1e-4": "hot cells, the reference's hottest 1e-4",
    "points.neighbour_1.6mm": "points with another within 1.6 mm",
    "points.neighbour_3mm": "points with another within 3 mm",
    "cells.neighbour_adjacent": "cells with a cell beside them",
}
"""Label of each ratio of generated to reference."""

DISTANCES: Final = ("js", "l1", "cfd", "fpd", "kpd")
"""Metrics of cards that are 0 at best."""

RATIOS: Final = ("ratio", "width_ratio")
"""Metrics that are 1 at best."""

_UNITS: Final = {"js": (1e4, "1e-4 nat"), "separation": (1e4, "1e-4"), "l1": (100.0, "%")}
_ORDER: Final = {name: i for i, name in enumerate(LABELS)}


def label(figure: MetricResult) -> str:
    """Label of a figure."""
    if figure.metric in RATIOS:
        name, _, part = figure.name.partition("@")
        words = RATIO_LABELS.get(name, name)
        return f"{words}, {part}" if part else words
    if figure.name.startswith(CLASSIFIER):
        group = figure.name.removeprefix(CLASSIFIER).removeprefix(".").replace("_", " ")
        return f"AUC, {group}" if group else "AUC, all features"
    return label_of_name(figure.name)


def label_of_name(name: str) -> str:
    """Label of a distance of this name."""
    return LABELS.get(name) or physics_label(name) or name


def label_with_unit(figure: MetricResult) -> str:
    """Label of a figure, and its unit in brackets."""
    return with_unit(label(figure), figure)


def with_unit(words: str, figure: MetricResult) -> str:
    """Words for a figure, and its unit in brackets if it has one."""
    own = unit(figure.metric) or (figure.unit if figure.metric == "difference" else "")
    return f"{words} [{own}]" if own else words


def figures_by_part(
    figures: Iterable[MetricResult], unit: str
) -> dict[str, dict[str, MetricResult]]:
    """Ratios that were found in parts of a sample: by part, then by label.

    Arguments:
        figures: Any figures; those of a whole sample are left out.
        unit: Unit of the parts: "GeV" of windows of energy, "mm" of bands of radius.
    """
    found: dict[str, dict[str, MetricResult]] = {}
    for figure in figures:
        name, _, part = figure.name.partition("@")
        if figure.metric in RATIOS and part.endswith(unit):
            found.setdefault(part, {})[RATIO_LABELS.get(name, name)] = figure
    return found


def unit(metric: str) -> str:
    """Unit of a metric; empty if it has none."""
    return _UNITS.get(metric, (1.0, ""))[1]


def scale(metric: str) -> float:
    """Factor from a value to the unit of its metric."""
    return _UNITS.get(metric, (1.0, ""))[0]


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
    factor = scale(metric)
    return format_with_error(value * factor, 0.0 if error is None else error * factor)
