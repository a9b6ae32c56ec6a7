"""From the local frame of a shower into the global detector, and into its readout cells."""

from __future__ import annotations

import os

from calozoo_core.detector import Detector, load_detector
from calozoo_core.placement.barrel import BarrelPlacement, BarrelWithEndcaps
from calozoo_core.placement.base import Placement
from calozoo_core.placement.cylinder import CylinderPlacement
from calozoo_core.placement.endcap import EndcapPlacement
from calozoo_core.placement.flat import SlabPlacement
from calozoo_core.placement.trigger import Trigger

__all__ = ["Placement", "Trigger", "load_placement"]


def load_placement(detector: str | os.PathLike[str] | Detector) -> Placement:
    """Placement for the shape of a detector.

    Arguments:
        detector: The detector, its name, or the path of its `.toml` file.

    Raises:
        DetectorError: If there is no such detector.

    Example:
        >>> load_placement("ild_siecal").enter([0, 1, 0.5]).round(2).tolist()
        [[0.0, 1804.7, 902.35]]
    """
    described = detector if isinstance(detector, Detector) else load_detector(detector)
    if described.barrel is not None and described.endcap is not None:
        return BarrelWithEndcaps(described)
    if described.barrel is not None:
        return BarrelPlacement(described)
    if described.endcap is not None:
        return EndcapPlacement(described)
    if described.cylinder is not None:
        return CylinderPlacement(described)
    return SlabPlacement(described)
