"""Training on cylinders, with a handful of showers."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from calozoo_caloinn import ELECTRON_SPEC
from calozoo_core.incident import Incident
from calozoo_core.showers import Showers
from calozoo_core.testing.trainers import TRAIN, VAL, TrainerContract, write_sample


def made_up_showers(n: int = TRAIN + VAL, points: int = 400) -> Showers:
    random = np.random.default_rng(8)
    return Showers(
        offsets=np.arange(n + 1) * points,
        x=random.normal(0, 8, n * points),
        y=random.normal(0, 8, n * points),
        layer=np.sort(random.integers(0, 90, (n, points))).ravel(),
        energy=random.lognormal(-2.5, 1.2, n * points),
        incident=Incident(random.uniform(1, 100, n), (0, 0, 1), "e-"),
        representation="steps",
        detector="par04_siw",
    )


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
        return write_sample(tmp_path / "data", made_up_showers())
