"""Writes the native shower file: batch by batch, whole or not there at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import ShowerFileError
from calozoo_core.hits import Hits
from calozoo_core.io._layout import (
    FORMAT,
    HIT_TYPES,
    POINT_TYPES,
    VERSION,
    fault,
    hit_fault,
)
from calozoo_core.io._output import HDF5Output, append_rows, check_attributes, new_table, writing
from calozoo_core.ragged import is_ragged
from calozoo_core.showers import Showers

__all__ = ["ShowerWriter"]

POINT_CHUNK: Final = 1 << 16
SHOWER_CHUNK: Final = 1 << 12

KIND: Final = ("representation", "detector", "particle")
"""Attributes that the showers bring."""

_LONG: Final = {*POINT_TYPES, *HIT_TYPES, "time"}
"""Columns in large chunks."""


class ShowerWriter:
    """Writes showers batch by batch to `NAME.part`, and renames it when it is whole.

    Use it as a context manager: leaving it without an error finishes the file, leaving it with one
    (Ctrl-C included) removes the part and leaves what was there before as it was. The same batches
    give the same bytes.

    Arguments:
        path: The file to write.
        generator: Who made the showers, for the file's attributes.
        seed: The seed they were made with.
        overwrite: Replace a file that is already there.
        hits_detector: The detector that hits lie in; with it every batch has hits, without it none.
        hits_threshold_mev: The energy below which hits were left out.
        provenance: Further attributes of the file, which say how the showers were made.

    Raises:
        OutputExistsError: If the file is there and `overwrite` is not set.
        ShowerFileError: If the file cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        generator: str,
        seed: int,
        overwrite: bool = False,
        hits_detector: str | None = None,
        hits_threshold_mev: float = 0.0,
        provenance: Mapping[str, str | int | float] | None = None,
    ) -> None:
        self.path = Path(path)
        self.n_showers = 0
        self.n_points = 0
        self.n_hits = 0
        self._attributes: dict[str, str | int | float] = {
            **(provenance or {}),
            "generator": generator,
            "seed": seed,
        }
        self._hits_detector = hits_detector
        if hits_detector is not None:
            self._attributes |= {
                "hits_detector": hits_detector,
                "hits_threshold_mev": float(hits_threshold_mev),
            }
        check_attributes(self.path, self._attributes, {"format", "version", *KIND})
        self._columns: dict[str, h5py.Dataset] = {}
        self._kind: tuple[str, str, str, bool, bool] | None = None
        self._output = HDF5Output(self.path, overwrite=overwrite)

    @property
    def n_bytes(self) -> int:
        """Bytes of the file so far; of the complete file once the block has been left."""
        return self._output.part.size

    def __enter__(self) -> ShowerWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._output.end(self.n_showers, "showers", is_complete=kind is None)

    def append(self, showers: Showers, hits: Hits | None = None) -> None:
        """Add a batch.

        Arguments:
            showers: The batch.
            hits: The cells its showers hit, if the file holds hits.

        Raises:
            ShowerFileError: If it is of another kind than the first, a value in it is no
                measurement (an energy that is negative or not a number, a layer behind the last),
                or the disk is full.
        """
        self._check(showers)
        self._check_hits(showers, hits)
        rows = self._rows(showers, hits)
        with writing(self.path, self._output.part):
            if not self._columns:
                self._create(showers, rows)
            for name, values in rows.items():
                append_rows(self._columns[name], values)
        self.n_showers += len(showers)
        self.n_points += len(showers.energy)
        self.n_hits += 0 if hits is None else len(hits.energy)

    def _rows(self, showers: Showers, hits: Hits | None) -> dict[str, NDArray[Any]]:
        """Rows that a batch adds to each column, in the order the columns are made."""
        rows: dict[str, NDArray[Any]] = {
            "incident/energy": showers.incident.energy,
            "incident/direction": showers.incident.direction,
            "points/offsets": showers.offsets[1:] + self.n_points,
            **{f"points/{name}": getattr(showers, name) for name in POINT_TYPES},
        }
        if showers.time is not None:
            rows["points/time"] = showers.time
        if showers.incident.position is not None:
            rows["incident/position"] = showers.incident.position
        if hits is not None:
            rows["hits/offsets"] = hits.offsets[1:] + self.n_hits
            for name, dtype in HIT_TYPES.items():
                rows[f"hits/{name}"] = getattr(hits, name).astype(dtype, copy=False)
        return rows

    def _check(self, showers: Showers) -> None:
        kind = (
            showers.representation,
            showers.detector,
            showers.incident.particle,
            showers.time is not None,
            showers.incident.position is not None,
        )
        if self._kind is None:
            self._kind = kind
        if kind != self._kind:
            have, given = (_words(*k) for k in (self._kind, kind))
            msg = f"{self.path} holds showers of {have}; those of {given} need another file."
            raise ShowerFileError(msg)
        check_attributes(self.path, dict(zip(KIND, kind, strict=False)))
        wrong = fault(showers)
        if wrong:
            msg = f"The showers hold {wrong}, so {self.path} was not written."
            raise ShowerFileError(msg)

    def _check_hits(self, showers: Showers, hits: Hits | None) -> None:
        if (hits is None) != (self._hits_detector is None):
            msg = (
                f"{self.path} holds hits with every batch or with none; name their detector as "
                "hits_detector."
            )
            raise ShowerFileError(msg)
        if hits is None or self._hits_detector is None:
            return
        wrong = hit_fault(hits, self._hits_detector)
        if len(hits) != len(showers):
            wrong = f"hits of {len(hits)} showers, not of {len(showers)}"
        elif not is_ragged(hits.offsets, {len(getattr(hits, name)) for name in HIT_TYPES}):
            wrong = "hits that do not fit their offsets"
        if wrong:
            msg = f"The showers hold {wrong}, so {self.path} was not written."
            raise ShowerFileError(msg)

    def _create(self, showers: Showers, rows: dict[str, NDArray[Any]]) -> None:
        self._output.file.attrs.update(
            format=FORMAT,
            version=VERSION,
            representation=showers.representation,
            detector=showers.detector,
            particle=showers.incident.particle,
            **self._attributes,
        )
        for name, values in rows.items():
            chunk = POINT_CHUNK if name.partition("/")[2] in _LONG else SHOWER_CHUNK
            self._columns[name] = new_table(self._output.file, name, values, chunk=chunk)
        for name in ("points/offsets", "hits/offsets"):
            if name in rows:
                append_rows(self._columns[name], np.zeros(1, np.int64))


def _words(representation: str, detector: str, particle: str, timed: bool, placed: bool) -> str:
    """A kind of showers, for people to read."""
    extras = [word for word, has in (("times", timed), ("positions", placed)) if has]
    kind = f"{representation} {detector} {particle}"
    return f"{kind} with {' and '.join(extras)}" if extras else kind
