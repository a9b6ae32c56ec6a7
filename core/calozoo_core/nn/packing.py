"""Weights as the compiled kernels read them: in blocks of columns, one after the other."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from calozoo_core.typing import Float32Array

__all__ = ["COLUMNS", "filled", "matrix", "packed", "width"]

COLUMNS = 32
"""Columns of a block; what is narrower is filled up with zeros."""


def width(number: int) -> int:
    """Number of columns, filled up to whole blocks.

    Example:
        >>> width(32), width(33)
        (32, 64)
    """
    return -(-number // COLUMNS) * COLUMNS


def filled(array: Float32Array, *, rows: int | None = None) -> Float32Array:
    """Array with zeros behind its last axis up to whole blocks.

    Arguments:
        array: Shape (..., rows, columns).
        rows: Rows that it gets, the added ones zero; None for as many as it has.
    """
    after = [(0, 0)] * (array.ndim - 1) + [(0, width(array.shape[-1]) - array.shape[-1])]
    if rows is not None:
        after[-2] = (0, rows - array.shape[-2])
    return np.pad(array, after)


def matrix(array: Float32Array, *, rows: int | None = None) -> Float32Array:
    """Matrix as blocks of columns, shape (blocks, rows, COLUMNS).

    Arguments:
        array: Shape (rows, columns).
        rows: Rows that it gets, the added ones zero; None for as many as it has.
    """
    whole = filled(array, rows=rows)
    return whole.reshape(len(whole), -1, COLUMNS).transpose(1, 0, 2)


def packed(parts: Iterable[Float32Array]) -> Float32Array:
    """All numbers of some arrays, one array after the other.

    Arguments:
        parts: Arrays of any shape.

    Returns:
        float32, shape (number of all elements,).
    """
    return np.concatenate([np.asarray(array, np.float32).ravel() for array in parts])
