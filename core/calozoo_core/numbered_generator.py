"""Generators that make showers of any numbers at once."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from calozoo_core.generator import Generator
from calozoo_core.incident import Incident
from calozoo_core.showers import Showers
from calozoo_core.typing import IntArray

__all__ = ["NumberedGenerator"]


class NumberedGenerator(Generator):
    """Generator whose showers need not have numbers that follow one another.

    A plugin implements `sample_numbers` in place of `sample`.
    """

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers of these primaries, of which the first is number `first` of the sample."""
        return self.sample_numbers(incident, seed, np.arange(first, first + len(incident)))

    @abstractmethod
    def sample_numbers(self, incident: Incident, seed: int, numbers: IntArray) -> Showers:
        """Showers of these primaries, each with a number of its own.

        Shower `numbers[i]` must depend on its primary, `seed` and this number alone, up to float
        rounding.

        Arguments:
            incident: The n primaries.
            seed: The user's seed.
            numbers: Their numbers in the whole sample, shape (n,).
        """
