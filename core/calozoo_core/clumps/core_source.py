"""Generators that hand over the core of their showers without making points of the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from calozoo_core.incident import Incident
from calozoo_core.ragged import neighbour_runs
from calozoo_core.typing import Float32Array, IntArray

__all__ = ["CoreSource"]


class CoreSource(ABC):
    """Generator that can sum the rings of its showers before they are `Showers`.

    A plugin derives from this beside `Generator` and implements `sample_core`; `ClumpsGenerator`
    then asks it for rings, which are those of its showers up to rounding.
    """

    @abstractmethod
    def sample_core(
        self, incident: Incident, seed: int, first: int, edges_mm: tuple[float, ...]
    ) -> Float32Array:
        """Energies of the innermost rings of the showers that `sample` would make.

        Arguments:
            incident: The n primaries.
            seed: The user's seed.
            first: Number of the first of them in the whole sample.
            edges_mm: Radii between the rings, and the one at which the last ends.

        Returns:
            In MeV, shape (n, n_layers, rings).
        """

    def core_numbers(
        self, incident: Incident, seed: int, numbers: IntArray, edges_mm: tuple[float, ...]
    ) -> Float32Array:
        """As `sample_core`, for showers whose numbers need not follow one another.

        Arguments:
            incident: The n primaries.
            seed: The user's seed.
            numbers: Their numbers in the whole sample, shape (n,).
            edges_mm: Radii between the rings, and the one at which the last ends.
        """
        runs = neighbour_runs(numbers)
        if len(runs) == 1:
            return self.sample_core(incident, seed, int(numbers[0]), edges_mm)
        parts = [
            self.sample_core(incident[run], seed, int(numbers[run.start]), edges_mm) for run in runs
        ]
        return np.concatenate(parts)
