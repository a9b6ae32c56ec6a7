"""The shower axis: the line from the point of entry along the primary's direction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector
from calozoo_core.errors import DetectorError
from calozoo_core.incident import Incident
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray

__all__ = ["axis_offsets", "axis_positions", "axis_slopes", "check_layers"]


def axis_slopes(incident: Incident) -> FloatArray:
    """How far each axis moves along x' and y' per unit of depth, p_x/p_z and p_y/p_z, (n, 2)."""
    p = incident.direction.astype(np.float64)
    return p[:, :2] / p[:, 2:]


def axis_offsets(showers: Showers, detector: Detector) -> tuple[FloatArray, FloatArray]:
    """Where the axis crosses the middle of each point's layer, in mm, two of shape (N,).

    CaloClouds3 prints tan(asin p_x) for the slope; its code, and geometry, say p_x/p_z.

    Raises:
        DetectorError: If a layer is beyond the detector's last.
    """
    check_layers(showers.layer, detector)
    return axis_positions(showers.incident, detector, showers.shower_index, showers.layer)


def axis_positions(
    incident: Incident, detector: Detector, owner: NDArray[np.int64], layer: NDArray[np.uint8]
) -> tuple[FloatArray, FloatArray]:
    """Where the axes of some primaries cross the middles of some layers, in mm, two of shape (N,).

    Arguments:
        incident: n primaries.
        detector: Whose layers.
        owner: Rows of the primaries, shape (N,).
        layer: Layers that the detector has, shape (N,).
    """
    slope = axis_slopes(incident)
    depth = detector.layer_depth_mm[layer]
    return depth * slope[:, 0][owner], depth * slope[:, 1][owner]


def check_layers(layer: NDArray[np.uint8], detector: Detector) -> None:
    """Refuse deposits in layers that the detector does not have.

    Raises:
        DetectorError: If a layer is beyond the detector's last.
    """
    if len(layer) and layer.max() >= detector.n_layers:
        msg = (
            f"A deposit lies in layer {layer.max()}, "
            f"and {detector.name} has layers 0 to {detector.n_layers - 1}."
        )
        raise DetectorError(msg)
