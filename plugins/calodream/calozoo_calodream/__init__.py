"""CaloDREAM: showers from transformers that follow a flow from noise, in few steps."""

from __future__ import annotations

from collections.abc import Callable

from calozoo_core.generator import Conditions, ModelSpec
from calozoo_core.hookspecs import hookimpl

__all__ = ["ELECTRON_SPEC", "SPEC", "register_models"]

SPEC = ModelSpec(
    name="calodream.ild-photon-clumps",
    summary="Transformers with flow matching for the core, a library for the halo, Geant4's "
    "clumps in every voxel.",
    factory="calozoo_calodream.model:CaloDream",
    representation="x225",
    detector="ild_siecal_regular",
    conditions=Conditions(particles=("gamma",), energy_gev=(1.0, 127.0), theta_deg=(0.0, 60.0)),
    weights="calozoo_calodream:weights/ild-photon-clumps",
    trainer="calozoo_calodream.training:train",
    license="Apache-2.0",
    papers=("https://arxiv.org/abs/2405.09629", "https://arxiv.org/abs/2601.05289"),
)

ELECTRON_SPEC = ModelSpec(
    name="calodream.calochallenge2-electron",
    summary="Transformers with flow matching for layer energies and voxels in patches.",
    factory="calozoo_calodream.cylinder.model:CaloDreamCylinder",
    representation="steps",
    detector="par04_siw",
    conditions=Conditions(particles=("e-",), energy_gev=(1.0, 1000.0)),
    weights="calozoo_calodream:weights/calochallenge2-electron",
    trainer="calozoo_calodream.cylinder.training:train",
    license="Apache-2.0",
    papers=("https://arxiv.org/abs/2405.09629", "https://arxiv.org/abs/2410.21611"),
)


@hookimpl
def register_models(register: Callable[[ModelSpec], None]) -> None:
    """Bring the models of the architecture; the first is the one a bare name means."""
    register(SPEC)
    register(ELECTRON_SPEC)
