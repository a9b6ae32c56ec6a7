"""Tables of incident particles: energies, directions and positions in text files and numpy files.

A table of text has a particle a row, with blanks, tabs, commas or semicolons between its columns.
What follows a `#` is a comment. The first row may name the columns: `energy` in GeV, `x`, `y`, `z`
or `theta`, `phi` in degrees for the direction, and `position_x`, `position_y`, `position_z` in mm.
Without names, two columns are theta and phi, three are x, y and z, and four are an energy and a
direction x, y, z.
"""

from __future__ import annotations

import io
import math
import re
import reprlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import InputError
from calozoo_core.typing import FloatArray, IntArray

__all__ = ["IncidentTable", "TableReader"]

STDIN: Final = "-"

NUMPY: Final = b"\x93NUMPY"
HDF5: Final = b"\x89HDF\r\n\x1a\n"
_OTHERS: Final = {
    b"\x1f\x8b": "is packed with gzip; unpack it first",
    b"BZh": "is packed with bzip2; unpack it first",
    b"PK": "is a zip archive (.npz or a spreadsheet); save one array as .npy, or text",
    b"\xff\xfe": "is not text in UTF-8; save it as UTF-8",
    b"\xfe\xff": "is not text in UTF-8; save it as UTF-8",
}
"""Beginnings of files that are no tables, and what to say of them."""

_NAMES: Final = {
    "energy": ("energy", "energies", "e", "ekin", "e_kin", "kinetic_energy", "incident_energy"),
    "theta": ("theta",),
    "phi": ("phi",),
    "x": ("x", "dx", "px", "dir_x", "direction_x"),
    "y": ("y", "dy", "py", "dir_y", "direction_y"),
    "z": ("z", "dz", "pz", "dir_z", "direction_z"),
    "position_x": ("position_x", "pos_x"),
    "position_y": ("position_y", "pos_y"),
    "position_z": ("position_z", "pos_z"),
}
"""Names that a column may have, in lower case."""

_UNITS: Final = {
    "gev": ("energy", 1.0),
    "mev": ("energy", 1e-3),
    "tev": ("energy", 1e3),
    "deg": ("angle", 1.0),
    "degrees": ("angle", 1.0),
    "rad": ("angle", 180 / math.pi),
    "mm": ("length", 1.0),
    "cm": ("length", 10.0),
    "m": ("length", 1000.0),
}
"""Kind of a column's unit, and how many GeV, degrees or mm it is."""

DIRECTION, ANGLES = ("x", "y", "z"), ("theta", "phi")
POSITION: Final = ("position_x", "position_y", "position_z")


@dataclass(frozen=True, eq=False)
class IncidentTable:
    """Table of incident particles, one a row.

    Arguments:
        file: Name of its file.
        values: Its numbers, shape (n, k), in GeV, degrees and mm.
        rows: Row of each particle in the file, counted from 1, shape (n,).
        names: Names of the columns, as `_NAMES` has them; None for a table without names.
    """

    file: str
    values: FloatArray
    rows: IntArray
    names: tuple[str, ...] | None

    @property
    def has_directions(self) -> bool:
        """True if directions stand beside the energies."""
        if self.names is None:
            return bool(self.values.shape[1] == 4)
        return "energy" in self.names and bool({"theta", "x"} & set(self.names))

    def energies(self) -> FloatArray:
        """Energies, in GeV, shape (n,).

        Raises:
            InputError: If it has none.
        """
        if self.names is None and self.values.shape[1] in (1, 4):
            return self.values[:, 0]
        return self._columns(("energy",), "an energy")[:, 0]

    def directions(self) -> FloatArray:
        """Directions: theta and phi in degrees, shape (n, 2), or vectors, shape (n, 3).

        Raises:
            InputError: If it has none.
        """
        width = self.values.shape[1]
        if self.names is None and width in (2, 3, 4):
            return self.values[:, -3:] if width == 4 else self.values
        angles = self.names is not None and "theta" in self.names
        return self._columns(ANGLES if angles else DIRECTION, "a direction")

    def positions(self) -> FloatArray:
        """Positions, in mm, shape (n, 3).

        Raises:
            InputError: If it has none.
        """
        if self.names is None and self.values.shape[1] == 3:
            return self.values
        named = self.names is not None and POSITION[0] in self.names
        return self._columns(POSITION if named else DIRECTION, "a position")

    def where(self, row: int) -> str:
        """Place of a particle in the file, as the end of a clause."""
        return f" in row {self.rows[row]} of {self.file}"

    def _columns(self, wanted: tuple[str, ...], what: str) -> FloatArray:
        """Columns of these names.

        Raises:
            InputError: If one is missing.
        """
        names = self.names or ()
        missing = [name for name in wanted if name not in names]
        if not missing:
            return self.values[:, [names.index(name) for name in wanted]]
        n = self.values.shape[1]
        have = f"the columns {', '.join(names)}" if names else f"{n} column{'s' * (n > 1)}, unnamed"
        msg = (
            f"{self.file} has {have}, and none for {what}; write a first row with the names of "
            f"its columns, among them {', '.join(wanted)}."
        )
        raise InputError(msg)


