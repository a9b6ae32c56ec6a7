"""A worker process: reads tasks from its standard input, answers on its standard output.

What Geant4 prints goes to the worker's standard error, a file that the pool reads if Geant4 stops.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import time
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector
from calozoo_core.errors import CalozooError, PluginError

__all__ = ["Answer", "Setup", "Shot", "main"]


@dataclass(frozen=True)
class Setup:
    """The first task: build this detector."""

    detector: Detector


@dataclass(frozen=True)
class Shot:
    """A task: one shower; the arguments of `Simulation.shoot`."""

    particle: str
    energy_gev: float
    direction: tuple[float, float, float]
    seed: int
    frame: int = 0
    at_mm: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Answer:
    """What came of a task: steps of shape (n, 5), or an error; and the CPU time, in s."""

    steps: NDArray[np.float64] | None = None
    error: Exception | None = None
    cpu_s: float = 0.0


def main() -> None:
    """Answer tasks until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the pool, which ends us
    gc.disable()  # steps form no cycles, and looking for some costs 4 % of the time
    tasks, answers = _private_pipes()
    simulation: Any = None
    while True:
        try:
            task = pickle.load(tasks)  # from the pool that started this process, from nobody else
        except EOFError:
            break
        began = time.process_time()
        try:
            if isinstance(task, Setup):
                simulation = _simulation(task.detector)
                answer = Answer()
            else:
                _forget_output()
                steps = simulation.shoot(**vars(task))
                answer = Answer(steps=steps, cpu_s=time.process_time() - began)
        except Exception as error:  # whatever it is, the pool must hear of it
            answer = Answer(error=_portable(error))
        pickle.dump(answer, answers, protocol=5)
        answers.flush()
    os._exit(0)  # Geant4's own clean-up may crash, and nothing is left to save


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Our ends of the pipes; Geant4 then finds an empty input, and prints to the log."""
    tasks, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    # geant4_pybind prints through Python, whose buffer would be lost if Geant4 aborts.
    sys.stdout = sys.stderr = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    return tasks, answers


def _forget_output() -> None:
    """Keep the log short: only what is printed during the current shower is of interest."""
    os.lseek(2, 0, os.SEEK_SET)
    os.ftruncate(2, 0)


def _simulation(detector: Detector) -> Any:
    try:
        from calozoo_geant4.simulation import Simulation
    except ImportError as error:
        msg = f"geant4_pybind cannot be imported ({error}): `pip install geant4_pybind==0.1.3`."
        raise PluginError(msg) from error
    return Simulation(detector)


def _portable(error: Exception) -> Exception:
    """The error, in a form that survives the way to the pool."""
    if isinstance(error, CalozooError):
        return type(error)(str(error), argument=error.arguments)
    return RuntimeError(f"{type(error).__name__}: {error}")
