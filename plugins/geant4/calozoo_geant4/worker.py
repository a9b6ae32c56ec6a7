"""Worker process of Geant4: tasks on its standard input, replies on its standard output.

Geant4's own output goes to the standard error, a file that the pool reads if Geant4 stops.
"""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import signal
import sys
import time
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import Detector
from calozoo_core.errors import CalozooError, PluginError
from calozoo_core.full_simulation import PrimaryDeposits

__all__ = ["DetectorTask", "ShowerTask", "WorkerReply", "WorkerTask", "built_simulation", "main"]


@dataclass(frozen=True)
class DetectorTask:
    """First task: the detector to build."""

    detector: Detector

    def build(self) -> Any:
        """Simulation of the detector, which the other tasks use."""
        return built_simulation("calozoo_geant4.simulation", "Simulation", self.detector)


@dataclass(frozen=True)
class ShowerTask:
    """Task of one shower: the arguments of `Simulation.shoot`."""

    particle: str
    energy_gev: float
    direction: tuple[float, float, float]
    seed: int
    frame: int = 0
    at_mm: tuple[float, float] = (0.0, 0.0)

    def run(self, simulation: Any) -> WorkerReply:
        """Steps of the shower."""
        return WorkerReply(steps=simulation.shoot(**vars(self)))


@dataclass(frozen=True)
class WorkerReply:
    """Result of a task.

    Arguments:
        steps: Steps of a shower, shape (n, 5), as `Simulation.shoot` returns them.
        deposits: Deposits of a primary of an event.
        error: Error of the task, if it failed.
        cpu_s: CPU time in s.
    """

    steps: NDArray[np.float64] | None = None
    deposits: PrimaryDeposits | None = None
    error: Exception | None = None
    cpu_s: float = 0.0


class WorkerTask(Protocol):
    """Task that a worker runs with its simulation; it must be picklable."""

    @property
    def energy_gev(self) -> float:
        """Energy, by which long tasks are known."""

    def run(self, simulation: Any) -> WorkerReply:
        """Reply to the task."""


def main() -> None:
    """Run tasks until the input ends."""
    for name in ("SIGINT", "SIGHUP", "SIGUSR1"):  # which go to all; the pool ends its workers
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    gc.disable()  # steps form no cycles, and looking for some costs 4 % of the time
    tasks, replies = _private_pipes()
    simulation: Any = None
    while True:
        try:
            task = pickle.load(tasks)  # from the pool that started this process, from nobody else
        except EOFError:
            break
        began = time.process_time()
        try:
            if isinstance(task, DetectorTask):
                simulation = task.build()
                reply = WorkerReply()
            else:
                _clear_log()
                reply = replace(task.run(simulation), cpu_s=time.process_time() - began)
        except Exception as error:  # any error is reported to the pool
            reply = WorkerReply(error=_picklable(error))
        pickle.dump(reply, replies, protocol=5)
        replies.flush()
    os._exit(0)  # Geant4's own clean-up may crash, and nothing is left to save


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Pipes of tasks and replies; Geant4 is left with an empty input, and prints to the log."""
    tasks, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    # geant4_pybind prints through Python, whose buffer would be lost if Geant4 aborts.
    sys.stdout = sys.stderr = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    return tasks, replies


def _clear_log() -> None:
    """Empty the log, so that it has the output of the current shower only."""
    os.lseek(2, 0, os.SEEK_SET)
    os.ftruncate(2, 0)


def built_simulation(module: str, name: str, *arguments: Any) -> Any:
    """Simulation of a class whose module imports geant4_pybind.

    Arguments:
        module: Full name of the module.
        name: Name of the class.
        arguments: Arguments of the class.

    Raises:
        PluginError: If geant4_pybind cannot be imported.
    """
    try:
        kind = getattr(importlib.import_module(module), name)
    except ImportError as error:
        msg = f"geant4_pybind cannot be imported ({error}): `pip install geant4_pybind==0.1.3`."
        raise PluginError(msg) from error
    return kind(*arguments)


def _picklable(error: Exception) -> Exception:
    """The error in a form that can be sent to the pool."""
    if isinstance(error, CalozooError):
        return type(error)(str(error), argument=error.arguments)
    return RuntimeError(f"{type(error).__name__}: {error}")
