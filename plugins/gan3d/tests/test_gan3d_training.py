"""Training on a handful of showers."""

from __future__ import annotations

from typing import ClassVar

from calozoo_core.testing.trainers import TrainerContract
from calozoo_gan3d import SPEC


class TestTraining(TrainerContract):
    spec = SPEC
    options: ClassVar = {
        "preset": "tiny",
        "energies_epochs": 2,
        "images_epochs": 2,
        "steps": 3,
        "batch": 4,
        "validate_every": 1,
        "threads": 1,
    }
    one_stage: ClassVar = {"stage": "images"}
    # It is trained in 16 bits.
    rtol = 1e-2
    atol = 1e-3
