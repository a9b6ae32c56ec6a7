"""A detector's materials in Geant4."""

from __future__ import annotations

from typing import Any

from calozoo_core.detector import Detector, Material
from calozoo_core.errors import DetectorError
from calozoo_geant4.pybind import g4
from calozoo_geant4.solids import AIR

__all__ = ["Materials"]


class Materials(dict[str | None, Any]):
    """Geant4's materials by the names a detector uses; None is the air around it.

    Raises:
        DetectorError: If Geant4 knows no such material or element.
    """

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self[None] = g4.G4NistManager.Instance().FindOrBuildMaterial(AIR)
        for name in dict.fromkeys(slab.material for slab in detector.slabs):
            entry = detector.materials[name]
            if isinstance(entry, str):
                self[name] = _nist_material(detector.name, name, entry)
            else:
                self[name] = _mixture(detector.name, name, entry)


def _nist_material(detector: str, name: str, nist_name: str) -> Any:
    material = g4.G4NistManager.Instance().FindOrBuildMaterial(nist_name)
    if material is None:
        msg = (
            f"Geant4 knows no material {nist_name!r}, which detector {detector} uses for {name}; "
            "give it a name from Geant4's list, such as G4_W, or its density and mass fractions."
        )
        raise DetectorError(msg)
    return material


def _mixture(detector: str, name: str, mixture: Material) -> Any:
    elements = {
        symbol: g4.G4NistManager.Instance().FindOrBuildElement(symbol)
        for symbol in mixture.mass_fractions
    }
    unknown = [symbol for symbol, element in elements.items() if element is None]
    if unknown:
        msg = (
            f"Geant4 knows no element {unknown[0]!r}, which detector {detector} has in {name}; "
            "write its symbol, such as Cu."
        )
        raise DetectorError(msg)
    material = g4.G4Material(name, mixture.density_g_cm3 * g4.g / g4.cm3, len(elements))
    for symbol, fraction in mixture.mass_fractions.items():
        material.AddElement(elements[symbol], fraction)
    return material
