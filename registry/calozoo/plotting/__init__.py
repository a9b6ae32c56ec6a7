"""Pictures of an evaluation, as the field draws them: Geant4 filled in grey, models over it."""

from __future__ import annotations

from calozoo.plotting.evaluation import check_folder, draw, draw_overview

__all__ = ["check_folder", "draw", "draw_overview"]
