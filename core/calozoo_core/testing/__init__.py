"""The contract suite: what every model of the zoo must do, whoever wrote it.

Derive one class from `ModelContract` in your tests, give it your spec, and pytest runs every check.
It needs pytest, which only those who test models have.
"""

from __future__ import annotations

from calozoo_core.testing._checks import (
    DependenceChecks,
    RequestChecks,
    ShowerChecks,
    SpecChecks,
)
from calozoo_core.testing._objects import ObjectChecks
from calozoo_core.testing._requests import load_bundled, primaries_inside
from calozoo_core.testing._sharing import SharingChecks
from calozoo_core.testing._weights_checks import WeightsChecks

__all__ = ["ModelContract", "load_bundled", "primaries_inside"]


class ModelContract(
    SpecChecks,
    ShowerChecks,
    DependenceChecks,
    RequestChecks,
    WeightsChecks,
    ObjectChecks,
    SharingChecks,
):
    """The checks; pytest collects them from a subclass whose name begins with Test.

    The model is loaded with the weights its package ships; override the fixture `load` to load it
    in another way, and the fixture `card` if its card lies elsewhere than `find_card` looks. The
    bands are wide: they catch a wrong unit or a lost sign, not a poor model.

    Example:
        >>> from calozoo_core.generator import ModelSpec
        >>> class TestMyModel(ModelContract):
        ...     spec: ModelSpec  # = the spec your plugin registers
    """