class TableReader:
    """Reader of the tables of one request, each read once: stdin cannot be read again."""

    def __init__(self) -> None:
        self._tables: dict[str, IncidentTable] = {}

    def is_hdf5(self, file: str) -> bool:
        """True if the file begins as HDF5 does.

        Raises:
            InputError: If it cannot be read.
        """
        if file in self._tables or file == STDIN:
            return False
        if not file.strip():
            msg = (
                "The name of a file is missing after @; write @FILE, or @- for the standard input."
            )
            raise InputError(msg)
        try:
            # A pipe, as the shell makes for <(...), must not lose its first bytes.
            with Path(file).open("rb") as opened:
                return bool(opened.seekable() and opened.read(len(HDF5)) == HDF5)
        except OSError as error:
            raise _unreadable(file, error) from error

    def read(self, file: str) -> IncidentTable:
        """The table in a file; `-` for the standard input.

        Raises:
            InputError: If it cannot be read, or is no table of numbers; the message names the row.
        """
        if file not in self._tables:
            self._tables[file] = _table(file, _content(file))
        return self._tables[file]


def _content(file: str) -> bytes:
    try:
        if file == STDIN:
            return sys.stdin.buffer.read()
        return Path(file).read_bytes()
    except OSError as error:
        raise _unreadable(file, error) from error


def _unreadable(file: str, error: OSError) -> InputError:
    name = "standard input" if file == STDIN else f"file {file}"
    return InputError(f"The {name} cannot be read: {str(error.strerror).lower()}.")


def _table(file: str, content: bytes) -> IncidentTable:
    name = "the standard input" if file == STDIN else file
    if content.startswith(NUMPY):
        return _numpy_table(name, content)
    for beginning, advice in _OTHERS.items():
        if content.startswith(beginning):
            msg = f"The file {name} {advice}."
            raise InputError(msg)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"The file {name} cannot be read: it is not text."
        raise InputError(msg) from error
    return _text_table(name, text)


def _numpy_table(file: str, content: bytes) -> IncidentTable:
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except Exception as error:
        msg = f"The file {file} is no whole array of numbers; save it again with numpy.save."
        raise InputError(msg) from error
    names = None
    if array.dtype.names:
        names = tuple(array.dtype.names)
        array = np.column_stack([_numbers(file, array[name]) for name in names])
    values = _numbers(file, array)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or values.size == 0:
        msg = f"The array in {file} has the shape {array.shape}; save one of shape (n,) or (n, k)."
        raise InputError(msg)
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        msg = f"Row {bad[0] + 1} of {file} is not finite: {values[bad[0]].tolist()}; correct it."
        raise InputError(msg)
    return _with_names(file, values, np.arange(1, len(values) + 1), names)


def _numbers(file: str, array: NDArray[np.generic]) -> FloatArray:
    if array.dtype.kind not in "iuf":
        msg = f"The array in {file} holds {array.dtype.name}, not numbers; save numbers."
        raise InputError(msg)
    return array.astype(np.float64)


