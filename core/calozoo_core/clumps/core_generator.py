"""Generators whose networks draw the core of a shower, in a number of steps one can choose."""

from __future__ import annotations

from abc import abstractmethod
from typing import Generic, TypeVar

from calozoo_core.clumps.core_config import CoreConfig
from calozoo_core.clumps.core_sampler import CoreSampler
from calozoo_core.clumps.generator import ShowersFromCore
from calozoo_core.incident import Incident
from calozoo_core.numbered_generator import NumberedGenerator
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.stepped_generator import SteppedGenerator
from calozoo_core.typing import IntArray

__all__ = ["CoreGenerator"]

Config = TypeVar("Config", bound=CoreConfig)


class CoreGenerator(NumberedGenerator, SteppedGenerator[Config], Generic[Config]):
    """Generator of photon showers from networks of the core and a library of halos.

    Networks draw the energy within 8 mm of the axis in every layer, and how it divides among five
    rings. What lies beyond, and how rings divide among sectors, comes layer by layer from the
    showers of a library of Geant4's that match the core best. Each voxel is filled with the points
    of one of Geant4's voxels.

    A plugin sets `schema`, a `CoreConfig`, and implements `layout` and `core_sampler`.

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

    @abstractmethod
    def core_sampler(self) -> CoreSampler:
        """Sampler of the energies of the core, of `self.trained` and for `self.steps`."""

    def prepare(self) -> None:
        self.config = self.trained.config
        self._core = self.core_sampler()
        self._showers = ShowersFromCore.of(self.spec.detector)
        self._showers.check(self.spec.name, self.config.core_edges_mm)

    def sample_numbers(self, incident: Incident, seed: int, numbers: IntArray) -> Showers:
        """Showers of these primaries, with these numbers."""
        streams = [stream(seed, int(number), self.spec.architecture) for number in numbers]
        return self._showers(self._core(incident, streams), incident, streams)
