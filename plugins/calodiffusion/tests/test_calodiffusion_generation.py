"""Generation by a small model with random weights."""

from __future__ import annotations

from calozoo_calodiffusion import SPEC
from calozoo_calodiffusion.config import preset
from calozoo_calodiffusion.trained import TrainedCaloDiffusion
from calozoo_core.testing.cores import CoreGeneration


class TestCaloDiffusionGeneration(CoreGeneration):
    spec = SPEC
    trained_class = TrainedCaloDiffusion
    tiny = preset("tiny")
