"""The Geant4 sample that CaloClouds was published with, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PUBLISHED", "RADIUS_STEP_MM", "Published"]

FloatArray = NDArray[np.float64]

RADIUS_STEP_MM = 15.625
"""Width of the rings in which its energy around the axis is given."""


@dataclass(frozen=True)
class Published:
    """Means of the published sample, a shower.

    References:
        | CaloClouds3, file Geant_4.npz of its standard metrics:
          https://github.com/FLC-QU-hep/CaloClouds-3

    Arguments:
        layer_energy_mev: In each layer.
        layer_points: x25 points in each layer.
        energy_fractions: Within rings of 15.625 mm around the axis, from the axis on.
        point_fractions: Likewise, of the points.
        energy_spread_mev: Standard deviation of the visible energy.
        points_spread: Of the number of points.
    """

    layer_energy_mev: FloatArray
    layer_points: FloatArray
    energy_fractions: FloatArray
    point_fractions: FloatArray
    energy_spread_mev: float
    points_spread: float


# fmt: off
PUBLISHED = Published(
    layer_energy_mev=np.array([
        0.74259, 1.82626, 4.62302, 9.49463, 16.37374, 27.0977, 36.0173, 51.58222,
        57.6434, 74.87979, 73.92255, 89.6096, 77.98447, 90.69894, 78.68671, 87.41138,
        71.27526, 77.07657, 59.95906, 63.56197, 43.3388, 39.8078, 25.04724, 21.98675,
        13.06442, 11.18661, 6.60012, 5.56047, 3.28062, 2.90489,
    ]),
    layer_points=np.array([
        2.91974, 4.82053, 11.98434, 19.14653, 37.05364, 51.50252, 77.00777, 97.26418,
        122.40839, 145.40352, 162.58077, 184.28415, 185.79953, 204.72503, 201.48901, 214.83418,
        199.41298, 208.53845, 183.4549, 188.69721, 144.13331, 130.75119, 92.92695, 81.17655,
        52.97468, 45.09206, 28.31753, 23.74043, 14.52906, 13.32449,
    ]),
    energy_fractions=np.array([0.8366, 0.1039, 0.0299, 0.0128]),
    point_fractions=np.array([0.7119, 0.1734, 0.0558, 0.0250]),
    energy_spread_mev=570.0,
    points_spread=1232.0,
)
# fmt: on
