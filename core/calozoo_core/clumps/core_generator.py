"""Generators whose networks draw the core of a shower, in a number of steps one can choose."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, Final, Generic, Self, TypeVar, cast

import numpy as np
from pydantic import BaseModel

from calozoo_core.clumps.core_sampler import CoreConfig, CoreSampler
from calozoo_core.clumps.generator import ShowersFromCore
from calozoo_core.errors import InputError
from calozoo_core.generator import ModelSpec, Precision
from calozoo_core.incident import Incident
from calozoo_core.network_generator import NetworkGenerator
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import IntArray
from calozoo_core.weights.trained_arrays import TrainedArrays

__all__ = ["CoreGenerator"]

MAX_STEPS: Final = 1000
"""Most evaluations of a network for a shower."""

Config = TypeVar("Config", bound=BaseModel)


class CoreGenerator(NetworkGenerator[Config], Generic[Config]):
    """Generator of photon showers from networks of the core and a library of halos.

    Networks draw the energy within 8 mm of the axis in every layer, and how it divides among five
    rings. One of the nearest showers of a library of Geant4's gives what lies beyond, and how rings
    divide among sectors. Each voxel is filled with the points of one of Geant4's voxels.

    A plugin sets `schema`, whose instances are a `CoreConfig`, and implements `layout` and
    `core_sampler`.

    Arguments:
        spec: Spec it was registered with.
        trained: Trained model.
        device: Only "cpu".
        precision: Only "float32".
        runtime: Only "numpy".
        steps: Evaluations of the network of the rings for a shower; None for what measured best.

    Raises:
        InputError: If the number of steps makes no sense.
    """

    def __init__(
        self,
        spec: ModelSpec,
        trained: TrainedArrays[Config],
        *,
        device: str = "cpu",
        precision: Precision = "float32",
        runtime: str | None = None,
        steps: int | None = None,
    ) -> None:
        is_number = isinstance(steps, int) and not isinstance(steps, bool)
        if steps is not None and not (is_number and 1 <= steps <= MAX_STEPS):
            msg = f"{spec.name} takes 1 to {MAX_STEPS} evaluations of its network, not {steps!r}."
            raise InputError(msg, argument="steps")
        self.config = cast("CoreConfig", trained.config)
        self.steps = self.config.steps if steps is None else steps
        super().__init__(spec, trained, device=device, precision=precision, runtime=runtime)

    @abstractmethod
    def core_sampler(self) -> CoreSampler:
        """Sampler of the energies of the core, of `self.trained` and for `self.steps`."""

    def prepare(self) -> None:
        self._core = self.core_sampler()
        self._showers = ShowersFromCore.of(self.spec.detector)
        self._showers.check(self.spec.name, self.config.core_edges_mm)

    @classmethod
    def load(
        cls,
        spec: ModelSpec,
        folder: Path | None,
        *,
        device: str = "cpu",
        precision: Precision | None = None,
        runtime: str | None = None,
        steps: int | None = None,
    ) -> Self:
        """Generator from a folder with `config.json` and `model.safetensors`.

        Raises:
            WeightsError: If there is no folder, or the files are damaged or do not fit.
            InputError: If the device, the precision, the runtime or the number of steps is
                unavailable.
        """
        trained = cls.read_trained(spec, folder, device, precision)
        return cls(spec, trained, device=device, runtime=runtime, steps=steps)

    @property
    def load_options(self) -> dict[str, Any]:
        """Keyword arguments of `load` that, with its weights, make this generator again."""
        return super().load_options | {"steps": self.steps}

    @property
    def provenance(self) -> dict[str, str | int | float]:
        """Number of evaluations, as a file of its showers says it."""
        return {"steps": self.steps}

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers of these primaries, of which the first is number `first` of the sample."""
        return self.sample_numbers(incident, seed, np.arange(first, first + len(incident)))

    def sample_numbers(self, incident: Incident, seed: int, numbers: IntArray) -> Showers:
        """Showers of these primaries, with these numbers."""
        streams = [stream(seed, int(number), self.spec.architecture) for number in numbers]
        return self._showers(self._core(incident, streams), incident, streams)
