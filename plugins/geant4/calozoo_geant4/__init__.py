"""Geant4 as a model of the zoo, the reference of all others."""

from __future__ import annotations

from collections.abc import Callable

from calozoo_core.generator import Conditions, ModelSpec
from calozoo_core.hookspecs import hookimpl

__all__ = ["ILD_SIECAL", "ILD_SIECAL_REGULAR", "PAR04_SIW", "register_models"]

ILD_SIECAL_REGULAR = ModelSpec(
    name="geant4.ild-siecal-regular",
    summary="Geant4 11.4.1 itself, every step in the silicon of the gapless ILD Si-W ECAL.",
    factory="calozoo_geant4.generator:Geant4",
    representation="steps",
    detector="ild_siecal_regular",
    conditions=Conditions(
        particles=("gamma", "e-", "e+"), energy_gev=(0.01, 1000), theta_deg=(0, 89)
    ),
    license="Apache-2.0",
    papers=(
        "https://doi.org/10.1016/S0168-9002(03)01368-8",
        "https://doi.org/10.1109/TNS.2006.869826",
        "https://doi.org/10.1016/j.nima.2016.06.125",
    ),
)

ILD_SIECAL = ILD_SIECAL_REGULAR.model_copy(
    update={
        "name": "geant4.ild-siecal",
        "summary": "Geant4 11.4.1 itself, every step in the silicon of the real ILD Si-W ECAL, "
        "gaps and all.",
        "detector": "ild_siecal",
    }
)

PAR04_SIW = ILD_SIECAL_REGULAR.model_copy(
    update={
        "name": "geant4.par04-siw",
        "summary": "Geant4 11.4.1 itself, every step in the silicon of the Par04 cylinder of 90 "
        "tungsten layers.",
        "detector": "par04_siw",
        "conditions": Conditions(
            particles=("e-", "gamma", "e+"), energy_gev=(0.01, 1000), theta_deg=(0, 89)
        ),
    }
)


@hookimpl
def register_models(register: Callable[[ModelSpec], None]) -> None:
    """Register Geant4 in three detectors."""
    for spec in (ILD_SIECAL_REGULAR, ILD_SIECAL, PAR04_SIW):
        register(spec)
