"""What trainers share: showers from a folder, stages that can be resumed, checkpoints by physics.

Needs torch and lightning (`pip install calozoo-core[train]`).
"""

from __future__ import annotations

from calozoo_core.training.fitting import fit
from calozoo_core.training.options import TrainingOptions
from calozoo_core.training.runs import StageConfig, TrainingRun, seeded
from calozoo_core.training.samples import read_sample
from calozoo_core.training.stages import Batch, Schedule, StagedTraining

__all__ = [
    "Batch",
    "Schedule",
    "StageConfig",
    "StagedTraining",
    "TrainingOptions",
    "TrainingRun",
    "fit",
    "read_sample",
    "seeded",
]
