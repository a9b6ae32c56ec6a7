"""Generators that make showers of any numbers at once."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from calozoo_core.generator import Generator

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from calozoo_core.incident import Incident
    from calozoo_core.showers import Showers

__all__ = ["NumberedGenerator"]


class NumberedGenerator(Generator):
    """Generator whose showers need not have numbers that follow one another.

    A plugin implements `sample_numbers` in place of `sample`.
    """

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers of these primaries, of which the first is number `first` of the sample."""
        import numpy as np

        return self.sample_numbers(incident, seed, np.arange(first, first + len(incident)))

    @abstractmethod
    def sample_numbers(self, incident: Incident, seed: int, numbers: NDArray[np.int64]) -> Showers:
        """Showers of these primaries, each with a number of its own.

        Shower `numbers[i]` must depend on its primary, `seed` and this number alone, up to float
        rounding.

        Arguments:
            incident: The n primaries.
            seed: The user's seed.
            numbers: Their numbers in the whole sample, shape (n,).
        """
