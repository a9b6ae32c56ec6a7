"""Plots with matplotlib: Geant4 as a grey filled histogram, models over it, ratios below."""

from __future__ import annotations

from calozoo.plotting.evaluation import draw, draw_overview
from calozoo.plotting.style import check_folder

__all__ = ["check_folder", "draw", "draw_overview"]
