"""Generation by a small model with random weights."""

from __future__ import annotations

from calozoo_caloscore import SPEC
from calozoo_caloscore.config import preset
from calozoo_caloscore.trained import TrainedCaloScore
from calozoo_core.testing.cores import CoreGeneration


class TestCaloScoreGeneration(CoreGeneration):
    spec = SPEC
    trained_class = TrainedCaloScore
    tiny = preset("tiny")
    other_steps = 4
    needed = ("energies", "teacher")
