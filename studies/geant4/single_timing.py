"""One CPU timing of Geant4, run by `cpu_time` in a process of its own.

Geant4 takes over the process that imports it, so nothing else imports this module.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from calozoo_core.detector import Detector, load_detector
from calozoo_geant4 import simulation as simulation_module
from calozoo_geant4.pybind import g4
from calozoo_geant4.simulation import Simulation, physics_list

__all__ = ["VARIANTS", "main"]

ENERGY_GEV = 20.0

_REFERENCES: list[Any] = []  # Geant4 holds no references to Python objects


def _unchanged(simulation: Simulation) -> None:
    del simulation


def _unrecorded(simulation: Simulation) -> None:
    simulation.recorder.Activate(False)


def _empty_callback(simulation: Simulation) -> None:
    simulation.recorder.__dict__["ProcessHits"] = lambda _step, _history: True


def _field_manager() -> Any:
    return g4.G4TransportationManager.GetTransportationManager().GetFieldManager()


def _no_field(simulation: Simulation) -> None:
    del simulation
    _field_manager().SetDetectorField(None)


def _field_driver(number: int) -> Callable[[Simulation], None]:
    def change(simulation: Simulation) -> None:
        del simulation
        finder = g4.G4ChordFinder(_field_manager().GetDetectorField(), 0.01, None, number)
        _REFERENCES.append(finder)
        _field_manager().SetChordFinder(finder)

    return change


def _coarse_chords(simulation: Simulation) -> None:
    del simulation
    _field_manager().GetChordFinder().SetDeltaChord(2.5)


VARIANTS: dict[str, Callable[[Simulation], None]] = {
    "as it is": _unchanged,
    "nothing recorded": _unrecorded,
    "an empty Python function called instead": _empty_callback,
    "no field": _no_field,
    "field integrated by interpolation": _field_driver(3),
    "chords ten times coarser, 2.5 mm": _coarse_chords,
    "scattering as part of transportation": _unchanged,
    "the same, several steps at once": _unchanged,
}
_COMMANDS = {
    "scattering as part of transportation": "/process/em/transportationWithMsc Enabled",
    "the same, several steps at once": "/process/em/transportationWithMsc MultipleSteps",
}


def _physics_with_command(command: str, detector: Detector) -> Any:
    """The physics list, after a command that its construction would undo if it came earlier."""
    physics = physics_list(detector)
    g4.G4UImanager.GetUIpointer().ApplyCommand(command)
    return physics


def main(detector: str, variant: str, n: int, result: Path) -> None:
    """Simulate n photons of 20 GeV at normal incidence, and write the CPU time per GeV in ms.

    The number of steps per GeV is written as well: a variant that changes it simulates other
    showers.
    """
    if variant in _COMMANDS:
        vars(simulation_module)["physics_list"] = partial(_physics_with_command, _COMMANDS[variant])
    simulation = Simulation(load_detector(detector))
    gc.disable()  # as in a worker
    simulation.shoot("gamma", 1.0, (0.0, 0.0, 1.0), 1, at_mm=(50.0, 10.0))
    VARIANTS[variant](simulation)
    began = time.process_time()
    n_steps = 0
    for i in range(n):
        n_steps += len(
            simulation.shoot("gamma", ENERGY_GEV, (0.0, 0.0, 1.0), 1000 + i, at_mm=(50.0, 10.0))
        )
    seconds, total_gev = time.process_time() - began, n * ENERGY_GEV
    timing = {"ms_per_gev": 1e3 * seconds / total_gev, "steps_per_gev": n_steps / total_gev}
    result.write_text(json.dumps(timing), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
