"""Showers of a library in the guise of the simulation that made them, to feed another model."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

from calozoo.benchmark.simulation_cache import SHARD, Library
from calozoo_core.errors import InputError
from calozoo_core.generator import Generator, ModelSpec, Precision
from calozoo_core.incident import Incident
from calozoo_core.showers import Showers

__all__ = ["Shelf"]


class Shelf(Generator):
    """Hands out the showers that a library holds of a sample's primaries.

    Arguments:
        library: With points.
    """

    default_batch_size: ClassVar[int] = SHARD

    def __init__(self, library: Library) -> None:
        super().__init__(library.spec)
        self._library = library

    @classmethod
    def load(
        cls,
        spec: ModelSpec,
        folder: Path | None,
        *,
        device: str = "cpu",
        precision: Precision | None = None,
    ) -> Self:
        """Not a model that is loaded by name.

        Raises:
            InputError: Always.
        """
        del folder, device, precision
        msg = f"Showers that {spec.name} made before are not loaded by name: give their Library."
        raise InputError(msg)

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """The library's showers of these primaries, of which the first is number `first`."""
        del seed
        return self._library.showers(slice(first, first + len(incident)))

    @property
    def precision(self) -> str:
        """What simulations compute in."""
        return "float64"
