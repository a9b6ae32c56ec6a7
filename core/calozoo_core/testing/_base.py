"""The model that the checks are about."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

import pytest

from calozoo_core.generator import Generator, ModelSpec
from calozoo_core.testing._requests import load_bundled

__all__ = ["ModelChecks"]


class ModelChecks:
    """Checks of the model of one spec, loaded by the fixture `load`."""

    spec: ClassVar[ModelSpec]

    @pytest.fixture
    def load(self) -> Callable[[], Generator]:
        """A function that loads the model afresh."""
        return partial(load_bundled, self.spec)

    @pytest.fixture
    def generator(self, load: Callable[[], Generator]) -> Generator:
        """The model."""
        return load()
