"""A ragged batch of energy deposits in the local frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calozoo_core.errors import InputError
from calozoo_core.incident import Incident

if TYPE_CHECKING:
    import awkward

__all__ = ["Showers"]

_TYPES: Final[dict[str, type[np.number[Any]]]] = {
    "offsets": np.int64,
    "x": np.float32,
    "y": np.float32,
    "layer": np.uint8,
    "energy": np.float32,
    "time": np.float32,
}


@dataclass(frozen=True, eq=False)
class Showers:
    """Energy deposits of n showers, one after the other.

    The points of shower i are rows `offsets[i]:offsets[i + 1]` of every point array. Positions are
    in the local frame, whose origin is where the primary crosses the calorimeter face; a slanted
    shower is slanted here too.

    Arguments:
        offsets: Where each shower begins, and the end, shape (n + 1,), int64.
        x: Position along the magnetic field, in mm, shape (N,).
        y: The other transverse position, in mm, shape (N,).
        layer: Index of the sensitive layer, from 0 at the face, shape (N,), uint8.
        energy: Deposited energy, in MeV, shape (N,).
        incident: The n primaries.
        representation: How finely deposits are merged: "x1", "x9", "x25" or "steps".
        detector: Name of the detector they were made for.
        time: Time of the deposit, in ns, shape (N,), where the generator knows it.

    Raises:
        InputError: If the shapes contradict each other, or a value does not fit its type.

    Example:
        >>> showers = Showers([0, 2], x=[0, 1], y=[0, 0], layer=[3, 4], energy=[0.2, 0.3],
        ...                   incident=Incident(10, (0, 0, 1)), representation="x25",
        ...                   detector="ild_siecal_regular")
        >>> len(showers), round(float(showers.visible_energy[0]), 3)
        (1, 0.5)
    """

    offsets: NDArray[np.int64]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    layer: NDArray[np.uint8]
    energy: NDArray[np.float32]
    incident: Incident
    representation: str
    detector: str
    time: NDArray[np.float32] | None = field(default=None)

    def __post_init__(self) -> None:
        for name, dtype in _TYPES.items():
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _as_type(name, getattr(self, name), dtype))
        points = ("x", "y", "layer", "energy", *(() if self.time is None else ("time",)))
        lengths = {len(getattr(self, name)) for name in points}
        if len(lengths) != 1:
            msg = f"The point arrays of a batch must have one length, not {sorted(lengths)}."
            raise InputError(msg)
        offsets, n = self.offsets, len(self.incident)
        if len(offsets) != n + 1:
            msg = f"{n} primaries need {n + 1} offsets, not {len(offsets)}."
            raise InputError(msg)
        if offsets[0] != 0 or offsets[-1] != lengths.pop() or np.any(np.diff(offsets) < 0):
            msg = "Offsets must begin at 0, never decrease, and end at the number of points."
            raise InputError(msg)

    def __len__(self) -> int:
        return len(self.incident)

    def __getitem__(self, rows: slice) -> Showers:
        """A run of neighbouring showers; the point arrays are views of this batch's.

        Raises:
            InputError: If the slice has a step.
        """
        start, stop, step = rows.indices(len(self))
        if step != 1:
            msg = "Showers are taken in runs of neighbours: give a slice without a step."
            raise InputError(msg)
        stop = max(start, stop)
        points = slice(int(self.offsets[start]), int(self.offsets[stop]))
        return Showers(
            offsets=self.offsets[start : stop + 1] - self.offsets[start],
            x=self.x[points],
            y=self.y[points],
            layer=self.layer[points],
            energy=self.energy[points],
            incident=self.incident[start:stop],
            representation=self.representation,
            detector=self.detector,
            time=None if self.time is None else self.time[points],
        )

    @classmethod
    def concatenate(cls, batches: Sequence[Showers]) -> Showers:
        """One batch out of several of the same representation and detector.

        Raises:
            InputError: If there are none, or they are of different kinds.
        """
        if not batches:
            msg = "There are no showers to put together."
            raise InputError(msg)
        kinds = {
            (b.representation, b.detector, b.incident.particle, b.time is None) for b in batches
        }
        if len(kinds) > 1:
            msg = f"Showers of different kinds cannot be put together: {sorted(kinds)}."
            raise InputError(msg)
        first = batches[0]
        counts = np.concatenate([b.n_points for b in batches])
        times = [b.time for b in batches if b.time is not None]
        return cls(
            offsets=np.concatenate([[0], np.cumsum(counts)]),
            x=np.concatenate([b.x for b in batches]),
            y=np.concatenate([b.y for b in batches]),
            layer=np.concatenate([b.layer for b in batches]),
            energy=np.concatenate([b.energy for b in batches]),
            incident=Incident.concatenate([b.incident for b in batches]),
            representation=first.representation,
            detector=first.detector,
            time=np.concatenate(times) if times else None,
        )

    @property
    def n_points(self) -> NDArray[np.int64]:
        """Number of points of each shower, shape (n,)."""
        return np.diff(self.offsets)

    @property
    def shower_index(self) -> NDArray[np.int64]:
        """Which shower each point belongs to, shape (N,)."""
        return np.repeat(np.arange(len(self)), self.n_points)

    @property
    def visible_energy(self) -> NDArray[np.float64]:
        """Sum of the deposits of each shower, in MeV, shape (n,)."""
        running = np.concatenate([[0.0], np.cumsum(self.energy, dtype=np.float64)])
        return np.diff(running[self.offsets])

    def to_awkward(self) -> awkward.Array:
        """The points as an Awkward array of records, one list a shower.

        Raises:
            ImportError: If awkward is not installed (`pip install calozoo-core[awkward]`).
        """
        import awkward

        fields = {"x": self.x, "y": self.y, "layer": self.layer, "energy": self.energy}
        if self.time is not None:
            fields["time"] = self.time
        return awkward.unflatten(awkward.zip(fields), self.n_points)


def _as_type(name: str, values: ArrayLike, dtype: type[np.number[Any]]) -> NDArray[Any]:
    """The values in their type, one after the other in memory; whole numbers must stay the same."""
    try:
        given = np.asarray(values)
        with np.errstate(invalid="ignore", over="ignore"):
            column = np.ascontiguousarray(given, dtype=dtype)
    except (TypeError, ValueError, OverflowError) as error:
        msg = f"{name} must be numbers that fit into {np.dtype(dtype)}."
        raise InputError(msg) from error
    if given.ndim != 1:
        msg = f"{name} must have one dimension, not shape {given.shape}."
        raise InputError(msg)
    if np.issubdtype(dtype, np.integer) and given.dtype != dtype and np.any(column != given):
        msg = f"{name} must be whole numbers that fit into {np.dtype(dtype)}."
        raise InputError(msg)
    return column
