"""A bare loop of Geant4 and one that records, run by `overhead` in a process of its own.

Geant4 takes over the process that imports it, so nothing else imports this module.
"""

from __future__ import annotations

import gc
import json
import sys
import time

from calozoo_core.detector import load_detector
from calozoo_geant4.simulation import Simulation

__all__ = ["main"]


def main() -> None:
    """Answer each line of the input, and one "ready" before them, with a line of the output.

    A line is JSON: whether steps are recorded, the energy in GeV, and the seeds of the photons. The
    answer is the seconds they took.
    """
    simulation = Simulation(load_detector("ild_siecal_regular"))
    gc.disable()  # as in a worker
    simulation.shoot("gamma", 1.0, (0.0, 0.0, 1.0), 1)
    print("seconds ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        is_recorded, energy_gev, seeds = json.loads(line)
        # Switched off, Geant4 does not call it: no Python runs while a photon is simulated.
        simulation.recorder.Activate(is_recorded)
        began = time.perf_counter()
        for seed in seeds:
            simulation.shoot("gamma", energy_gev, (0.0, 0.0, 1.0), seed)
        print("seconds", time.perf_counter() - began, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
