"""3DGAN: photon showers in the ILD Si-W ECAL from a conditional adversarial network."""

from __future__ import annotations

from collections.abc import Callable

from calozoo_core.clumps_spec import clumps_spec
from calozoo_core.generator import Conditions, ModelSpec
from calozoo_core.hookspecs import hookimpl

__all__ = ["CLUMPS", "SPEC", "register_models"]

SPEC = ModelSpec(
    name="3dgan.ild-photon",
    aliases=("gan3d",),
    summary="A generative adversarial network that draws all layers in one pass.",
    factory="calozoo_gan3d.model:Gan3d",
    representation="x9",
    detector="ild_siecal_regular",
    conditions=Conditions(particles=("gamma",), energy_gev=(1.0, 127.0), theta_deg=(0.0, 60.0)),
    weights="calozoo_gan3d:weights/ild-photon",
    trainer="calozoo_gan3d.training:train",
    license="Apache-2.0",
    papers=("https://arxiv.org/abs/2109.07388",),
)

CLUMPS = clumps_spec(
    SPEC, "Cores of the images, a library for the halo, Geant4's clumps in voxels."
)


@hookimpl
def register_models(register: Callable[[ModelSpec], None]) -> None:
    """Bring the models of the architecture; the first is the one a bare name means."""
    register(CLUMPS)
    register(SPEC)
