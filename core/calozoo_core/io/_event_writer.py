"""Writer of the native file of events, run by run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import ShowerFileError
from calozoo_core.events import PRIMARY_COLUMNS, Events
from calozoo_core.io._event_layout import (
    FORMAT,
    TAKEN_COLUMNS,
    VERSION,
    SimulatedEvents,
    simulated_fault,
)
from calozoo_core.io._layout import HIT_TYPES
from calozoo_core.io._output import HDF5Output, append_rows, check_attributes, new_table, writing

__all__ = ["EventWriter"]

_CHUNK: Final = 1 << 14


class EventWriter:
    """Writer of a file of events, run by run; the file is complete or not there at all.

    Use it in a `with` statement. The same runs give the same bytes.

    Arguments:
        path: The file.
        overwrite: Replace a file that is already there.
        attributes: Attributes of the file, which say how the events were made; those of simulated
            events have `detector` and `model`.

    Raises:
        OutputExistsError: If the file is there and `overwrite` is not set.
        ShowerFileError: If the file cannot be written, or an attribute could not be read again.
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
        self._attributes = dict(attributes or {})
        if isinstance(threshold := self._attributes.get("threshold_mev"), int):
            self._attributes["threshold_mev"] = float(threshold)
        check_attributes(self.path, self._attributes, {"format", "version"})
        described = {**self._attributes, "format": FORMAT, "version": VERSION}
        self._output = HDF5Output(self.path, overwrite=overwrite, attributes=described)

    def __enter__(self) -> EventWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._output.end(self.n_events, "events", is_complete=kind is None)

    def append(self, run: SimulatedEvents | Events) -> None:
        """Add a run of events; all of a file are simulated, or none.

        Arguments:
            run: The run.

        Raises:
            ShowerFileError: If the disk is full, the run does not fit those before it, or a value
                in it is no measurement.
        """
        self._check(run)
        events = run if isinstance(run, Events) else run.events
        rows = dict(_primary_rows(events, self._lengths.get("primaries/pdg", 0)))
        if isinstance(run, SimulatedEvents):
            rows |= self._simulated_rows(run)
        with writing(self.path, self._output.part):
            for name, values in rows.items():
                self._append(name, values)
        self.n_events += len(events)

    def _check(self, run: SimulatedEvents | Events) -> None:
        is_simulated = isinstance(run, SimulatedEvents)
        wrong = None
        if self.n_events and is_simulated != ("hits/cell" in self._lengths):
            wrong = "simulated events and others do not go into one file"
        elif isinstance(run, SimulatedEvents):
            missing = [name for name in ("detector", "model") if name not in self._attributes]
            if missing:
                wrong = f"simulated events need the attribute {missing[0]}"
            else:
                wrong = simulated_fault(run, str(self._attributes["detector"]))
        if wrong:
            msg = f"{self.path} was not written: {wrong}."
            raise ShowerFileError(msg)

    def _simulated_rows(self, run: SimulatedEvents) -> dict[str, NDArray[Any]]:
        n_hits = self._lengths.get("hits/cell", 0)
        n_contributions = self._lengths.get("contributions/energy", 0)
        hits, taken = run.hits.hits, run.taken
        rows: dict[str, NDArray[Any]] = {"primaries/simulated_by": run.simulated_by}
        for name, (dtype, _) in TAKEN_COLUMNS.items():
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
        file = self._output.file
        if name not in file:
            new_table(file, name, values, chunk=_CHUNK, level=4)
            if name.endswith("/offsets"):
                values = np.concatenate([[0], values])
        append_rows(file[name], values)
        self._lengths[name] = len(file[name])


def _primary_rows(events: Events, n_before: int) -> Iterator[tuple[str, NDArray[Any]]]:
    yield "primaries/offsets", events.offsets[1:] + n_before
    for name, (dtype, _) in PRIMARY_COLUMNS.items():
        yield f"primaries/{name}", getattr(events, name).astype(dtype)
