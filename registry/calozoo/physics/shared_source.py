"""Source of showers that several models are fed with, which makes each shower once."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from calozoo_core.generator import Generator, Precision
from calozoo_core.incident import Incident
from calozoo_core.numbered_generator import NumberedGenerator
from calozoo_core.showers import Showers
from calozoo_core.typing import IntArray

__all__ = ["SharedSource"]


class SharedSource(NumberedGenerator):
    """Source that keeps its showers until `forget`, for models that ask for the same ones in turn.

    Arguments:
        source: Source of the showers.
    """

    def __init__(self, source: Generator) -> None:
        super().__init__(source.spec)
        self.default_batch_size = source.default_batch_size  # type: ignore[misc]
        self.checks_particle = source.checks_particle  # type: ignore[misc]
        self._source = source
        self._made: dict[tuple[int, bytes], tuple[Incident, Showers]] = {}

    @classmethod
    def load(
        cls,
        spec: Any,
        folder: Path | None,
        *,
        device: str = "cpu",
        precision: Precision | None = None,
    ) -> NoReturn:
        """Not to be had by name: it is made of another generator."""
        raise NotImplementedError

    def sample_numbers(self, incident: Incident, seed: int, numbers: IntArray) -> Showers:
        """Showers of the source, made when they are asked for the first time.

        Arguments:
            incident: The n primaries.
            seed: Seed of the sample.
            numbers: Number of each shower in the sample, shape (n,).
        """
        key = (seed, numbers.tobytes())
        if key not in self._made or self._made[key][0] != incident:
            self._made[key] = incident, self._source.sample_numbers(incident, seed, numbers)
        return self._made[key][1]

    @property
    def precision(self) -> str:
        """Precision of the source."""
        return self._source.precision

    def forget(self) -> None:
        """Forget the showers made so far."""
        self._made.clear()

    def close(self) -> None:
        """Close the source."""
        self._source.close()