def _text_table(file: str, text: str) -> IncidentTable:
    names: tuple[str, ...] | None = None
    comment = ""
    values: list[list[float]] = []
    rows: list[int] = []
    for number, line in enumerate(text.splitlines(), start=1):
        content, _, remark = line.partition("#")
        if not content.strip():
            comment = remark if not values and remark.strip() else comment
            continue
        where = f" in row {number} of {file}"
        if not values and names is None and _is_header(content):
            names = tuple(_cells(content, where))
            continue
        cells = _cells(content, where)
        width = len(values[0]) if values else len(cells if names is None else names)
        if len(cells) != width:
            msg = f"There are {len(cells)} columns{where}, where {width} belong; correct it."
            raise InputError(msg)
        values.append([_number(cell, where) for cell in cells])
        rows.append(number)
    if not values:
        msg = f"The file {file} has no rows; write one value a row."
        raise InputError(msg)
    if names is None and comment:
        names = _names_in_comment(comment, len(values[0]))
    return _with_names(file, np.array(values), np.array(rows), names)


def _is_header(line: str) -> bool:
    """True for a row without a single number."""
    return not any(_is_number(word) for word in re.split(r"[\s,;]+", line) if word)


def _cells(line: str, where: str) -> list[str]:
    """Columns of a row.

    Raises:
        InputError: If a column is empty, or commas may be part of the numbers.
    """
    line = line.strip()
    if "," in line and ";" in line:
        msg = (
            f"There are commas and semicolons{where}; write numbers with a point, and one of the "
            "two between them."
        )
        raise InputError(msg)
    separator = next((mark for mark in ",;" if mark in line), None)
    if separator is None:
        line = re.sub(r"\s+(?=[\[(])", "", line)  # a unit belongs to the name before it
    cells = [cell.strip(" \t\"'") for cell in line.split(separator)]
    if len(cells) > 1 and not cells[-1]:
        cells.pop()  # a separator at the end of the row
    if not all(cells):
        msg = f"A column is empty{where}; write a number there."
        raise InputError(msg)
    return cells


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _number(word: str, where: str) -> float:
    if not _is_number(word) or not math.isfinite(float(word)):
        msg = f"Cannot read the number {reprlib.repr(word)}{where}; correct it."
        raise InputError(msg)
    return float(word)


def _names_in_comment(comment: str, width: int) -> tuple[str, ...] | None:
    """Names of the columns in the comment before the first row, as numpy.savetxt writes them."""
    try:
        names = tuple(_cells(comment, ""))
    except InputError:
        return None
    is_known = len(names) == width and all(_known(name) is not None for name in names)
    return names if is_known else None


def _with_names(
    file: str, values: FloatArray, rows: IntArray, names: tuple[str, ...] | None
) -> IncidentTable:
    """Table whose columns have our names and units.

    Raises:
        InputError: If a name is unknown, or comes twice.
    """
    if names is None:
        return IncidentTable(file, values, rows, None)
    known = []
    for name in names:
        found = _known(name)
        if found is None:
            every = ", ".join(_NAMES)
            msg = f"The column {name!r} of {file} means nothing here; leave it out, or call it one "
            msg += f"of {every}."
            raise InputError(msg)
        known.append(found)
    ours = tuple(name for name, _ in known)
    twice = next((name for name in ours if ours.count(name) > 1), None)
    if twice is not None:
        msg = f"{file} has two columns for {twice}; leave one out."
        raise InputError(msg)
    return IncidentTable(file, values * [factor for _, factor in known], rows, ours)


def _known(name: str) -> tuple[str, float] | None:
    """Our name of a column, and what its numbers are multiplied by; None if it is unknown."""
    word = name.strip().lower()
    bracketed = re.fullmatch(r"(.+?)\s*[\[(](\w+)[\])]", word)
    stem, unit = bracketed.groups() if bracketed else (word, "")
    if not bracketed and word.rpartition("_")[2] in _UNITS:
        stem, _, unit = word.rpartition("_")
    ours = next((ours for ours, names in _NAMES.items() if stem in names), None)
    if ours is None:
        return None
    kind = "energy" if ours == "energy" else "angle" if ours in ANGLES else "length"
    if not unit:
        return ours, 1.0
    measured, factor = _UNITS.get(unit, ("", 1.0))
    if ours in DIRECTION and measured == "energy":  # a momentum, of which the direction is taken
        return ours, 1.0
    return (ours, factor) if measured == kind else None
