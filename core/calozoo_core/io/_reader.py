"""Reader of the native shower file, which loads only what is asked for and trusts nothing."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import InputError, ShowerFileError
from calozoo_core.hits import Hits
from calozoo_core.incident import Incident
from calozoo_core.io._hdf5_guards import Table
from calozoo_core.io._layout import (
    FORMAT,
    HIT_TYPES,
    POINT_TYPES,
    VERSION,
    LayoutError,
    attribute,
    column,
    fault,
    has_member,
    hit_fault,
    n_ragged_rows,
    number,
)
from calozoo_core.io._opening import open_hdf5
from calozoo_core.io.file_faults import reason, system_reason
from calozoo_core.ragged import Rows, is_number, row_number, row_selection
from calozoo_core.representation import REPRESENTATIONS
from calozoo_core.showers import Shower, Showers

__all__ = ["ShowerFile"]

RUN_POINTS, RUN_SHOWERS = 1_000_000, 500
"""Largest run that is read at once: sums over voxels take 50 kB a shower, with few points too."""

_Batch = TypeVar("_Batch", Showers, Incident, Hits)


class ShowerFile:
    """Shower file, opened for reading: `file[3]`, `file[:100]` and `file[mask]` read only these.

    A file may come from anywhere: one that is damaged, claims more than it holds or points to
    other files is refused, and nothing is allocated that the bytes in the file could not fill.

    Arguments:
        path: The file.

    Attributes:
        representation: How finely its deposits are merged.
        detector: Name of the detector they were made for.
        particle: PDG name of the primaries.
        generator: Who made the showers.
        seed: The seed they were made with, as a text.
        n_points: Points of all showers together.
        hits_detector: Name of the detector its hits lie in; None if it has none.
        hits_threshold_mev: The energy below which hits were left out.
        n_hits: Hits of all showers together.

    Raises:
        ShowerFileError: If the file is missing, damaged, or not one of ours.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file = open_hdf5(self.path)
        try:
            self._read_header()
        except BaseException as error:
            self.close()
            if isinstance(error, ShowerFileError) or not isinstance(error, Exception):
                raise
            raise self._damaged(error) from error

    def _read_header(self) -> None:
        if self._file.userblock_size:  # behind which addresses count from elsewhere
            msg = "something else precedes it"
            raise LayoutError(msg)
        if attribute(self._file, "format") != FORMAT:
            msg = f"{self.path} is an HDF5 file, but not a calozoo shower file."
            raise ShowerFileError(msg)
        version = attribute(self._file, "version")
        if version != VERSION:
            msg = f"{self.path} is of version {version}; this calozoo reads {VERSION}. Update it."
            raise ShowerFileError(msg)
        self.representation = self._text("representation")
        self.detector = self._detector("detector")
        self.particle = self._text("particle")
        self.generator = self._text("generator", "unknown")
        self.seed = self._text("seed", "unknown")
        if self.representation not in REPRESENTATIONS:
            msg = f"{self.representation} is no representation"
            raise LayoutError(msg)
        types = dict(POINT_TYPES)
        if has_member(self._file, "points/time"):
            types["time"] = "f4"
        self._points = {name: column(self._file, f"points/{name}", types[name]) for name in types}
        self._energy = column(self._file, "incident/energy", "f4")
        self._direction = column(self._file, "incident/direction", "f4", width=3)
        self._position = None
        if has_member(self._file, "incident/position"):
            self._position = column(self._file, "incident/position", "f8", width=3)
        self._n_showers = len(self._energy)
        primaries = [d for d in (self._direction, self._position) if d is not None]
        if {len(values) for values in primaries} != {self._n_showers}:
            msg = "its data sets of primaries have different lengths"
            raise LayoutError(msg)
        self._offsets = column(self._file, "points/offsets", "i8")
        self.n_points = n_ragged_rows(self._offsets, self._n_showers, self._points, "points")
        self._read_hits_header()

    def _read_hits_header(self) -> None:
        self.n_hits, self.hits_threshold_mev = 0, 0.0
        self.hits_detector: str | None = None
        self._hits: dict[str, Table] = {}
        if not has_member(self._file, "hits"):
            return
        self.hits_detector = self._detector("hits_detector")
        self.hits_threshold_mev = number(self._file, "hits_threshold_mev") or 0.0
        if not 0 <= self.hits_threshold_mev < math.inf:
            msg = f"its hits begin at {self.hits_threshold_mev:g} MeV"
            raise LayoutError(msg)
        self._hits = {n: column(self._file, f"hits/{n}", HIT_TYPES[n]) for n in HIT_TYPES}
        self._hit_offsets = column(self._file, "hits/offsets", "i8")
        self.n_hits = n_ragged_rows(self._hit_offsets, self._n_showers, self._hits, "hits")

    def _text(self, name: str, default: str | None = None) -> str:
        value = attribute(self._file, name)
        if value is None and default is None:
            msg = f"it does not say its {name}"
            raise LayoutError(msg)
        return str(default if value is None else value)

    def _detector(self, name: str) -> str:
        value = self._text(name)
        if value.endswith(".toml"):  # which would be read from the disk of whoever looks it up
            msg = f"its {name} is the path of a file"
            raise LayoutError(msg)
        return value

    def __enter__(self) -> ShowerFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __len__(self) -> int:
        return self._n_showers

    @overload
    def __getitem__(self, rows: int | np.integer[Any]) -> Shower: ...

    @overload
    def __getitem__(self, rows: Rows) -> Showers: ...

    def __getitem__(self, rows: int | np.integer[Any] | Rows) -> Shower | Showers:
        """One shower by its number, or several by a slice, a list of numbers or a mask.

        Only these are read, run by run where they do not follow one another.

        Arguments:
            rows: As for `Showers`.

        Raises:
            RowIndexError: If there is no such shower.
            InputError: If `rows` selects no rows.
            ShowerFileError: If that part of the file is damaged, or a value in it is no
                measurement.
        """
        showers = self._selected(rows, Showers, self._showers)
        return Shower(showers) if is_number(rows) else showers

    def __iter__(self) -> Iterator[Shower]:
        for rows in self.runs():
            yield from self[rows]

    def __eq__(self, other: object) -> bool:
        """True if the other file has the same showers and hits, value by value."""
        if not isinstance(other, ShowerFile):
            return NotImplemented
        kinds = [(len(f), f.n_points, f.hits_detector, f.hits_threshold_mev) for f in (self, other)]
        if kinds[0] != kinds[1]:
            return False
        return all(
            self[rows] == other[rows]
            and (self.hits_detector is None or self.hits(rows) == other.hits(rows))
            for rows in self.runs()
        )

    __hash__ = None  # type: ignore[assignment]  # equal files are not one file

    def __repr__(self) -> str:
        hits = f", {self.n_hits} hits in {self.hits_detector}" if self.hits_detector else ""
        return (
            f"<ShowerFile {self.path.name}: {len(self)} {self.particle} showers of "
            f"{self.generator}, {self.n_points} points ({self.representation}) in "
            f"{self.detector}{hits}>"
        )

    def _selected(
        self,
        rows: int | np.integer[Any] | Rows,
        batch: type[_Batch],
        read: Callable[[int, int], _Batch],
    ) -> _Batch:
        """Some rows of a table of showers, of which `read` reads a run."""
        self._check_open()
        if is_number(rows):
            number = row_number(rows, len(self))
            return read(number, number + 1)
        chosen = row_selection(rows, len(self))  # type: ignore[arg-type]
        if isinstance(chosen, slice):
            return read(chosen.start, chosen.stop)
        numbers, back = np.unique(chosen, return_inverse=True)
        if len(numbers) == 0:
            return read(0, 0)
        runs = np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1)
        return batch.concatenate(read(int(run[0]), int(run[-1]) + 1) for run in runs)[back]

    def _showers(self, start: int, stop: int) -> Showers:
        try:
            showers = Showers(
                **_rows_of(self._offsets, self._points, start, stop),
                incident=self._primaries(start, stop),
                representation=self.representation,
                detector=self.detector,
            )
        except ShowerFileError:  # of the primaries, and says what is wrong
            raise
        except Exception as error:
            raise self._damaged(error) from error
        wrong = fault(showers)
        if wrong:
            raise self._damaged(LayoutError(f"it holds {wrong}"))
        return showers

    def incident(self, rows: int | np.integer[Any] | Rows = slice(None)) -> Incident:
        """Primaries of some showers; their points are not read.

        Arguments:
            rows: As for `Showers`; all by default.

        Raises:
            InputError: If `rows` selects no rows, or there are no such showers.
            ShowerFileError: If that part of the file is damaged, or a value in it is no
                measurement.
        """
        return self._selected(rows, Incident, self._primaries)

    def _primaries(self, start: int, stop: int) -> Incident:
        try:
            return Incident(
                self._energy[start:stop],
                self._direction[start:stop],
                self.particle,
                None if self._position is None else self._position[start:stop],
            )
        except Exception as error:
            raise self._damaged(error) from error

    def hits(self, rows: int | np.integer[Any] | Rows = slice(None)) -> Hits:
        """Cells that some showers hit.

        Arguments:
            rows: As for `Showers`; all by default.

        Raises:
            InputError: If `rows` selects no rows, or there are no such showers.
            ShowerFileError: If the file has no hits, that part of it is damaged, or a value in it
                is no measurement.
        """
        if self.hits_detector is None:
            msg = f"{self.path} holds no hits; make it again, with place=DETECTOR."
            raise ShowerFileError(msg, argument="place=DETECTOR")
        return self._selected(rows, Hits, self._cells)

    def _cells(self, start: int, stop: int) -> Hits:
        assert self.hits_detector is not None
        try:
            hits = Hits(**_rows_of(self._hit_offsets, self._hits, start, stop))
        except Exception as error:
            raise self._damaged(error) from error
        wrong = hit_fault(hits, self.hits_detector)
        if wrong:
            raise self._damaged(LayoutError(f"it holds {wrong}"))
        return hits

    def batches(self, size: int = 256) -> Iterator[Showers]:
        """The showers in order, at most `size` at a time.

        Raises:
            InputError: If the size is not positive.
        """
        if size < 1:
            msg = f"A batch holds at least one shower, not {size}."
            raise InputError(msg)
        return (self[start : start + size] for start in range(0, len(self), size))

    def runs(
        self, n_points: int = RUN_POINTS, n_showers: int = RUN_SHOWERS, *, of_hits: bool = False
    ) -> Iterator[slice]:
        """Slices of showers in order, none of which has too many points or showers for the memory.

        Arguments:
            n_points: Most points of a run; a shower that has more is one by itself.
            n_showers: Most showers of a run.
            of_hits: Whether hits are counted instead of points.

        Raises:
            InputError: If one of them is not positive.
        """
        if min(n_points, n_showers) < 1:
            msg = f"A run holds at least one point and one shower, not {n_points} and {n_showers}."
            raise InputError(msg)
        offsets = self._hit_offsets if of_hits and self.hits_detector else self._offsets
        return self._cut(offsets, n_points, n_showers)

    def _cut(self, offsets: Table, n_points: int, n_showers: int) -> Iterator[slice]:
        self._check_open()
        start = 0
        while start < len(self):
            ends = offsets[start : min(start + n_showers, len(self)) + 1]
            fitting = int(np.searchsorted(ends, ends[0] + n_points, side="right")) - 1
            stop = start + max(fitting, 1)
            yield slice(start, stop)
            start = stop

    def _check_open(self) -> None:
        if not self._file:
            msg = f"{self.path} was closed; open it again to read it."
            raise ShowerFileError(msg)

    def _damaged(self, error: Exception) -> ShowerFileError:
        failed = system_reason(error)
        if failed:
            return ShowerFileError(f"{self.path} cannot be read ({failed}).")
        return ShowerFileError(f"{self.path} is damaged ({reason(error)}); make it again.")


def _rows_of(
    offsets: Table, columns: dict[str, Table], start: int, stop: int
) -> dict[str, NDArray[Any]]:
    """Offsets and columns of the showers start, ..., stop - 1."""
    ends = offsets[start : stop + 1]
    rows = slice(int(ends[0]), int(ends[-1]))
    return {"offsets": ends - ends[0], **{name: values[rows] for name, values in columns.items()}}
