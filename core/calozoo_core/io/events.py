"""Native file of events in HDF5: primaries, and, once they are simulated, hits.

::

    /primaries/offsets (n + 1,) i8    /primaries/pdg (N,) i4      /primaries/energy (N,) f8 GeV
    /primaries/momentum (N, 3) f8 GeV /primaries/vertex (N, 3) f8 mm
    /primaries/time (N,) f8 ns        /primaries/mother, mother_pdg (N,) i4
    attributes: format="calozoo-events" version=1

What `calozoo simulate` writes has these besides::

    /primaries/simulated_by (N,) u1   0 nothing, 1 the full simulation, 2 the model, 3 both
    /taken/event, primary (K,) i8, i4 /taken/pdg (K,) i4          /taken/energy (K,) f8 GeV
    /taken/position (K, 3) f8 mm      /taken/direction (K, 3) f8  /taken/time (K,) f8 ns
    /hits/offsets (n + 1,) i8         /hits/layer (M,) u1         /hits/x, y, z (M,) f4 mm
    /hits/energy (M,) f4 MeV          /hits/cell (M,) i8
    /contributions/offsets (M + 1,) i8, primary (L,) i4, energy (L,) f4 MeV
    attributes: model full_simulation detector threshold_mev seed ...

Positions are global. Particles in /taken are those that were stopped on the face of the calorimeter
and left to the model; contributions say what each primary left in a hit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import InputError, ShowerFileError
from calozoo_core.event_hits import EventHits
from calozoo_core.events import PRIMARY_COLUMNS, Events
from calozoo_core.hits import Hits
from calozoo_core.io._exchange_format import open_part, unwritable
from calozoo_core.io._layout import (
    HIT_TYPES,
    LayoutError,
    attribute,
    column,
    has_member,
    hit_fault,
    number,
)
from calozoo_core.io._opening import open_hdf5
from calozoo_core.io.atomic import uninterrupted
from calozoo_core.io.file_faults import reason, system_reason
from calozoo_core.typing import FloatArray, IntArray

__all__ = [
    "BOTH",
    "FULL",
    "MODEL",
    "NOTHING",
    "EventFile",
    "EventWriter",
    "SimulatedEvents",
    "TakenParticles",
    "is_event_file",
    "read_event_hits",
    "read_events",
    "write_events",
]

FORMAT: Final = "calozoo-events"
VERSION: Final = 1
NOTHING, FULL, MODEL, BOTH = range(4)

_TAKEN: Final = {
    "event": ("i8", 1),
    "primary": ("i4", 1),
    "pdg": ("i4", 1),
    "energy": ("f8", 1),
    "position": ("f8", 3),
    "direction": ("f8", 3),
    "time": ("f8", 1),
}
_CHUNK: Final = 1 << 14
_HDF5_ERRORS: Final = (OSError, RuntimeError, ValueError, TypeError, KeyError)


@dataclass(frozen=True, eq=False)
class TakenParticles:
    """Particles that were stopped on the face and left to a model.

    Arguments:
        event: Number of the event in the file, shape (n,).
        primary: Number of the primary within the event that each comes from, shape (n,).
        pdg: Number of the particle in the PDG's scheme, shape (n,).
        energy: Kinetic energy on the face, in GeV, shape (n,).
        position: Global position on the face, in mm, shape (n, 3).
        direction: Global unit vector, shape (n, 3).
        time: Time in ns, shape (n,).
    """

    event: IntArray
    primary: NDArray[np.int32]
    pdg: NDArray[np.int32]
    energy: FloatArray
    position: FloatArray
    direction: FloatArray
    time: FloatArray


@dataclass(frozen=True, eq=False)
class SimulatedEvents:
    """Run of simulated events, as it is written to a file.

    Arguments:
        events: Primaries of the events.
        simulated_by: What simulated each primary: NOTHING, FULL, MODEL or BOTH, shape (N,).
        taken: Particles left to the model; their events count from the first of the run.
        hits: Hits with contributions.
    """

    events: Events
    simulated_by: NDArray[np.uint8]
    taken: TakenParticles
    hits: EventHits


class EventWriter:
    """Writer of a file of events, run by run; the file is complete or not there at all.

    Use it in a `with` statement. The same runs give the same bytes.

    Arguments:
        path: The file.
        overwrite: Replace a file that is already there.
        attributes: Attributes of the file, which say how the events were made.

    Raises:
        OutputExistsError: If the file is there and `overwrite` is not set.
        ShowerFileError: If the file cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        attributes: Mapping[str, str | int | float] | None = None,
    ) -> None:
        self.path = Path(path)
        self.n_events = 0
        self._lengths: dict[str, int] = {}
        self._part = open_part(self.path, overwrite=overwrite)
        try:
            with uninterrupted():
                self._file = h5py.File(self._part, "w", libver="v110")
                attributes = dict(attributes or {})
                self._file.attrs.update(attributes, format=FORMAT, version=VERSION)
        except BaseException:
            self._part.discard()
            raise

    def __enter__(self) -> EventWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            with uninterrupted():
                self._file.close()
            if kind is None:
                if self.n_events == 0:
                    msg = f"No events came, so {self.path} was not written."
                    raise ShowerFileError(msg)
                try:
                    self._part.keep()
                except OSError as error:
                    raise unwritable(self.path, error) from error
        finally:
            self._part.discard()

    def append(self, run: SimulatedEvents | Events) -> None:
        """Add a run of events; all of a file are simulated, or none.

        Arguments:
            run: The run.

        Raises:
            ShowerFileError: If the disk is full.
        """
        events = run if isinstance(run, Events) else run.events
        rows = dict(_primary_rows(events, self._lengths.get("primaries/pdg", 0)))
        if isinstance(run, SimulatedEvents):
            rows |= self._simulated_rows(run)
        try:
            with uninterrupted():
                for name, values in rows.items():
                    self._append(name, values)
        except _HDF5_ERRORS as error:
            raise unwritable(self.path, self._part.error or error) from error
        if self._part.error:
            raise unwritable(self.path, self._part.error) from self._part.error
        self.n_events += len(events)

    def _simulated_rows(self, run: SimulatedEvents) -> dict[str, NDArray[Any]]:
        n_hits = self._lengths.get("hits/cell", 0)
        n_contributions = self._lengths.get("contributions/energy", 0)
        hits, taken = run.hits.hits, run.taken
        rows: dict[str, NDArray[Any]] = {"primaries/simulated_by": run.simulated_by}
        for name, (dtype, _) in _TAKEN.items():
            rows[f"taken/{name}"] = getattr(taken, name).astype(dtype)
        rows["taken/event"] += self.n_events
        rows["hits/offsets"] = hits.offsets[1:] + n_hits
        for name, dtype in HIT_TYPES.items():
            rows[f"hits/{name}"] = getattr(hits, name).astype(dtype)
        rows["contributions/offsets"] = run.hits.offsets[1:] + n_contributions
        rows["contributions/primary"] = run.hits.primary.astype("i4")
        rows["contributions/energy"] = run.hits.energy.astype("f4")
        return rows

    def _append(self, name: str, values: NDArray[Any]) -> None:
        if name not in self._file:
            self._file.create_dataset(
                name,
                shape=(0, *values.shape[1:]),
                maxshape=(None, *values.shape[1:]),
                chunks=(_CHUNK, *values.shape[1:]),
                dtype=values.dtype,
                compression="gzip",
                compression_opts=4,
                shuffle=True,
                fletcher32=True,
            )
            if name.endswith("/offsets"):
                values = np.concatenate([[0], values])
        dataset = self._file[name]
        start = len(dataset)
        dataset.resize(start + len(values), axis=0)
        dataset[start:] = values
        self._lengths[name] = start + len(values)


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
            offsets = self._offsets(self._primary_offsets, first, stop)
            part = slice(int(offsets[0]), int(offsets[-1]))
            columns = {name: self._primaries[name][part] for name in PRIMARY_COLUMNS}
        return Events(offsets - offsets[0], **columns)

    def simulated_by(self, rows: slice = slice(None)) -> NDArray[np.uint8]:
        """What simulated each primary of events that follow one another, shape (N,).

        Raises:
            ShowerFileError: If the file is damaged, or has no hits.
        """
        first, stop = self._run(rows)
        with _readable(self.path):
            self._check_simulated()
            offsets = self._offsets(self._primary_offsets, first, stop)
            values = column(self._file, "primaries/simulated_by", "u1")
            by: NDArray[np.uint8] = values[int(offsets[0]) : int(offsets[-1])]
        return by

    def taken(self) -> TakenParticles:
        """Particles left to the model, of all events.

        Raises:
            ShowerFileError: If the file is damaged, or has no hits.
        """
        with _readable(self.path):
            self._check_simulated()
            columns: dict[str, Any] = {
                name: column(self._file, f"taken/{name}", dtype, 3 if width == 3 else None)[:]
                for name, (dtype, width) in _TAKEN.items()
            }
            if len({len(values) for values in columns.values()}) != 1:
                msg = "its columns of taken particles have different lengths"
                raise LayoutError(msg)
        return TakenParticles(**columns)

    def hits(self, rows: slice = slice(None)) -> EventHits:
        """Hits of events that follow one another, with their contributions.

        Arguments:
            rows: Slice with a step of 1.

        Raises:
            ShowerFileError: If the file is damaged, or has no hits.
        """
        first, stop = self._run(rows)
        with _readable(self.path):
            self._check_simulated()
            offsets = self._offsets(self._hit_offsets, first, stop)
            part = slice(int(offsets[0]), int(offsets[-1]))
            columns: dict[str, Any] = {name: table[part] for name, table in self._hits.items()}
            hits = Hits(offsets=offsets - offsets[0], **columns)
            wrong = hit_fault(hits, str(self.detector))
            if wrong:
                msg = f"it holds {wrong}"
                raise LayoutError(msg)
            of_hits = self._offsets(self._contribution_offsets, part.start, part.stop)
            inner = slice(int(of_hits[0]), int(of_hits[-1]))
            primary, energy = self._contributions["primary"][inner], self._contributions["energy"]
            return EventHits(hits, of_hits - of_hits[0], primary, energy[inner])

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
        lengths = {len(values) for values in self._primaries.values()}
        if self._n_events < 1 or len(lengths) != 1:
            msg = "its columns of primaries have different lengths, or are empty"
            raise LayoutError(msg)
        self.n_primaries = lengths.pop()
        self._check_ends(self._primary_offsets, self.n_primaries, "primaries")
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
        hits = {len(values) for values in self._hits.values()}
        contributions = {len(values) for values in self._contributions.values()}
        if len(hits) != 1 or len(contributions) != 1:
            msg = "its columns of hits have different lengths"
            raise LayoutError(msg)
        if len(self._hit_offsets) != self._n_events + 1:
            msg = "its offsets do not fit its hits"
            raise LayoutError(msg)
        self._check_ends(self._hit_offsets, hits.pop(), "hits")
        self._check_ends(self._contribution_offsets, contributions.pop(), "contributions")

    def _text(self, name: str) -> str:
        value = attribute(self._file, name)
        if value is None:
            msg = f"it does not say its {name}"
            raise LayoutError(msg)
        return str(value)

    def _check_simulated(self) -> None:
        if not self.is_simulated:
            msg = f"{self.path} has no hits; simulate its events first: calozoo simulate."
            raise ShowerFileError(msg)

    @staticmethod
    def _check_ends(offsets: Any, length: int, what: str) -> None:
        n = len(offsets)
        if n < 1 or int(offsets[0:1][0]) != 0 or int(offsets[n - 1 : n][0]) != length:
            msg = f"its offsets do not fit its {what}"
            raise LayoutError(msg)

    def _run(self, rows: slice) -> tuple[int, int]:
        first, stop, step = rows.indices(len(self))
        if step != 1:
            msg = "Events are read in runs of neighbours: give a slice without a step."
            raise InputError(msg)
        return first, max(first, stop)

    @staticmethod
    def _offsets(table: Any, first: int, stop: int) -> IntArray:
        offsets: IntArray = table[first : stop + 1]
        if np.any(np.diff(offsets) < 0):
            msg = "its offsets fall"
            raise LayoutError(msg)
        return offsets


