"""Optimum generators: Geant4's steps in the representation of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from calozoo_core.generator import Conditions, ModelSpec
from calozoo_core.hookspecs import hookimpl

__all__ = ["STEPS", "X1", "X9", "register_models"]


def _spec(representation: Literal["x1", "x9", "steps"], summary: str) -> ModelSpec:
    return ModelSpec(
        name=f"optimum.{representation}",
        summary=summary,
        factory="calozoo_optimum.generator:Optimum",
        representation=representation,
        detector="ild_siecal_regular",
        conditions=Conditions(
            particles=("gamma", "e-", "e+"), energy_gev=(0.01, 1000), theta_deg=(0, 89)
        ),
        source="geant4.ild-siecal-regular",
        license="Apache-2.0",
        papers=("https://arxiv.org/abs/2511.17293",),
    )


X1 = _spec("x1", "Geant4's steps on a regular grid of readout cells.")
X9 = _spec("x9", "Geant4's steps on a regular grid of 3 x 3 sub-cells a readout cell.")
STEPS = _spec("steps", "Geant4's steps as they are, in the 800 mm box of x1 and x9.")


@hookimpl
def register_models(register: Callable[[ModelSpec], None]) -> None:
    """Register the three optimum generators."""
    register(X1)
    register(X9)
    register(STEPS)
