"""Generation by a small model with random weights."""

from __future__ import annotations

from calozoo_calodream import SPEC
from calozoo_calodream.config import preset
from calozoo_calodream.trained import TrainedCaloDream
from calozoo_core.testing.cores import CoreGeneration


class TestCaloDreamGeneration(CoreGeneration):
    spec = SPEC
    trained_class = TrainedCaloDream
    tiny = preset("tiny")
