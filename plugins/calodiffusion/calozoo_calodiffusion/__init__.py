"""CaloDiffusion: showers from a U-Net that takes noise away, in few steps."""

from __future__ import annotations

from collections.abc import Callable

from calozoo_core.generator import Conditions, ModelSpec
from calozoo_core.hookspecs import hookimpl

__all__ = ["SPEC", "register_models"]

SPEC = ModelSpec(
    name="calodiffusion.ild-photon-clumps",
    summary="Diffusion with convolutions on a cylinder for the core, a library for the halo, "
    "Geant4's clumps in every voxel.",
    factory="calozoo_calodiffusion.model:CaloDiffusion",
    representation="x225",
    detector="ild_siecal_regular",
    conditions=Conditions(particles=("gamma",), energy_gev=(1.0, 127.0), theta_deg=(0.0, 60.0)),
    weights="calozoo_calodiffusion:weights/ild-photon-clumps",
    trainer="calozoo_calodiffusion.training:train",
    license="Apache-2.0",
    papers=("https://arxiv.org/abs/2308.03876",),
)


@hookimpl
def register_models(register: Callable[[ModelSpec], None]) -> None:
    """Bring the models of the architecture; the first is the one a bare name means."""
    register(SPEC)
