"""Training on cylinders, with a handful of showers."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from calozoo_caloinn import ELECTRON_SPEC
from calozoo_core.testing.trainers import TrainerContract, made_up_electrons, write_sample


class TestCylinderTraining(TrainerContract):
    spec = ELECTRON_SPEC
    options: ClassVar = {
        "preset": "tiny",
        "visible_epochs": 2,
        "layers_epochs": 2,
        "rings_epochs": 2,
        "steps": 2,
        "validate_every": 1,
        "layers_batch": 4,
        "rings_batch": 4,
        "threads": 1,
    }
    one_stage: ClassVar = {"stage": "layers"}

    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        return write_sample(tmp_path / "data", made_up_electrons())
