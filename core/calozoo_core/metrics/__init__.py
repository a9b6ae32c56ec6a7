"""Distances between samples of showers, with statistical errors and noise floors."""

from __future__ import annotations

from calozoo_core.metrics.correlation import frobenius_distance
from calozoo_core.metrics.divergence import (
    EPSILON,
    checkpoint_metrics,
    js_divergence,
    quantile_divergence,
    separation_power,
)
from calozoo_core.metrics.features import frechet_distance, kernel_distance
from calozoo_core.metrics.resampling import halves, jackknife_error, scaled_floor

__all__ = [
    "EPSILON",
    "checkpoint_metrics",
    "frechet_distance",
    "frobenius_distance",
    "halves",
    "jackknife_error",
    "js_divergence",
    "kernel_distance",
    "quantile_divergence",
    "scaled_floor",
    "separation_power",
]
