"""Frames of reference of showers: local, upright and global; and vectors in them.

In the local frame a shower leans along its primary: its axis crosses depth z' at
x' = z' p_x/p_z, y' = z' p_y/p_z. In the upright frame the axis is z' itself: `axis_offsets` is what
the shear along the axis adds to x' and y', and what upright coordinates lack. Seen along the axis,
in the plane at right angles to it, showers of all angles look alike: `perpendicular_positions`.
From the local to the global frame: `calozoo_core.placement`.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calozoo_core.detector import Detector
from calozoo_core.errors import DetectorError, InputError
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray, IntArray

__all__ = [
    "as_text",
    "axis_offsets",
    "axis_positions",
    "axis_slopes",
    "check_layers",
    "perpendicular_positions",
    "perpendicular_to_axis",
    "perpendicular_to_local",
    "vectors",
]

_Float = TypeVar("_Float", bound=np.floating[Any])


def axis_slopes(direction: NDArray[_Float]) -> NDArray[_Float]:
    """Shear of the shower axis: shift along x' and y' per unit of depth, p_x/p_z and p_y/p_z.

    CaloClouds3 prints tan(asin p_x) for the first; its code, and geometry, say p_x/p_z.

    Arguments:
        direction: Directions in the local frame, shape (n, 3).

    Returns:
        Shape (n, 2), in the precision of the directions.
    """
    slopes: NDArray[_Float] = direction[:, :2] / direction[:, 2:]
    return slopes


def axis_offsets(showers: Showers, detector: Detector) -> tuple[FloatArray, FloatArray]:
    """Shift of each point by the shear: where its shower's axis crosses the middle of its layer.

    Returns:
        Along x' and y', in mm, two of shape (N,); a point minus it is in the upright frame.

    Raises:
        DetectorError: If a layer is beyond the detector's last.
    """
    check_layers(showers.layer, detector)
    direction = showers.incident.direction.astype(np.float64)
    return axis_positions(direction, showers.shower_index, detector.layer_depth_mm[showers.layer])


def axis_positions(
    direction: NDArray[_Float], owner: IntArray, depth_mm: NDArray[_Float]
) -> tuple[NDArray[_Float], NDArray[_Float]]:
    """Positions of shower axes at given depths: what turns upright points into local ones.

    Arguments:
        direction: Directions of n primaries in the local frame, shape (n, 3).
        owner: Row of the primary of each point, shape (N,).
        depth_mm: Depth z' of each point, shape (N,).

    Returns:
        x' and y' of the axes, in mm, two of shape (N,).
    """
    slope = axis_slopes(direction)
    return depth_mm * slope[:, 0][owner], depth_mm * slope[:, 1][owner]


def perpendicular_positions(showers: Showers, detector: Detector) -> tuple[FloatArray, FloatArray]:
    """Positions about the axis of each shower, in the plane at right angles to it.

    Where the axis crosses the layer of a point is 0, 0. Lengths along the slant of a shower are
    shorter by p_z than in the plane of the layer; `perpendicular_to_local` goes back.

    Returns:
        In mm, two of shape (N,).

    Raises:
        DetectorError: If a layer is beyond the detector's last.
    """
    dx, dy = axis_offsets(showers, detector)
    direction = showers.incident.direction.astype(np.float64)
    return perpendicular_to_axis(showers.x - dx, showers.y - dy, showers.shower_index, direction)


def perpendicular_to_axis(
    x: FloatArray, y: FloatArray, owner: IntArray, direction: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """As `perpendicular_positions`, of points in the upright frame.

    Arguments:
        x: x' in the upright frame, in mm, shape (N,).
        y: y' in the upright frame, in mm, shape (N,).
        owner: Row of the primary of each point, shape (N,).
        direction: Directions of n primaries in the local frame, shape (n, 3).

    Returns:
        In mm, two of shape (N,).
    """
    slant_x, slant_y = direction[:, 0], direction[:, 1]
    shorter = (x * slant_x[owner] + y * slant_y[owner]) / (1 + direction[:, 2])[owner]
    return x - shorter * slant_x[owner], y - shorter * slant_y[owner]


def perpendicular_to_local(direction: NDArray[_Float]) -> FloatArray:
    """Matrices from the plane at right angles to the axis to the plane of a layer.

    A slanted shower is longer by 1 / p_z along its slant, and not across it:
    1 + (1 / p_z - 1) t t^T, with t the unit vector of (p_x, p_y).

    Arguments:
        direction: Directions in the local frame, shape (n, 3).

    Returns:
        Shape (n, 2, 2).
    """
    slant = direction[:, :2].astype(np.float64)
    p_z = direction[:, 2].astype(np.float64)
    # (1 / p_z - 1) / (p_x^2 + p_y^2), without a division by zero
    grown = slant * (1 / (p_z * (1 + p_z)))[:, None]
    return np.asarray(np.eye(2) + grown[:, :, None] * slant[:, None, :])


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


def vectors(what: str, values: ArrayLike) -> FloatArray:
    """Finite vectors of shape (n, 3), as 64-bit numbers.

    Raises:
        InputError: If the values are none; the message says what they should be.
    """
    try:
        rows = np.atleast_2d(np.asarray(values, np.float64))
    except (TypeError, ValueError) as error:
        msg = f"A {what} must be three numbers, not {values!r}."
        raise InputError(msg) from error
    if rows.ndim != 2 or rows.shape[1] != 3:
        msg = f"Each {what} must be three numbers, but their shape is {np.shape(values)}."
        raise InputError(msg)
    if not np.isfinite(rows).all():
        msg = f"A {what} must be three finite numbers."
        raise InputError(msg)
    return rows


def as_text(vector: FloatArray) -> str:
    """Components with commas between them, as at the command line."""
    return ",".join(f"{component:g}" for component in vector)