def read_events(path: str | os.PathLike[str]) -> Events:
    """Primaries of all events of a native file.

    Raises:
        ShowerFileError: If the file is missing, damaged, or not one of events.
        InputError: If a primary is impossible.
    """
    with EventFile(path) as file:
        return file.events()


def read_event_hits(path: str | os.PathLike[str], rows: slice = slice(None)) -> EventHits:
    """Hits of simulated events of a native file, with their contributions by primary.

    Arguments:
        path: The file.
        rows: Slice of events with a step of 1.

    Raises:
        ShowerFileError: If the file is missing, damaged, or has no hits.
    """
    with EventFile(path) as file:
        return file.hits(rows)


def write_events(
    path: str | os.PathLike[str],
    events: Events,
    *,
    overwrite: bool = False,
    attributes: Mapping[str, str | int | float] | None = None,
) -> None:
    """Write primaries of events to a native file, which is complete or not there.

    Arguments:
        path: The file.
        events: The events.
        overwrite: Replace a file that is already there.
        attributes: Attributes of the file, which say how the events were made.

    Raises:
        OutputExistsError: If the file is there and `overwrite` is not set.
        ShowerFileError: If the file cannot be written.
    """
    with EventWriter(path, overwrite=overwrite, attributes=attributes) as writer:
        writer.append(events)


def is_event_file(path: str | os.PathLike[str]) -> bool:
    """`True` if a file is one of events."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            return attribute(file, "format") == FORMAT
    except Exception:  # any file may be asked about
        return False


def _primary_rows(events: Events, n_before: int) -> Iterator[tuple[str, NDArray[Any]]]:
    yield "primaries/offsets", events.offsets[1:] + n_before
    for name, (dtype, _) in PRIMARY_COLUMNS.items():
        yield f"primaries/{name}", getattr(events, name).astype(dtype)


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
