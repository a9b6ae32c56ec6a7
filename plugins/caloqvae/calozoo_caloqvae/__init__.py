"""CaloQVAE: showers from a Boltzmann machine on the graph of a quantum annealer."""

from __future__ import annotations

from collections.abc import Callable

from calozoo_core.generator import Conditions, ModelSpec
from calozoo_core.hookspecs import hookimpl

__all__ = ["SPEC", "register_models"]

SPEC = ModelSpec(
    name="caloqvae.ild-photon-clumps",
    summary="Boltzmann machine on an annealer's graph for the core, a library for the halo, "
    "Geant4's clumps in every voxel.",
    factory="calozoo_caloqvae.model:CaloQvae",
    representation="x225",
    detector="ild_siecal_regular",
    conditions=Conditions(particles=("gamma",), energy_gev=(1.0, 127.0), theta_deg=(0.0, 60.0)),
    weights="calozoo_caloqvae:weights/ild-photon-clumps",
    trainer="calozoo_caloqvae.training:train",
    license="Apache-2.0",
    papers=(
        "https://arxiv.org/abs/2410.22870",
        "https://arxiv.org/abs/2412.04677",
        "https://arxiv.org/abs/2312.03179",
    ),
)


@hookimpl
def register_models(register: Callable[[ModelSpec], None]) -> None:
    """Bring the models of the architecture; the first is the one a bare name means."""
    register(SPEC)
