"""Trained models as they are stored: configuration and arrays, read and written without torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel

from calozoo_core.weights.files import read_arrays, read_config, write_weights
from calozoo_core.weights.layout import Arrays, Layout, part

__all__ = ["TrainedArrays", "count_trained"]

Config = TypeVar("Config", bound=BaseModel)


@dataclass(frozen=True, eq=False)
class TrainedArrays(Generic[Config]):
    """Configuration and arrays of a trained model, the content of its two files.

    Arguments:
        config: Content of `config.json`.
        arrays: Tensors of `model.safetensors`, by name.
    """

    config: Config
    arrays: Arrays

    @classmethod
    def read(cls, folder: Path, schema: type[Config], layout: Callable[[Config], Layout]) -> Self:
        """Model of a folder with `config.json` and `model.safetensors`.

        Arguments:
            folder: Where they are.
            schema: Class of the configuration.
            layout: Layout of the tensors of a configuration.

        Raises:
            WeightsError: If the files are damaged or do not fit each other.
        """
        config = read_config(folder, schema)
        expected = layout(config)
        shapes = {name: entry.shape for name, entry in expected.items()}
        dtypes = {name: entry.dtype for name, entry in expected.items()}
        return cls(config, read_arrays(folder, shapes, dtypes))

    def write(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors`, whole or not at all.

        Raises:
            WeightsError: If the folder cannot be written to.
        """
        write_weights(folder, self.config, self.arrays)

    def part(self, name: str) -> Arrays:
        """Arrays of a part, by their names in it.

        Arguments:
            name: Name of the part: what stands before the dot in `model.safetensors`.
        """
        return part(self.arrays, name)

    def table(self, tables: type[Any], name: str) -> Any:
        """Tables of a part.

        Arguments:
            tables: NamedTuple of arrays.
            name: Name of the part.
        """
        return tables(**self.part(name))


def count_trained(layout: Layout) -> int:
    """Number of trained parameters of a layout."""
    return sum(math.prod(entry.shape) for entry in layout.values() if entry.is_trained)
