"""Noise levels and sizes that PointWiseNet has in training and in generation alike."""

from __future__ import annotations

__all__ = ["CONDITIONS", "FEATURES", "LEAK", "SIGMA_DATA", "SIGMA_MAX", "SIGMA_MIN"]

FEATURES = 4
"""Features of a point: x', y', layer and log-energy."""

CONDITIONS = 4
"""Conditions of a shower: E / 127 GeV, p_x, p_y, p_z."""

SIGMA_DATA = 0.5
SIGMA_MIN = 0.002
SIGMA_MAX = 80.0

LEAK = 0.01
