"""Generators that another generator feeds."""

from __future__ import annotations

from typing import Any

from calozoo_core.generator import Generator, ModelSpec

__all__ = ["FedGenerator"]


class FedGenerator(Generator):
    """Generator that changes the showers of another, which has its device and its precision.

    Arguments:
        spec: Spec it was registered with.
        source: The other generator; it is closed with this one.
    """

    def __init__(self, spec: ModelSpec, source: Generator) -> None:
        super().__init__(spec)
        self._source = source

    @property
    def load_options(self) -> dict[str, Any]:
        """The generator that feeds this one."""
        return {"source": self._source}

    @property
    def precision(self) -> str:
        """Precision of the source."""
        return self._source.precision

    @property
    def device(self) -> str:
        """Device of the source."""
        return self._source.device

    def close(self) -> None:
        """Close the source."""
        self._source.close()
