"""Reader of the native file of events, which loads only what is asked for and trusts nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import InputError, ShowerFileError
from calozoo_core.event_hits import EventHits
from calozoo_core.events import PRIMARY_COLUMNS, Events
from calozoo_core.hits import Hits
from calozoo_core.io._event_layout import (
    FORMAT,
    TAKEN_COLUMNS,
    VERSION,
    TakenParticles,
    event_hit_fault,
    simulated_by_fault,
    taken_fault,
)
from calozoo_core.io._layout import (
    HIT_TYPES,
    LayoutError,
    attribute,
    column,
    has_member,
    n_ragged_rows,
    number,
)
from calozoo_core.io._opening import open_hdf5
from calozoo_core.io.file_faults import reason, system_reason

__all__ = ["EventFile"]

_TAKEN_BLOCK: Final = 1 << 16


class EventFile:
    """File of events, opened for reading; only what is asked for is read.

    A file may come from anywhere: one that is damaged or claims more than it holds is refused.

    Arguments:
        path: The file.

    Attributes:
        n_primaries: Primaries of all events together.
        is_simulated: `True` if it has hits.
        detector: Name of the detector of the hits; None without hits.
        model: Name of the model that simulated the particles on the face; None without hits.
        threshold_mev: Energy below which hits were left out.

    Raises:
        ShowerFileError: If the file is missing, damaged, or not one of events.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        with _readable(self.path):
            self._file = open_hdf5(self.path, "file of events")
            try:
                self._read_header()
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> EventFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self._n_events

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def events(self, rows: slice = slice(None)) -> Events:
        """Primaries of events that follow one another.

        Arguments:
            rows: Slice with a step of 1.

        Raises:
            ShowerFileError: If the file is damaged.
            InputError: If a primary is impossible; the message names it.
        """
        first, stop = self._run(rows)
        with _readable(self.path):
            offsets = self._primary_offsets[first : stop + 1]
            part = slice(int(offsets[0]), int(offsets[-1]))
            columns: dict[str, Any] = {
                name: self._primaries[name][part] for name in PRIMARY_COLUMNS
            }
        return Events(offsets - offsets[0], **columns, first_event=first)

    def simulated_by(self, rows: slice = slice(None)) -> NDArray[np.uint8]:
        """Simulation of each primary of events that follow one another, shape (N,).

        It is NOTHING, FULL, MODEL or BOTH.

        Raises:
            ShowerFileError: If the file is damaged, or has no hits.
        """
        first, stop = self._run(rows)
        with _readable(self.path):
            self.check_simulated()
            offsets = self._primary_offsets[first : stop + 1]
            by: NDArray[np.uint8] = self._simulated_by[int(offsets[0]) : int(offsets[-1])]
            _refuse(simulated_by_fault(by))
        return by

    def taken(self) -> TakenParticles:
        """Particles left to the model, of all events.

        Raises:
            ShowerFileError: If the file is damaged, or has no hits.
        """
        with _readable(self.path):
            self.check_simulated()
            return self._taken_rows(slice(0, len(self._taken["event"])))

    def check_taken(self) -> None:
        """Read the particles left to the model, block by block, and refuse those that cannot be.

        Raises:
            ShowerFileError: If the file is damaged, or has no hits.
        """
        with _readable(self.path):
            self.check_simulated()
            for first in range(0, len(self._taken["event"]), _TAKEN_BLOCK):
                self._taken_rows(slice(first, first + _TAKEN_BLOCK))

    def hits(self, rows: slice = slice(None)) -> EventHits:
        """Hits of events that follow one another, with their contributions.

        Arguments:
            rows: Slice with a step of 1.

        Raises:
            ShowerFileError: If the file is damaged, or has no hits.
        """
        first, stop = self._run(rows)
        with _readable(self.path):
            self.check_simulated()
            offsets = self._hit_offsets[first : stop + 1]
            part = slice(int(offsets[0]), int(offsets[-1]))
            columns: dict[str, Any] = {name: table[part] for name, table in self._hits.items()}
            hits = Hits(offsets=offsets - offsets[0], **columns)
            of_hits = self._contribution_offsets[part.start : part.stop + 1]
            inner = slice(int(of_hits[0]), int(of_hits[-1]))
            primary, energy = self._contributions["primary"][inner], self._contributions["energy"]
            found = EventHits(hits, of_hits - of_hits[0], primary, energy[inner])
            n_primaries = np.diff(self._primary_offsets[first : stop + 1])
            _refuse(event_hit_fault(found, n_primaries, str(self.detector), first))
        return found

    def check_simulated(self) -> None:
        """Refuse a file without hits.

        Raises:
            ShowerFileError: If it has none.
        """
        if not self.is_simulated:
            msg = f"{self.path} has no hits; simulate its events first, with `calozoo simulate`."
            raise ShowerFileError(msg)

    def text(self, name: str) -> str | None:
        """Text of an attribute of the file, such as "model"; None if there is none."""
        with _readable(self.path):
            value = attribute(self._file, name)
        return None if value is None else str(value)

    def _read_header(self) -> None:
        if attribute(self._file, "format") != FORMAT:
            msg = f"{self.path} is an HDF5 file, but not one of events."
            raise ShowerFileError(msg)
        version = attribute(self._file, "version")
        if version != VERSION:
            msg = f"{self.path} is of version {version}; this calozoo reads {VERSION}. Update it."
            raise ShowerFileError(msg)
        self._primaries = {
            name: column(self._file, f"primaries/{name}", dtype, 3 if width == 3 else None)
            for name, (dtype, width) in PRIMARY_COLUMNS.items()
        }
        self._primary_offsets = column(self._file, "primaries/offsets", "i8")
        self._n_events = len(self._primary_offsets) - 1
        if self._n_events < 1:
            msg = "it has no events"
            raise LayoutError(msg)
        self.n_primaries = n_ragged_rows(
            self._primary_offsets, self._n_events, self._primaries, "primaries"
        )
        self.is_simulated = has_member(self._file, "hits")
        self.detector: str | None = None
        self.model: str | None = None
        self.threshold_mev = 0.0
        if self.is_simulated:
            self._read_hits_header()

    def _read_hits_header(self) -> None:
        self.detector, self.model = (self._text(name) for name in ("detector", "model"))
        if str(self.detector).endswith(".toml"):
            msg = "its detector is the path of a file"
            raise LayoutError(msg)
        self.threshold_mev = number(self._file, "threshold_mev") or 0.0
        self._hits = {n: column(self._file, f"hits/{n}", HIT_TYPES[n]) for n in HIT_TYPES}
        self._hit_offsets = column(self._file, "hits/offsets", "i8")
        self._contribution_offsets = column(self._file, "contributions/offsets", "i8")
        self._contributions = {
            "primary": column(self._file, "contributions/primary", "i4"),
            "energy": column(self._file, "contributions/energy", "f4"),
        }
        n_hits = n_ragged_rows(self._hit_offsets, self._n_events, self._hits, "hits")
        n_ragged_rows(self._contribution_offsets, n_hits, self._contributions, "contributions")
        self._simulated_by = column(self._file, "primaries/simulated_by", "u1")
        if len(self._simulated_by) != self.n_primaries:
            msg = "its primaries/simulated_by does not fit its primaries"
            raise LayoutError(msg)
        self._taken = {
            name: column(self._file, f"taken/{name}", dtype, 3 if width == 3 else None)
            for name, (dtype, width) in TAKEN_COLUMNS.items()
        }
        if len({len(values) for values in self._taken.values()}) != 1:
            msg = "its columns of taken particles have different lengths"
            raise LayoutError(msg)

    def _taken_rows(self, rows: slice) -> TakenParticles:
        taken = TakenParticles(**{name: values[rows] for name, values in self._taken.items()})
        if len(taken.event):
            # Clipped, since a damaged file may say anything: what lies outside is refused.
            low = min(max(int(taken.event.min()), 0), len(self) - 1)
            high = min(max(int(taken.event.max()), 0), len(self) - 1)
            n_primaries = np.diff(self._primary_offsets[low : high + 2])
            _refuse(taken_fault(taken, n_primaries, low))
        return taken

    def _text(self, name: str) -> str:
        value = attribute(self._file, name)
        if value is None:
            msg = f"it does not say its {name}"
            raise LayoutError(msg)
        return str(value)

    def _run(self, rows: slice) -> tuple[int, int]:
        first, stop, step = rows.indices(len(self))
        if step != 1:
            msg = "Events are read in runs of neighbours: give a slice without a step."
            raise InputError(msg)
        return first, max(first, stop)


def _refuse(fault: str | None) -> None:
    if fault is not None:
        msg = f"it holds {fault}"
        raise LayoutError(msg)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Errors of a file that anyone may have made, in one sentence."""
    try:
        yield
    except ShowerFileError:
        raise
    except Exception as error:
        msg = f"{path} is not a sound file of events ({reason(error)}); make it again."
        if system_reason(error):
            msg = f"{path} cannot be read ({reason(error)})."
        raise ShowerFileError(msg) from error
