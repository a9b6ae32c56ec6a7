"""Showers: ragged batches of energy deposits in the local frame, and single showers of a batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError
from calozoo_core.incident import Incident
from calozoo_core.ragged import (
    Rows,
    equal_arrays,
    import_awkward,
    is_number,
    point_rows,
    refuse_masked,
    row_number,
    row_selection,
)
from calozoo_core.shower_plot import (
    draw_layers,
    draw_side_view,
    energy_by_layer,
    new_axes,
    side_view,
)
from calozoo_core.typing import FloatArray, IntArray

if TYPE_CHECKING:
    import awkward
    from matplotlib.axes import Axes

__all__ = ["Shower", "Showers"]

_TYPES: Final[dict[str, type[np.number[Any]]]] = {
    "offsets": np.int64,
    "x": np.float32,
    "y": np.float32,
    "layer": np.uint8,
    "energy": np.float32,
    "time": np.float32,
}


@dataclass(frozen=True, eq=False, repr=False)
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
        representation: Fineness to which deposits are merged: "x1", "x9", "x25", "x100", "x225" or
            "steps".
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
        >>> showers
        <Showers: 1 gamma of 10 GeV at 0 degrees, 2 points (x25) in ild_siecal_regular>
        >>> showers[0].energy.tolist() == showers.energy.tolist(), showers[showers.n_points > 5]
        (True, <Showers: 0 gamma, 0 points (x25) in ild_siecal_regular>)
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

    @overload
    def __getitem__(self, rows: int | np.integer[Any]) -> Shower: ...

    @overload
    def __getitem__(self, rows: Rows) -> Showers: ...

    def __getitem__(self, rows: int | np.integer[Any] | Rows) -> Shower | Showers:
        """One shower by its number, or several by a slice, a list of numbers or a mask.

        The point arrays of showers that follow one another are views of this batch's.

        Arguments:
            rows: A whole number, counted from the end if negative; or a slice, whole numbers of
                shape (m,), or a mask of shape (n,).

        Raises:
            RowIndexError: If there is no such shower.
            InputError: If `rows` is none of these.
        """
        if is_number(rows):
            number = row_number(rows, len(self))
            return Shower(self[number : number + 1])
        chosen = row_selection(rows, len(self))  # type: ignore[arg-type]
        offsets, points = point_rows(self.offsets, chosen)
        return Showers(
            offsets=offsets,
            x=self.x[points],
            y=self.y[points],
            layer=self.layer[points],
            energy=self.energy[points],
            incident=self.incident[chosen],
            representation=self.representation,
            detector=self.detector,
            time=None if self.time is None else self.time[points],
        )

    def __iter__(self) -> Iterator[Shower]:
        return (self[number] for number in range(len(self)))

    def __eq__(self, other: object) -> bool:
        """True if the other batch has the same showers, value by value, of the same kind."""
        if not isinstance(other, Showers):
            return NotImplemented
        return (
            (self.representation, self.detector) == (other.representation, other.detector)
            and self.incident == other.incident
            and equal_arrays(self, other, tuple(_TYPES))
        )

    __hash__ = None  # type: ignore[assignment]  # as of an array, whose values may change

    def __repr__(self) -> str:
        return (
            f"<Showers: {self.incident.summary}, {len(self.energy)} points ({self.representation}) "
            f"in {self.detector}>"
        )

    def _repr_html_(self) -> str:
        picture = energy_by_layer(self.layer, self.energy / max(len(self), 1))
        return f"<div>{escape(repr(self))}<br/>{picture}</div>"

    def plot(self, axes: Axes | None = None) -> Axes:
        """Plot of the mean energy in each layer.

        Arguments:
            axes: Where to draw; None for axes of a new figure.

        Returns:
            The axes.

        Raises:
            CalozooError: If matplotlib is not installed (`pip install calozoo-core[plot]`).
            DetectorError: If the detector is not known.
        """
        n_layers = load_detector(self.detector).n_layers
        axes = new_axes() if axes is None else axes
        place = self.shower_index * n_layers + self.layer
        energy = np.bincount(place, self.energy, minlength=len(self) * n_layers)
        draw_layers(axes, energy.reshape(len(self), n_layers))
        axes.set_title(self.incident.summary, loc="left")
        return axes

    @classmethod
    def without_points(cls, incident: Incident, representation: str, detector: str) -> Showers:
        """Showers of these incident particles that have no points, as where only hits are known."""
        none = np.zeros(0, np.float32)
        offsets = np.zeros(len(incident) + 1, np.int64)
        layer = np.zeros(0, np.uint8)
        return cls(offsets, none, none, layer, none, incident, representation, detector)

    @classmethod
    def concatenate(cls, parts: Iterable[Showers | Shower]) -> Showers:
        """One batch out of batches and single showers of the same representation and detector.

        A single batch is returned as it is.

        Arguments:
            parts: Batches and showers, in order.

        Raises:
            InputError: If there are none, or they are of different kinds.

        Example:
            >>> incident = Incident([10, 20], direction=(0, 0, 1))
            >>> two = Showers([0, 1, 2], [0, 1], [0, 1], [3, 4], [0.2, 0.3], incident, "x25", "toy")
            >>> Showers.concatenate(shower for shower in two if shower.visible_energy > 0) == two
            True
        """
        batches = [part.batch if isinstance(part, Shower) else part for part in parts]
        if not batches:
            msg = "There are no showers to put together."
            raise InputError(msg)
        if len(batches) == 1:
            return batches[0]
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
    def n_points(self) -> IntArray:
        """Number of points of each shower, shape (n,)."""
        return np.diff(self.offsets)

    @property
    def shower_index(self) -> IntArray:
        """Number of the shower that each point belongs to, shape (N,)."""
        return np.repeat(np.arange(len(self)), self.n_points)

    @property
    def visible_energy(self) -> FloatArray:
        """Sum of the deposits of each shower, in MeV, shape (n,)."""
        running = np.concatenate([[0.0], np.cumsum(self.energy, dtype=np.float64)])
        return np.diff(running[self.offsets])

    def to_awkward(self) -> awkward.Array:
        """Points as an Awkward array of records, one list a shower.

        Returns:
            Array of type `n * var * {x, y, layer, energy[, time]}`.

        Raises:
            CalozooError: If awkward is not installed (`pip install calozoo-core[awkward]`).
        """
        awkward = import_awkward()
        return awkward.unflatten(awkward.zip(_point_columns(self)), self.n_points)


@dataclass(frozen=True, eq=False, repr=False)
class Shower:
    """One shower of a batch: its deposits, and its primary as plain numbers.

    `showers[3]` and `for shower in showers` give these; the arrays are views of the batch's.

    Arguments:
        batch: Batch of this one shower.

    Raises:
        InputError: If the batch has not exactly one shower.

    Example:
        >>> incident = Incident([10, 20], direction=(0, 0, 1))
        >>> two = Showers([0, 1, 2], [0, 1], [0, 1], [3, 4], [0.2, 0.5], incident, "x25", "toy")
        >>> two[-1]
        <Shower: gamma of 20 GeV at 0 degrees, 1 points (x25), 0.5 MeV visible in toy>
        >>> two[-1].incident_energy, two[-1].layer.tolist()
        (20.0, [4])
    """

    batch: Showers

    def __post_init__(self) -> None:
        if len(self.batch) != 1:
            msg = f"A Shower is made of a batch of one shower, not of {len(self.batch)}."
            raise InputError(msg)

    def __eq__(self, other: object) -> bool:
        """True if the other shower is the same, value by value."""
        return self.batch == other.batch if isinstance(other, Shower) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as of an array, whose values may change

    def __repr__(self) -> str:
        primary = self.batch.incident.summary.removeprefix("1 ")
        return (
            f"<Shower: {primary}, {self.n_points} points "
            f"({self.representation}), {self.visible_energy:.4g} MeV visible in {self.detector}>"
        )

    def _repr_html_(self) -> str:
        picture = side_view(self.layer, self.x, self.energy)
        return f"<div>{escape(repr(self))}<br/>{picture}</div>"

    @property
    def x(self) -> NDArray[np.float32]:
        """Position along the magnetic field, in mm, shape (n_points,)."""
        return self.batch.x

    @property
    def y(self) -> NDArray[np.float32]:
        """The other transverse position, in mm, shape (n_points,)."""
        return self.batch.y

    @property
    def layer(self) -> NDArray[np.uint8]:
        """Index of the sensitive layer, from 0 at the face, shape (n_points,)."""
        return self.batch.layer

    @property
    def energy(self) -> NDArray[np.float32]:
        """Deposited energy, in MeV, shape (n_points,)."""
        return self.batch.energy

    @property
    def time(self) -> NDArray[np.float32] | None:
        """Time of the deposit, in ns, shape (n_points,), where the generator knows it."""
        return self.batch.time

    @property
    def n_points(self) -> int:
        """Number of points."""
        return len(self.batch.energy)

    @property
    def visible_energy(self) -> float:
        """Sum of the deposits, in MeV."""
        return float(self.batch.visible_energy[0])

    @property
    def incident_energy(self) -> float:
        """Kinetic energy of the primary at the face, in GeV."""
        return float(self.batch.incident.energy[0])

    @property
    def direction(self) -> NDArray[np.float32]:
        """Direction of the primary in the local frame, shape (3,)."""
        direction: NDArray[np.float32] = self.batch.incident.direction[0]
        return direction

    @property
    def theta(self) -> float:
        """Angle of the primary to the calorimeter normal, in degrees."""
        return float(self.batch.incident.theta[0])

    @property
    def position(self) -> FloatArray | None:
        """Where the primary crosses the face, in the global frame, in mm, shape (3,), if known."""
        there = self.batch.incident.position
        return None if there is None else there[0]

    @property
    def particle(self) -> str:
        """PDG name of the primary."""
        return self.batch.incident.particle

    @property
    def representation(self) -> str:
        """Fineness to which deposits are merged: "x1", "x9", "x25", "x100", "x225" or "steps"."""
        return self.batch.representation

    @property
    def detector(self) -> str:
        """Name of the detector it was made for."""
        return self.batch.detector

    def to_awkward(self) -> awkward.Array:
        """Points as an Awkward array of records.

        Returns:
            Array of type `n_points * {x, y, layer, energy[, time]}`.

        Raises:
            CalozooError: If awkward is not installed (`pip install calozoo-core[awkward]`).
        """
        return import_awkward().zip(_point_columns(self))

    def plot(self, axes: Axes | None = None) -> Axes:
        """Plot of the shower from the side, with the path of the primary.

        Arguments:
            axes: Where to draw; None for axes of a new figure.

        Returns:
            The axes.

        Raises:
            CalozooError: If matplotlib is not installed (`pip install calozoo-core[plot]`).
            DetectorError: If the detector is not known.
        """
        detector = load_detector(self.detector)
        axes = new_axes() if axes is None else axes
        points = draw_side_view(axes, detector, self.layer, self.x, self.energy, self.direction)
        axes.figure.colorbar(points, ax=axes, extend="both", label="point energy [MeV]")
        axes.set_title(self.batch.incident.summary.removeprefix("1 "), loc="left")
        return axes


def _point_columns(showers: Showers | Shower) -> dict[str, NDArray[Any]]:
    columns = {name: getattr(showers, name) for name in ("x", "y", "layer", "energy", "time")}
    return {name: column for name, column in columns.items() if column is not None}


def _as_type(name: str, values: ArrayLike, dtype: type[np.number[Any]]) -> NDArray[Any]:
    """The values in their type, one after the other in memory; whole numbers must stay the same."""
    if type(values) is np.ndarray and values.dtype == dtype and values.ndim == 1:
        return np.ascontiguousarray(values)
    refuse_masked(values, name)
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
