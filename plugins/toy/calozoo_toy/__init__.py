"""Toy model without weights, an example of a plugin."""

from __future__ import annotations

from collections.abc import Callable

from calozoo_core.generator import Conditions, ModelSpec
from calozoo_core.hookspecs import hookimpl

__all__ = ["ILD_PHOTON", "register_models"]

ILD_PHOTON = ModelSpec(
    name="toy.ild-photon",
    summary="A toy: textbook photon showers without weights, a baseline beside the real models.",
    factory="calozoo_toy.model:ToyGenerator",
    representation="x25",
    detector="ild_siecal_regular",
    conditions=Conditions(energy_gev=(1, 127), theta_deg=(0, 60)),
    license="Apache-2.0",
    papers=(
        "https://pdg.lbl.gov/2024/reviews/rpp2024-rev-passage-particles-matter.pdf",
        "https://arxiv.org/abs/hep-ex/0001020",
    ),
)


@hookimpl
def register_models(register: Callable[[ModelSpec], None]) -> None:
    """Register the toy."""
    register(ILD_PHOTON)
