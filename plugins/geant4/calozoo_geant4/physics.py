"""What particles do, by the name Geant4 gives it."""

# mypy: disallow-subclassing-any=False

from __future__ import annotations

from typing import Any

from calozoo_core.detector import Detector
from calozoo_core.errors import DetectorError
from calozoo_geant4.pybind import g4

__all__ = ["physics_list"]


def physics_list(detector: Detector) -> Any:
    """Geant4's physics list for a detector.

    Its `physics` names an electromagnetic constructor, such as G4EmStandardPhysics, or one of
    Geant4's reference lists, such as FTFP_BERT, which needs data sets of its own.

    Raises:
        DetectorError: If Geant4 has none of that name.
    """
    kind = getattr(g4, detector.physics, None)
    if isinstance(kind, type) and issubclass(kind, g4.G4VModularPhysicsList):
        return kind()
    if detector.physics not in _constructors():
        msg = (
            f"Geant4 has no electromagnetic physics {detector.physics!r}, which detector "
            f"{detector.name} asks for; it has {', '.join(_constructors())}."
        )
        raise DetectorError(msg)
    return _Physics(kind)


def _constructors() -> list[str]:
    """Electromagnetic physics for calorimeters, not for water in cells."""
    return sorted(
        name
        for name, kind in vars(g4).items()
        if name.startswith("G4Em")
        and "DNA" not in name
        and isinstance(kind, type)
        and issubclass(kind, g4.G4VPhysicsConstructor)
    )


class _Physics(g4.G4VModularPhysicsList):
    """Electromagnetic physics and nothing else."""

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self._constructor = kind()
        self.RegisterPhysics(self._constructor)
