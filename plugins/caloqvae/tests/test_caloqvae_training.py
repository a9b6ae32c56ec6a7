"""Training on a handful of showers."""

from __future__ import annotations

from typing import ClassVar

from calozoo_caloqvae import SPEC
from calozoo_core.testing.trainers import TrainerContract


class TestTraining(TrainerContract):
    spec = SPEC
    options: ClassVar = {
        "preset": "tiny",
        "energies_epochs": 2,
        "shape_epochs": 2,
        "prior_epochs": 2,
        "sweeps": 3,
        "anneal_steps": 4,
        "steps": 3,
        "batch": 8,
        "validate_every": 1,
        "threads": 1,
    }
    one_stage: ClassVar = {"stage": "shape"}
