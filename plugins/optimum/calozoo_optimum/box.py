"""The box about the shower axis in which deposits are kept."""

from __future__ import annotations

import numpy as np

from calozoo_core.detector import load_detector
from calozoo_core.frames import axis_offsets
from calozoo_core.showers import Showers

__all__ = ["SIDE_MM", "inside_box"]

SIDE_MM = 800.0


def inside_box(showers: Showers) -> Showers:
    r"""The deposits of each shower within 400 mm of its axis along x' and along y'.

    What lies farther away is mostly backscatter, at the other end of the detector. The axis goes
    through the origin and follows the primary: at the depth d of a layer's middle it is at

    .. math:: x' = d\,p_x / p_z, \quad y' = d\,p_y / p_z

    References:
        | Full physics benchmark, section II B: https://arxiv.org/abs/2511.17293

    Arguments:
        showers: Of any representation.

    Raises:
        DetectorError: If the detector they were made for is unknown.
    """
    dx, dy = axis_offsets(showers, load_detector(showers.detector))
    keep = np.abs(showers.x - dx) <= SIDE_MM / 2
    keep &= np.abs(showers.y - dy) <= SIDE_MM / 2
    kept_before = np.concatenate([[0], np.cumsum(keep)])
    return Showers(
        offsets=kept_before[showers.offsets],
        x=showers.x[keep],
        y=showers.y[keep],
        layer=showers.layer[keep],
        energy=showers.energy[keep],
        time=None if showers.time is None else showers.time[keep],
        incident=showers.incident,
        representation=showers.representation,
        detector=showers.detector,
    )
