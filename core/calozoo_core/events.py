"""Events: tables of the primary particles of events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import InitVar, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import InputError
from calozoo_core.full_simulation import Primary
from calozoo_core.particles import PARTICLES, particle_name
from calozoo_core.ragged import Rows, equal_arrays, point_rows, row_selection
from calozoo_core.typing import BoolArray, FloatArray, IntArray

__all__ = ["PRIMARY_COLUMNS", "Events"]

PRIMARY_COLUMNS: dict[str, tuple[str, int]] = {
    "pdg": ("i4", 1),
    "energy": ("f8", 1),
    "momentum": ("f8", 3),
    "vertex": ("f8", 3),
    "time": ("f8", 1),
    "mother": ("i4", 1),
    "mother_pdg": ("i4", 1),
}
"""Columns of a table of primaries: type, and numbers in a row."""

_LARGEST_MM = 2**53
_LARGEST_GEV = 1e100  # whose square is a number


@dataclass(frozen=True, eq=False)
class Events:
    """Primary particles of n events, one event after the other.

    The primaries of event i are rows `offsets[i]:offsets[i + 1]`.

    Arguments:
        offsets: Beginning of each event, and the end, shape (n + 1,), int64.
        pdg: Number of the particle in the PDG's scheme, shape (N,).
        energy: Kinetic energy in GeV, shape (N,).
        momentum: Global momentum in GeV, shape (N, 3); its direction is used.
        vertex: Global position at which it starts, in mm, shape (N, 3).
        time: Time at which it starts, in ns, shape (N,).
        mother: Number within the event of the particle that it comes from, shape (N,); -1 where
            that is not known. Primaries with one number have one mother.
        mother_pdg: Number of that particle in the PDG's scheme, shape (N,); 0 where not known.
        first_event: Number of the first event in the whole sample, for messages.

    Raises:
        InputError: If the columns do not fit each other, or a value is impossible; the message
            names the event and the primary.
    """

    offsets: IntArray
    pdg: NDArray[np.int32]
    energy: FloatArray
    momentum: FloatArray
    vertex: FloatArray
    time: FloatArray
    mother: NDArray[np.int32]
    mother_pdg: NDArray[np.int32]
    first_event: InitVar[int] = 0

    def __post_init__(self, first_event: int) -> None:
        object.__setattr__(self, "offsets", np.asarray(self.offsets, np.int64))
        for name, (dtype, width) in PRIMARY_COLUMNS.items():
            values = np.asarray(getattr(self, name), dtype)
            shape = (self.n_primaries,) if width == 1 else (self.n_primaries, width)
            if values.shape != shape:
                msg = f"Column {name} of the primaries has shape {values.shape}, not {shape}."
                raise InputError(msg)
            object.__setattr__(self, name, values)
        if np.any(np.diff(self.offsets) < 0) or self.offsets[0] != 0:
            msg = "The offsets of events must begin with 0 and not fall."
            raise InputError(msg)
        self._check(first_event)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, rows: Rows) -> Events:
        """Events of a slice, of numbers in a list, or of a mask."""
        offsets, part = point_rows(
            self.offsets, row_selection(rows, len(self), "event", has_single=False)
        )
        return Events(offsets, **{name: getattr(self, name)[part] for name in PRIMARY_COLUMNS})

    def __eq__(self, other: object) -> bool:
        """True if the other has the same primaries, value by value."""
        if not isinstance(other, Events):
            return NotImplemented
        return equal_arrays(self, other, ("offsets", *PRIMARY_COLUMNS))

    __hash__ = None  # type: ignore[assignment]  # as of an array, whose values may change

    @property
    def n_primaries(self) -> int:
        """Number of primaries of all events together."""
        return int(self.offsets[-1])

    @property
    def event(self) -> IntArray:
        """Number of the event of each primary, shape (N,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    @property
    def ordinal(self) -> IntArray:
        """Number of each primary within its event, shape (N,)."""
        return np.arange(self.n_primaries) - self.offsets[self.event]

    @property
    def direction(self) -> FloatArray:
        """Global unit vectors along the momenta, shape (N, 3)."""
        unit: FloatArray = self.momentum / np.linalg.norm(self.momentum, axis=1, keepdims=True)
        return unit

    @property
    def primaries(self) -> list[Primary]:
        """Primaries one by one, as a full simulation takes them."""
        rows = zip(
            self.pdg.tolist(),
            self.energy.tolist(),
            self.vertex.tolist(),
            self.direction.tolist(),
            self.time.tolist(),
            strict=True,
        )
        return [
            Primary(particle_name(pdg), energy, tuple(vertex), tuple(direction), time)
            for pdg, energy, vertex, direction, time in rows
        ]

    @property
    def particles(self) -> list[str]:
        """Names of the kinds of particles in the events, in order of their PDG numbers."""
        return [particle_name(number) for number in np.unique(self.pdg).tolist()]

    @classmethod
    def of(
        cls,
        offsets: Sequence[int] | IntArray,
        pdg: Sequence[int] | NDArray[Any],
        energy: Sequence[float] | FloatArray,
        momentum: Any,
        vertex: Any = (0.0, 0.0, 0.0),
        time: float | FloatArray = 0.0,
        mother: Any = -1,
        mother_pdg: Any = 0,
        first_event: int = 0,
    ) -> Events:
        """Events from columns that broadcast, such as one vertex for all primaries."""
        n = int(offsets[-1])
        return cls(
            np.asarray(offsets, np.int64),
            np.broadcast_to(np.asarray(pdg, np.int32), (n,)),
            np.broadcast_to(np.asarray(energy, np.float64), (n,)),
            np.broadcast_to(np.asarray(momentum, np.float64), (n, 3)),
            np.broadcast_to(np.asarray(vertex, np.float64), (n, 3)),
            np.broadcast_to(np.asarray(time, np.float64), (n,)),
            np.broadcast_to(np.asarray(mother, np.int32), (n,)),
            np.broadcast_to(np.asarray(mother_pdg, np.int32), (n,)),
            first_event,
        )

    @classmethod
    def concatenate(cls, parts: Iterable[Events]) -> Events:
        """Several batches of events, one after the other.

        Raises:
            InputError: If there are none.
        """
        parts = list(parts)
        if not parts:
            msg = "There are no events to put together."
            raise InputError(msg)
        counts = [np.diff(part.offsets) for part in parts]
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in PRIMARY_COLUMNS
        }
        return cls(np.concatenate([[0], *counts]).cumsum(), **columns)

    def _check(self, first_event: int) -> None:
        with np.errstate(over="ignore"):
            length = np.asarray(np.linalg.norm(self.momentum, axis=1), np.float64)
        checks: list[tuple[BoolArray, str]] = [
            (
                np.isin(self.pdg, list(PARTICLES)),
                "is no long-lived particle (PDG number {pdg}); decay it in the event generator",
            ),
            (
                np.asarray(np.isfinite(self.momentum).all(axis=1)),
                "has a momentum that is not finite",
            ),
            (
                np.isfinite(length) & (length > 0),  # squares of tiny ones are 0, of huge ones inf
                "has a momentum of {momentum:g} GeV, which gives no direction",
            ),
            (
                (self.energy > 0) & (self.energy <= _LARGEST_GEV),
                "has a kinetic energy of {energy:g} GeV, which must be above 0 and at most 1e+100",
            ),
            (
                (np.abs(self.vertex) < _LARGEST_MM).all(axis=1) & np.isfinite(self.time),
                "has no finite vertex and time",
            ),
        ]
        for is_good, complaint in checks:
            if not is_good.all():
                row = int(np.argmin(is_good))
                text = complaint.format(
                    pdg=int(self.pdg[row]),
                    energy=float(self.energy[row]),
                    momentum=float(np.abs(self.momentum[row]).max()),
                )
                msg = f"{self.label(row, first_event)} {text}."
                raise InputError(msg)

    def label(self, row: int, first_event: int = 0) -> str:
        """Name of a primary in messages.

        Arguments:
            row: Row of the primary.
            first_event: Number of the first event in the whole sample.
        """
        event = int(self.event[row])
        ordinal = row - int(self.offsets[event])
        return f"Primary {ordinal} of event {first_event + event}"
