"""Steering of ddsim: how DDML is told to use an exported model in the ILD calorimeter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calozoo_core.errors import InputError

if TYPE_CHECKING:
    from calozoo_core.generator import ModelSpec

__all__ = ["DDML_INTERFACES", "steering"]

TRIGGER_GEV = 5.0
"""Energy above which DDML hands a particle to the model: that of DDML's own photon runs."""


@dataclass(frozen=True)
class DdmlInterface:
    """Actions of DDML that an interface of exported models is for.

    Arguments:
        barrel: Name under which DDML registers the action of the barrel.
        endcap: Name of that of the endcaps.
        corrects_for_angles: DDML shears what the model returns.
        properties: Further properties of the actions.
    """

    barrel: str
    endcap: str
    corrects_for_angles: bool
    properties: tuple[tuple[str, str], ...] = ()


DDML_INTERFACES: Final = {
    "ddml-points": DdmlInterface(
        "CaloCloudsTwoAngleModelPolyhedraBarrelTorchModel",
        "CaloCloudsTwoAngleModelEndcapTorchModel",
        corrects_for_angles=False,
    ),
    "ddml-x9": DdmlInterface(
        "L2LFlowsModelPolyhedraBarrelTorchModel",
        "L2LFlowsModelEndcapTorchModel",
        corrects_for_angles=True,
        properties=(
            ("NBinsX", "90"),
            ("NBinsY", "90"),
            ("NBinsZ", "30"),
            ("CellSizeX", "5.0883331"),
            ("CellSizeY", "5.0883331"),
            ("Factor", "3"),
            ("GridShiftX", "0.0"),
            ("GridShiftY", "0.0"),
            ("RandomShift", "True"),
        ),
    ),
}
"""Interfaces that DDML has an action for, which reads TorchScript."""

_STEERING: Final = """\
# Steering for ddsim: {particles} in the ECAL of ILD are simulated by {model} through DDML.
# The geometry needs <region name="EcalBarrelRegion"/> and <region name="EcalEndcapRegion"/>, and on
# the detectors EcalBarrel and EcalEndcap region="EcalBarrelRegion" and region="EcalEndcapRegion".
# The model was trained on {conditions}.


def use_{function}(kernel):
    from DDG4 import DetectorConstruction, Geant4, PhysicsList
    from g4units import GeV

    particles = {particle_list}
    sequence = Geant4(kernel).detectorConstruction()
    for detector, action in (
        ("EcalBarrel", "{barrel}"),
        ("EcalEndcap", "{endcap}"),
    ):
        model = DetectorConstruction(kernel, f"{{action}}/{{detector}}Model")
        model.RegionName = f"{{detector}}Region"
        model.Detector = detector
        if detector == "EcalBarrel":
            model.Symmetry = 8
        model.Enable = True
        model.CorrectForAngles = {corrects}
        model.ApplicableParticles = set(particles)
        model.Etrigger = {{particle: {trigger:g} * GeV for particle in particles}}
        model.ModelPath = {path!r}
        model.OptimizeFlag = 1
        model.IntraOpNumThreads = 1
{properties}        model.enableUI()
        sequence.adopt(model)

    physics = PhysicsList(kernel, "Geant4FastPhysics/FastPhysicsList")
    physics.EnabledParticles = particles
    physics.BeVerbose = True
    physics.enableUI()
    kernel.physicsList().adopt(physics)


SIM.physics.setupUserPhysics(use_{function})
"""


def steering(spec: ModelSpec, interface: str, file: Path) -> str:
    """Part of a steering file for ddsim that puts an exported model to work.

    Arguments:
        spec: Spec of the model.
        interface: Interface of the file, one of `DDML_INTERFACES`.
        file: The TorchScript file.

    Raises:
        InputError: If DDML has no action for the interface.
    """
    if interface not in DDML_INTERFACES:
        msg = (
            f"DDML has no action for the interface {interface!r}; give interface="
            f"{' or '.join(DDML_INTERFACES)}."
        )
        raise InputError(msg, argument="interface")
    ddml = DDML_INTERFACES[interface]
    particles = spec.conditions.particles
    return _STEERING.format(
        model=spec.name,
        function=spec.architecture.replace("-", "_").lstrip("0123456789"),
        particles=" and ".join(particles),
        particle_list=list(particles),
        conditions=spec.conditions.summary,
        barrel=ddml.barrel,
        endcap=ddml.endcap,
        corrects=ddml.corrects_for_angles,
        trigger=max(TRIGGER_GEV, spec.conditions.energy_gev[0]),
        path=str(file.resolve()),
        properties="".join(f"        model.{name} = {value}\n" for name, value in ddml.properties),
    )
