"""CaloINN: showers from invertible networks on rings of energy."""

from __future__ import annotations

from collections.abc import Callable

from calozoo_core.generator import Conditions, ModelSpec
from calozoo_core.hookspecs import hookimpl

__all__ = ["CLUMPS_SPEC", "ELECTRON_SPEC", "SPEC", "register_models"]

SPEC = ModelSpec(
    name="caloinn.ild-photon",
    summary="Spline flows for layer energies and rings, put back on points by a fitted template.",
    factory="calozoo_caloinn.model:CaloInn",
    representation="x25",
    detector="ild_siecal_regular",
    conditions=Conditions(particles=("gamma",), energy_gev=(1.0, 127.0), theta_deg=(0.0, 60.0)),
    weights="calozoo_caloinn:weights/ild-photon",
    trainer="calozoo_caloinn.training:train",
    license="Apache-2.0",
    papers=("https://arxiv.org/abs/2312.09290",),
)

CLUMPS_SPEC = SPEC.model_copy(
    update={
        "name": "caloinn.ild-photon-clumps",
        "summary": "Spline flows for the core, a library for the halo, Geant4's clumps in every "
        "voxel.",
        "factory": "calozoo_caloinn.clumps.model:CaloInnClumps",
        "representation": "x225",
        "weights": "calozoo_caloinn:weights/ild-photon-clumps",
        "trainer": "calozoo_caloinn.clumps.training:train",
    }
)

ELECTRON_SPEC = ModelSpec(
    name="caloinn.calochallenge2-electron",
    summary="Spline flows for layer energies and, layer by layer, rings; fitted tables for voxels.",
    factory="calozoo_caloinn.cylinder.model:CaloInnCylinder",
    representation="steps",
    detector="par04_siw",
    conditions=Conditions(particles=("e-",), energy_gev=(1.0, 1000.0)),
    weights="calozoo_caloinn:weights/calochallenge2-electron",
    trainer="calozoo_caloinn.cylinder.training:train",
    license="Apache-2.0",
    papers=("https://arxiv.org/abs/2312.09290", "https://arxiv.org/abs/2410.21611"),
)


@hookimpl
def register_models(register: Callable[[ModelSpec], None]) -> None:
    """Bring the models of the architecture; the first is the one a bare name means."""
    register(CLUMPS_SPEC)
    register(SPEC)
    register(ELECTRON_SPEC)
