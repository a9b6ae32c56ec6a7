"""Reads the native shower file: a run of showers at a time, trusting nothing in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import h5py
import numpy as np

from calozoo_core.errors import InputError, ShowerFileError
from calozoo_core.incident import Incident
from calozoo_core.io._heap import has_endless_heap
from calozoo_core.io._layout import (
    FORMAT,
    POINT_TYPES,
    VERSION,
    LayoutError,
    attribute,
    column,
    fault,
    has_column,
    reason,
)
from calozoo_core.representation import REPRESENTATIONS
from calozoo_core.showers import Showers

__all__ = ["ShowerFile"]

OFFSET_BLOCK: Final = 1 << 16


class ShowerFile:
    """A shower file, read a run of showers at a time.

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

    Raises:
        ShowerFileError: If the file is missing, damaged, or not one of ours.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            if not self.path.is_file():
                msg = f"There is no shower file {self.path}."
                raise ShowerFileError(msg)
            is_endless = has_endless_heap(self.path)
        except (OSError, ValueError) as error:
            msg = f"{self.path} cannot be read ({reason(error)})."
            raise ShowerFileError(msg) from error
        if is_endless:
            raise self._damaged(LayoutError("its texts have no end"))
        try:
            self._file = h5py.File(self.path, "r")
        except Exception as error:
            msg = (
                f"{self.path} is not a whole HDF5 file; make it again, or wait till it is written."
            )
            raise ShowerFileError(msg) from error
        try:
            self._read_header()
        except BaseException as error:
            self.close()
            if isinstance(error, ShowerFileError) or not isinstance(error, Exception):
                raise
            raise self._damaged(error) from error

    def _read_header(self) -> None:
        if attribute(self._file, "format") != FORMAT:
            msg = f"{self.path} is an HDF5 file, but not a calozoo shower file."
            raise ShowerFileError(msg)
        version = attribute(self._file, "version")
        if version != VERSION:
            msg = f"{self.path} is of version {version}; this calozoo reads {VERSION}. Update it."
            raise ShowerFileError(msg)
        self.representation = self._text("representation")
        self.detector = self._text("detector")
        self.particle = self._text("particle")
        self.generator = self._text("generator", "unknown")
        self.seed = self._text("seed", "unknown")
        if self.representation not in REPRESENTATIONS:
            msg = f"{self.representation} is no representation"
            raise LayoutError(msg)
        types = dict(POINT_TYPES)
        if has_column(self._file, "points/time"):
            types["time"] = "f4"
        self._points = {name: column(self._file, f"points/{name}", types[name]) for name in types}
        self._energy = column(self._file, "incident/energy", "f4")
        self._direction = column(self._file, "incident/direction", "f4", width=3)
        self._offsets = column(self._file, "points/offsets", "i8")
        self._check_offsets()

    def _text(self, name: str, default: str | None = None) -> str:
        value = attribute(self._file, name)
        if value is None and default is None:
            msg = f"it does not say its {name}"
            raise LayoutError(msg)
        return str(default if value is None else value)

    def _check_offsets(self) -> None:
        """Read them block by block, since a file can claim any number of them."""
        n_rows, last = len(self._offsets), 0
        sound = n_rows == len(self._energy) + 1 == len(self._direction) + 1
        for start in range(0, n_rows if sound else 0, OFFSET_BLOCK):
            block = self._offsets[start : start + OFFSET_BLOCK]
            sound = sound and block[0] >= last and not np.any(block[1:] < block[:-1])
            sound = sound and (start > 0 or block[0] == 0)
            last = int(block[-1])
        if not sound or {len(values) for values in self._points.values()} != {last}:
            msg = "its offsets do not fit its points"
            raise LayoutError(msg)
        self._n_showers = n_rows - 1
        self.n_points = last
        """Points of all showers together."""

    def __enter__(self) -> ShowerFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __len__(self) -> int:
        return self._n_showers

    def __getitem__(self, rows: slice) -> Showers:
        """A run of neighbouring showers.

        Raises:
            InputError: If the slice has a step.
            ShowerFileError: If that part of the file is damaged, or a value in it is no
                measurement.
        """
        start, stop, step = rows.indices(len(self))
        if step != 1:
            msg = "Showers are read in runs of neighbours: give a slice without a step."
            raise InputError(msg)
        if not self._file:
            msg = f"{self.path} was closed; open it again to read it."
            raise ShowerFileError(msg)
        stop = max(start, stop)
        try:
            offsets = self._offsets[start : stop + 1]
            points = slice(int(offsets[0]), int(offsets[-1]))
            showers = Showers(
                offsets=offsets - offsets[0],
                **{name: values[points] for name, values in self._points.items()},
                incident=Incident(
                    self._energy[start:stop], self._direction[start:stop], self.particle
                ),
                representation=self.representation,
                detector=self.detector,
            )
        except Exception as error:
            raise self._damaged(error) from error
        wrong = fault(showers)
        if wrong:
            raise self._damaged(LayoutError(f"it holds {wrong}"))
        return showers

    def batches(self, size: int = 256) -> Iterator[Showers]:
        """The showers in order, at most `size` at a time.

        Raises:
            InputError: If the size is not positive.
        """
        if size < 1:
            msg = f"A batch holds at least one shower, not {size}."
            raise InputError(msg)
        return (self[start : start + size] for start in range(0, len(self), size))

    def _damaged(self, error: Exception) -> ShowerFileError:
        return ShowerFileError(f"{self.path} is damaged ({reason(error)}); make it again.")
