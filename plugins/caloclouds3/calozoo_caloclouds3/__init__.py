"""CaloClouds3: photon showers in the ILD Si-W ECAL as point clouds, at any energy and angle."""

from __future__ import annotations

from collections.abc import Callable

from calozoo_core.clumps_spec import clumps_spec
from calozoo_core.generator import Conditions, ModelSpec
from calozoo_core.hookspecs import hookimpl

__all__ = ["CELLS", "CLUMPS", "SPEC", "register_models"]

SPEC = ModelSpec(
    name="caloclouds3.ild-photon",
    summary="Point clouds from a normalising flow and a one-step consistency model.",
    factory="calozoo_caloclouds3.model:CaloClouds3",
    representation="x25",
    detector="ild_siecal_regular",
    conditions=Conditions(particles=("gamma",), energy_gev=(1.0, 127.0), theta_deg=(0.0, 60.0)),
    weights="calozoo_caloclouds3:weights/ild-photon",
    trainer="calozoo_caloclouds3.training:train",
    converter="calozoo_caloclouds3.published_weights:convert",
    license="Apache-2.0",
    papers=("https://arxiv.org/abs/2511.01460",),
)

CELLS = SPEC.model_copy(
    update={
        "name": "caloclouds3.ild-photon-cells",
        "summary": "The same network with the papers' calibration: Geant4's number of cells.",
        "weights": "calozoo_caloclouds3:weights/ild-photon-cells",
        "trainer": None,
        "converter": None,
    }
)

CLUMPS = clumps_spec(
    SPEC, "Cores of the point clouds, a library for the halo, Geant4's clumps in voxels."
)


@hookimpl
def register_models(register: Callable[[ModelSpec], None]) -> None:
    """Bring the models of the architecture; the first is the one a bare name means."""
    register(CLUMPS)
    register(SPEC)
    register(CELLS)
