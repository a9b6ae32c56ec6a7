"""Ragged batches: row selection as in numpy, and groups of rows with equal keys.

A ragged batch keeps the points of n showers one after the other. Shower i has the points
`offsets[i]:offsets[i + 1]`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Sequence
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import CalozooError, InputError, RowIndexError
from calozoo_core.typing import IntArray

__all__ = [
    "Rows",
    "equal_arrays",
    "group",
    "import_awkward",
    "is_number",
    "is_ragged",
    "neighbour_runs",
    "point_rows",
    "refuse_masked",
    "row_blocks",
    "row_number",
    "row_selection",
    "row_sums",
    "sort_order",
]

Rows = slice | Sequence[int] | NDArray[Any]
"""Selection of several rows: a slice, whole numbers, or a mask with one entry a row."""


def is_number(row: object) -> bool:
    """True if a selection is the number of one row.

    Example:
        >>> is_number(3), is_number(np.int64(-1)), is_number([3]), is_number(True)
        (True, True, False, False)
    """
    if isinstance(row, bool | np.bool_) or getattr(row, "ndim", 0) != 0:
        return False
    try:
        operator.index(row)  # type: ignore[arg-type]
    except TypeError:
        return False
    return True


def is_ragged(offsets: NDArray[np.int64], lengths: set[int]) -> bool:
    """True if offsets begin with 0, do not fall, and end with the one length of all columns.

    Example:
        >>> is_ragged(np.array([0, 2, 2, 5]), {5}), is_ragged(np.array([0, 2]), {2, 3})
        (True, False)
        >>> is_ragged(np.zeros(0, np.int64), {0})
        False
    """
    begins_with_0 = len(offsets) > 0 and offsets[0] == 0
    return begins_with_0 and lengths == {int(offsets[-1])} and bool(np.all(np.diff(offsets) >= 0))


def neighbour_runs(numbers: IntArray) -> list[slice]:
    """Slices of numbers that follow one another.

    Example:
        >>> neighbour_runs(np.array([3, 4, 9, 8]))
        [slice(0, 2, None), slice(2, 3, None), slice(3, 4, None)]
    """
    cuts = (np.flatnonzero(np.diff(numbers) != 1) + 1).tolist()
    return [slice(i, k) for i, k in zip([0, *cuts], [*cuts, len(numbers)], strict=True)]


def row_number(row: object, n: int, what: str = "shower") -> int:
    """Number of a row, counted from the end if negative.

    Arguments:
        row: The number.
        n: Number of rows.
        what: Name of a row, for the message.

    Returns:
        Number from 0 to n - 1.

    Raises:
        RowIndexError: If there is no such row.

    Example:
        >>> row_number(-1, 5)
        4
    """
    number = operator.index(row)  # type: ignore[arg-type]
    if not -n <= number < n:
        raise RowIndexError(_out_of_range(number, n, what))
    return number % n


def row_selection(
    rows: Rows, n: int, what: str = "shower", *, has_single: bool = True
) -> slice | IntArray:
    """Selection of several rows with all numbers from 0 to n - 1.

    Arguments:
        rows: Slice, numbers or mask.
        n: Number of rows.
        what: Name of a row, for the message.
        has_single: `False` if the batch takes no whole number for one row, for the message.

    Returns:
        Slice with a step of 1 if the rows follow one another, else the numbers, shape (m,).

    Raises:
        RowIndexError: If there is no such row.
        InputError: If it is no selection of rows, or the mask has another length.

    Example:
        >>> row_selection([True, False, True], 3).tolist(), row_selection([-1, 0], 3).tolist()
        ([0, 2], [2, 0])
        >>> row_selection(slice(-2, None), 3)
        slice(1, 3, 1)
    """
    if isinstance(rows, slice):
        try:
            start, stop, step = rows.indices(n)
        except (TypeError, ValueError) as error:
            raise InputError(_no_selection(rows, what, has_single)) from error
        return slice(start, max(start, stop), 1) if step == 1 else np.arange(start, stop, step)
    refuse_masked(rows, "rows")
    try:
        chosen = np.asarray(rows)
    except (TypeError, ValueError) as error:
        raise InputError(_no_selection(rows, what, has_single)) from error
    if chosen.ndim == 1 and chosen.size == 0 and not isinstance(rows, np.ndarray):
        chosen = chosen.astype(np.int64)
    if chosen.ndim != 1 or chosen.dtype.kind not in "iub":
        raise InputError(_no_selection(rows, what, has_single))
    if chosen.dtype.kind == "b":
        if len(chosen) != n:
            msg = f"A mask needs one entry for each {what}: {n}, not {len(chosen)}."
            raise InputError(msg)
        return np.flatnonzero(chosen)
    outside = chosen[(chosen < -n) | (chosen >= n)]
    if len(outside):
        raise RowIndexError(_out_of_range(int(outside[0]), n, what))
    numbers = chosen.astype(np.int64)
    return np.where(numbers < 0, numbers + n, numbers)


def refuse_masked(values: object, name: str) -> None:
    """Refuse an array some of whose values are masked, which conversion would bring back.

    Arguments:
        values: Values of an argument, of any type.
        name: Name of the argument, for the message.

    Raises:
        InputError: If some are masked.
    """
    if np.ma.is_masked(values):
        msg = f"Some values of {name} are masked; leave these out."
        raise InputError(msg, argument=name)


def point_rows(offsets: IntArray, rows: slice | IntArray) -> tuple[IntArray, slice | IntArray]:
    """Points of selected rows.

    Arguments:
        offsets: Offsets of the batch, shape (n + 1,).
        rows: Selection, as `row_selection` returns it.

    Returns:
        Offsets of the selected rows, shape (m + 1,), and their points in the batch: a slice for
        rows that follow one another, else their numbers.

    Example:
        >>> offsets, points = point_rows(np.array([0, 2, 2, 5]), np.array([2, 0]))
        >>> offsets.tolist(), points.tolist()
        ([0, 3, 5], [2, 3, 4, 0, 1])
    """
    if isinstance(rows, slice):
        part = offsets[rows.start : rows.stop + 1]
        return part - part[0], slice(int(part[0]), int(part[-1]))
    starts = offsets[rows]
    counts = offsets[rows + 1] - starts
    ends = np.concatenate([[0], np.cumsum(counts)])
    return ends, np.arange(ends[-1]) + np.repeat(starts - ends[:-1], counts)


def equal_arrays(one: object, other: object, names: Sequence[str]) -> bool:
    """True if arrays of two objects are equal element by element; NaN equals NaN.

    Arguments:
        one: An object.
        other: An object.
        names: Attributes of both; an attribute may be None.
    """
    return all(_is_equal(getattr(one, name), getattr(other, name)) for name in names)


def import_awkward() -> ModuleType:
    """The module awkward.

    Raises:
        CalozooError: If it is not installed.
    """
    try:
        import awkward
    except ImportError as error:
        msg = "Awkward arrays need awkward; type `pip install 'calozoo-core[awkward]'`."
        raise CalozooError(msg) from error
    module: ModuleType = awkward
    return module


def _is_equal(one: NDArray[Any] | None, other: NDArray[Any] | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def _out_of_range(number: int, n: int, what: str) -> str:
    there = f"there are {n}, numbered 0 to {n - 1}" if n else "there is none"
    return f"There is no {what} number {number}; {there}."


def _no_selection(rows: object, what: str, has_single: bool) -> str:
    given, several = f"{type(rows).__name__} {str(rows)[:40]}", "a list of whole numbers or a mask"
    if not has_single:
        plural = f"{what.capitalize()}s are"
        return f"{plural} selected by a slice, such as [0:1], {several}, not by {given}."
    article = "An" if what[0] in "aeiou" else "A"
    return (
        f"{article} {what} is selected by a whole number, several by a slice, {several}, not by "
        f"{given}."
    )


_BLOCK = 1 << 18


def row_blocks(offsets: NDArray[np.integer[Any]], size: int) -> Iterator[tuple[slice, slice]]:
    """Blocks of rows, and their points: the rows whose points begin within `size` points.

    Arguments:
        offsets: Offsets of the batch, shape (n + 1,).
        size: Points of a block, about.

    Example:
        >>> list(row_blocks(np.array([0, 2, 3, 7]), 3))
        [(slice(0, 2, None), slice(0, 3, None)), (slice(2, 3, None), slice(3, 7, None))]
    """
    # Of the type of the offsets, which would all be converted else.
    marks = np.arange(0, int(offsets[-1]) + size + 1, size, dtype=offsets.dtype)
    cuts = np.unique(np.searchsorted(offsets[:-1], marks)).tolist()
    for start, stop in pairwise(cuts):
        yield slice(start, stop), slice(int(offsets[start]), int(offsets[stop]))


def row_sums(
    values: NDArray[Any],
    offsets: NDArray[np.integer[Any]],
    adding: type[np.number[Any]],
    result: type[np.number[Any]],
) -> NDArray[Any]:
    """Sums of the points of each row, shape (n,).

    As `np.add.reduceat`, which converts all values to the type they are added in first; here a
    block of them is at a time.

    Arguments:
        values: Value of each point, shape (N,).
        offsets: Offsets of the batch, shape (n + 1,); no row is empty.
        adding: Type they are added in.
        result: Type of the sums.

    Example:
        >>> row_sums(np.array([200, 100, 7], np.uint8), np.array([0, 2, 3]), np.int64, np.int32)
        array([300,   7], dtype=int32)
    """
    sums = np.empty(len(offsets) - 1, result)
    for rows, points in row_blocks(offsets, _BLOCK):
        starts = offsets[rows] - offsets[rows.start]
        sums[rows] = np.add.reduceat(values[points], starts, dtype=adding)
    return sums


_LARGEST_KEY = 2**63 - 1
_DIGIT_BITS = 16


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
        order = sort_order(key, math.prod(widths) - 1)
        changes = np.diff(key[order]) != 0
    return order, np.concatenate([[0], np.flatnonzero(changes) + 1])


def sort_order(key: IntArray, largest: int) -> IntArray:
    """Order of the rows by a key from 0 to `largest`; equal keys stay in the order they have.

    Numpy sorts 16-bit numbers by counting, about ten times as fast as wider ones by comparing, so
    the key is sorted digit by digit of 16 bits, the lowest first.

    Arguments:
        key: Key of each row, shape (N,).
        largest: Largest key there may be.

    Returns:
        Numbers of the rows in order, shape (N,).

    Example:
        >>> sort_order(np.array([70000, 5, 70000, 4]), 70000).tolist()
        [3, 1, 0, 2]
    """
    order: IntArray = np.argsort(key.astype(np.uint16), kind="stable")
    for shift in range(_DIGIT_BITS, largest.bit_length(), _DIGIT_BITS):
        digit = (key >> shift).astype(np.uint16).take(order)
        order = order.take(np.argsort(digit, kind="stable"))
    return order
