"""Layout of a model's tensors: name, shape and type of each, from its configuration alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Arrays", "Layout", "TensorLayout", "part", "prefixed", "zeros"]

Arrays = Mapping[str, NDArray[Any]]
"""Tensors by name, as arrays."""


@dataclass(frozen=True)
class TensorLayout:
    """Shape and type of a tensor.

    Arguments:
        shape: Its shape.
        dtype: Its type.
        is_trained: It is a parameter of a network; False for tables and standardisation.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    is_trained: bool = True

    @classmethod
    def table(cls, *shape: int, dtype: str = "float32") -> TensorLayout:
        """Layout of a table, which is not trained."""
        return cls(shape, dtype, is_trained=False)


Layout = dict[str, TensorLayout]
"""Layouts by name of the tensor."""


def prefixed(prefix: str, layout: Layout) -> Layout:
    """Layout of a part of a model under its name in the whole.

    Example:
        >>> list(prefixed("flow", {"shift": TensorLayout((3,))}))
        ['flow.shift']
    """
    return {f"{prefix}.{name}": entry for name, entry in layout.items()}


def part(arrays: Arrays, prefix: str) -> Arrays:
    """Tensors of a part of a model by their names in it: the inverse of `prefixed`."""
    start = f"{prefix}."
    return {
        name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)
    }


def zeros(layout: Layout) -> dict[str, NDArray[Any]]:
    """Tensors of a layout, all zero."""
    return {name: np.zeros(entry.shape, entry.dtype) for name, entry in layout.items()}
