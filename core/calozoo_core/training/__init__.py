"""Training of models: stages that can be resumed, with checkpoints chosen by physics.

Needs torch and lightning (`pip install calozoo-core[train]`).
"""

from __future__ import annotations

from calozoo_core.training.fitting import fit
from calozoo_core.training.model_training import ModelTraining, TrainingOptions, read_sample, seeded
from calozoo_core.training.stages import Batch, Schedule, StageConfig, StagedTraining

__all__ = [
    "Batch",
    "ModelTraining",
    "Schedule",
    "StageConfig",
    "StagedTraining",
    "TrainingOptions",
    "fit",
    "read_sample",
    "seeded",
]
