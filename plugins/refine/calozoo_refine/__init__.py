"""Tail correction: the wrapper `+refined`, which brings the tails of a model closer to Geant4's."""

from __future__ import annotations

from collections.abc import Callable

from calozoo_core.hookspecs import hookimpl
from calozoo_core.wrappers import WrapperSpec

__all__ = ["REFINED", "register_wrappers"]

REFINED = WrapperSpec(
    suffix="+refined",
    summary="its tails corrected on Geant4's.",
    factory="calozoo_refine.generator:RefinedGenerator",
    fitter="calozoo_refine.fitting:refine",
)


@hookimpl
def register_wrappers(register: Callable[[WrapperSpec], None]) -> None:
    """Bring the tail correction into the zoo."""
    register(REFINED)
