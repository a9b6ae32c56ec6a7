"""ConvL2LFlows: photon showers in the ILD Si-W ECAL on a regular grid, layer after layer."""

from __future__ import annotations

from collections.abc import Callable

from calozoo_core.clumps_spec import clumps_spec
from calozoo_core.generator import Conditions, ModelSpec
from calozoo_core.hookspecs import hookimpl

__all__ = ["CLUMPS", "SPEC", "register_models"]

SPEC = ModelSpec(
    name="convl2lflows.ild-photon",
    summary="A regular grid of 90 x 90 x 30 sub-cells, filled by flows layer after layer.",
    factory="calozoo_convl2lflows.model:ConvL2LFlows",
    representation="x9",
    detector="ild_siecal_regular",
    conditions=Conditions(particles=("gamma",), energy_gev=(1.0, 127.0), theta_deg=(0.0, 60.0)),
    weights="calozoo_convl2lflows:weights/ild-photon",
    trainer="calozoo_convl2lflows.training:train",
    license="Apache-2.0",
    papers=(
        "https://arxiv.org/abs/2405.20407",
        "https://arxiv.org/abs/2511.17293",
    ),
)

CLUMPS = clumps_spec(SPEC, "Cores of the grids, a library for the halo, Geant4's clumps in voxels.")


@hookimpl
def register_models(register: Callable[[ModelSpec], None]) -> None:
    """Bring the models of the architecture; the first is the one a bare name means."""
    register(CLUMPS)
    register(SPEC)
