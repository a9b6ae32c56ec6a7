"""Observables of showers: profiles, spectra, angles and correlations, summed over a sample.

The showers are looked at along their own axis: the position of a point is taken relative to where
the incident direction crosses the middle of its layer, at depth d times p_x/p_z and p_y/p_z.
"""

from __future__ import annotations

from calozoo_core.observables.accumulator import BLOCKS, ObservableAccumulator
from calozoo_core.observables.definitions import LEVELS, Binning, Observable, observables
from calozoo_core.observables.deposits import (
    HALF_MIP_MEV,
    Deposits,
    merged_cells,
    placed_cells,
    points,
)
from calozoo_core.observables.direction import angular_residuals, principal_axes
from calozoo_core.observables.histogram import Histogram
from calozoo_core.observables.point_profiles import (
    ENERGY_EDGES_MEV,
    RADIUS_EDGES_MM,
    Profiles,
    divergences,
    profiles,
)
from calozoo_core.observables.response import (
    ResponsePoint,
    Responses,
    Window,
    central_90,
    energy_windows,
    response_curve,
)

__all__ = [
    "BLOCKS",
    "ENERGY_EDGES_MEV",
    "HALF_MIP_MEV",
    "LEVELS",
    "RADIUS_EDGES_MM",
    "Binning",
    "Deposits",
    "Histogram",
    "Observable",
    "ObservableAccumulator",
    "Profiles",
    "ResponsePoint",
    "Responses",
    "Window",
    "angular_residuals",
    "central_90",
    "divergences",
    "energy_windows",
    "merged_cells",
    "observables",
    "placed_cells",
    "points",
    "principal_axes",
    "profiles",
    "response_curve",
]
