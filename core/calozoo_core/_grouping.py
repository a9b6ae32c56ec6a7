"""Sorting a batch into groups of equal keys, all in one pass."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["group"]

IntArray = NDArray[np.int64]

_LARGEST_KEY = 2**63 - 1


def group(*columns: IntArray) -> tuple[IntArray, IntArray]:
    """Sort rows by several whole numbers, the first column first.

    The columns are packed into one 64-bit key, each in a digit as wide as its own range, so that
    two different rows cannot have one key; where the ranges are too wide for that, the columns
    are sorted one after the other.

    Arguments:
        columns: Whole numbers, each of shape (N,).

    Returns:
        The rows in order, shape (N,), and where in that order each group begins, shape (n_groups,).

    Example:
        >>> order, starts = group(np.array([1, 0, 1]), np.array([5, 7, 5]))
        >>> order.tolist(), starts.tolist()
        ([1, 0, 2], [0, 1])
    """
    if len(columns[0]) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    lowest = [int(column.min()) for column in columns]
    widths = [int(column.max()) - low + 1 for column, low in zip(columns, lowest, strict=True)]
    if math.prod(widths) > _LARGEST_KEY:
        order = np.lexsort(columns[::-1])
        changes = np.zeros(len(order) - 1, dtype=bool)
        for column in columns:
            changes |= np.diff(column[order]) != 0
    else:
        key = np.zeros(len(columns[0]), np.int64)
        for column, low, width in zip(columns, lowest, widths, strict=True):
            key = key * width + (column - low)
        order = np.argsort(key, kind="stable")
        changes = np.diff(key[order]) != 0
    return order, np.concatenate([[0], np.flatnonzero(changes) + 1])
