"""Detector around what a page shows: the layers, and their sensitive areas."""

from __future__ import annotations

from typing import Any

from calozoo.plotting.hits import PlacedShower, live_rectangles
from calozoo_core.detector import Detector

__all__ = ["layer_stack", "sensitive_sheets"]


def layer_stack(detector: Detector) -> dict[str, Any]:
    """Depths of the layers, depth of the calorimeter and size of a cell, in mm."""
    return {
        "depths": [round(float(depth), 3) for depth in detector.layer_depth_mm],
        "depth": detector.depth_mm,
        "cell": detector.cell_mm,
    }


def sensitive_sheets(shower: PlacedShower) -> list[list[float]]:
    """Layer, and x' and y' of two opposite corners in mm, of each area around a shower."""
    return [
        [layer, *(round(float(edge), 1) for edge in edges)]
        for layer, edges in live_rectangles(shower)
    ]
