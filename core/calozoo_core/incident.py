"""Incident particles: the primaries that hit the calorimeter face."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calozoo_core.errors import InputError
from calozoo_core.particles import to_particle_name
from calozoo_core.ragged import (
    Rows,
    equal_arrays,
    import_awkward,
    is_number,
    refuse_masked,
    row_number,
    row_selection,
)
from calozoo_core.typing import Float32Array, FloatArray, IntArray

if TYPE_CHECKING:
    import awkward

__all__ = ["Incident", "float_array", "incident_of", "true_or_false", "whole_number"]

_UNIT_TOLERANCE = 2.0**-22


@dataclass(frozen=True, eq=False, repr=False)
class Incident:
    r"""Primaries at the calorimeter face, one a shower.

    Energies and directions broadcast against each other, so one direction serves many energies.

    Arguments:
        energy: Kinetic energy at the face, in GeV, shape (n,) or a number.
        direction: Direction in the local frame (z' into the calorimeter, x' along the magnetic
            field), shape (n, 3) or (3,). Normalised here.
        particle: PDG name, or the PDG's number; one for the whole batch.
        position: Where each crosses the face, in the detector's global frame, in mm, shape (n, 3)
            or (3,), float64; None where it does not matter.

    Raises:
        InputError: If an energy is not positive and finite, a direction is zero, not finite or
            does not point into the calorimeter, or a position is not finite.

    Example:
        >>> incident = Incident([10.0, 50.0], direction=(0, 0, 2))
        >>> len(incident), incident.direction[1].tolist()
        (2, [0.0, 0.0, 1.0])
        >>> incident[-1]
        <Incident: 1 gamma of 50 GeV at 0 degrees>
        >>> incident[incident.energy > 20] == incident[1:]
        True
    """

    energy: Float32Array
    direction: Float32Array
    particle: str = "gamma"
    position: NDArray[np.float64] | None = None

    def __init__(
        self,
        energy: ArrayLike,
        direction: ArrayLike,
        particle: str | int = "gamma",
        position: ArrayLike | None = None,
    ) -> None:
        energies = np.atleast_1d(float_array(energy, "energy"))
        directions = np.atleast_2d(float_array(direction, "direction"))
        particle = to_particle_name(particle)
        if energies.ndim != 1 or directions.ndim != 2 or directions.shape[1] != 3:
            msg = (
                "Energies must have shape (n,) and directions shape (n, 3), "
                f"not {energies.shape} and {directions.shape}."
            )
            raise InputError(msg)
        n = max(len(energies), len(directions))
        if len(energies) not in (1, n) or len(directions) not in (1, n):
            msg = (
                f"{len(energies)} energies do not go with {len(directions)} directions; "
                "give one of either, or as many of both."
            )
            raise InputError(msg)
        object.__setattr__(self, "energy", np.resize(_checked_energies(energies), n))
        object.__setattr__(self, "direction", np.resize(_unit_vectors(directions), (n, 3)))
        object.__setattr__(self, "particle", particle)
        object.__setattr__(self, "position", _checked_positions(position, n))

    def __len__(self) -> int:
        return len(self.energy)

    def __getitem__(self, rows: int | np.integer[Any] | Rows) -> Incident:
        """Some of the primaries, to the last bit; a single number gives an Incident of one.

        Arguments:
            rows: A whole number, counted from the end if negative; or a slice, whole numbers of
                shape (m,), or a mask of shape (n,).

        Raises:
            RowIndexError: If there is no such primary.
            InputError: If `rows` is none of these.
        """
        n = len(self)
        if is_number(rows):
            number = row_number(rows, n, "primary")
            chosen: slice | IntArray = slice(number, number + 1)
        else:
            chosen = row_selection(rows, n, "primary")  # type: ignore[arg-type]
        there = None if self.position is None else self.position[chosen]
        return _exactly(self.energy[chosen], self.direction[chosen], self.particle, there)

    def __iter__(self) -> Iterator[Incident]:
        return (self[number] for number in range(len(self)))

    def __eq__(self, other: object) -> bool:
        """True if the other has the same primaries, value by value."""
        if not isinstance(other, Incident):
            return NotImplemented
        return self.particle == other.particle and equal_arrays(
            self, other, ("energy", "direction", "position")
        )

    __hash__ = None  # type: ignore[assignment]  # as of an array, whose values may change

    def __repr__(self) -> str:
        return f"<Incident: {self.summary}{'' if self.position is None else ', with positions'}>"

    @property
    def summary(self) -> str:
        """Number, particle and ranges in words."""
        n = len(self)
        if n == 0:
            return f"0 {self.particle}"
        energy, theta = _range(self.energy), _range(self.theta)
        return f"{n} {self.particle} of {energy} GeV at {theta} degrees"

    @classmethod
    def concatenate(cls, parts: Iterable[Incident]) -> Incident:
        """One Incident out of several of the same particle, to the last bit.

        Arguments:
            parts: In order.

        Raises:
            InputError: If there are none, or only some have positions, or the particles differ.
        """
        parts = list(parts)
        kinds = {(part.particle, part.position is None) for part in parts}
        if len(kinds) != 1:
            msg = "Only primaries of one particle, all with positions or none, go together."
            raise InputError(msg)
        positions = [part.position for part in parts if part.position is not None]
        return _exactly(
            np.concatenate([part.energy for part in parts]),
            np.concatenate([part.direction for part in parts]),
            parts[0].particle,
            np.concatenate(positions) if positions else None,
        )

    def to_awkward(self) -> awkward.Array:
        """Primaries as an Awkward array of records.

        Returns:
            Array of type `n * {energy, direction: {x, y, z}[, position: {x, y, z}], particle}`.

        Raises:
            CalozooError: If awkward is not installed (`pip install calozoo-core[awkward]`).
        """
        awkward = import_awkward()
        fields: dict[str, Any] = {"energy": self.energy}
        for name in ("direction", "position"):
            vectors = getattr(self, name)
            if vectors is not None:
                fields[name] = awkward.zip(dict(zip("xyz", vectors.T, strict=True)))
        fields["particle"] = np.full(len(self), self.particle)
        return awkward.zip(fields, depth_limit=1)

    def batches(self, size: int) -> Iterator[tuple[int, Incident]]:
        """The primaries in order, at most `size` at a time, each with the index of its first."""
        if 0 < len(self) <= size:
            yield 0, self
            return
        for first in range(0, len(self), size):
            yield first, self[first : first + size]

    @property
    def theta(self) -> Float32Array:
        """Angle to the calorimeter normal, in degrees, shape (n,)."""
        transverse = np.hypot(self.direction[:, 0], self.direction[:, 1])
        theta: Float32Array = np.degrees(np.arctan2(transverse, self.direction[:, 2]))
        return theta


def incident_of(
    energy: ArrayLike | None,
    direction: ArrayLike | None,
    position: ArrayLike | None,
    particle: str | int,
    n: int | None,
) -> Incident:
    """Primaries of the arguments of `Generator.generate`.

    Arguments:
        energy: Kinetic energy at the face, in GeV: a number, or shape (n,).
        direction: Direction in the local frame, shape (3,) or (n, 3); None for straight in.
        position: Where they cross the face, as for `Incident`.
        particle: PDG name, or the PDG's number.
        n: Number of primaries; None for as many as energies or directions.

    Raises:
        InputError: If there is no energy, or an argument makes no sense.
    """
    if energy is None:
        msg = "Say which energy, in GeV: generate(energy=50)."
        raise InputError(msg, argument="energy")
    if n is not None:
        n = whole_number("n", n)
        if n < 1:
            msg = f"The number of showers must be at least 1, not {n}."
            raise InputError(msg)
        energies = float_array(energy, "energy")
        try:
            energy = np.full(n, energies) if energies.ndim == 0 else energies
        except (MemoryError, ValueError, OverflowError) as error:
            msg = f"{n} showers do not fit into the memory; make fewer at a time."
            raise InputError(msg) from error
    incident = Incident(energy, (0, 0, 1) if direction is None else direction, particle, position)
    if n is not None and len(incident) != n:
        msg = f"{len(incident)} energies or directions do not make {n} showers; leave n out."
        raise InputError(msg)
    return incident


def whole_number(name: str, value: Any) -> int:
    """Value of an argument as a plain whole number.

    Raises:
        InputError: If it is none.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        msg = f"{name} must be a whole number, not {value!r}."
        raise InputError(msg, argument=name) from None


def true_or_false(name: str, value: Any) -> bool:
    """Value of an argument that is a flag; a text such as "no" would count as true.

    Raises:
        InputError: If it is neither True nor False.
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    msg = f"{name} must be True or False, not {value!r}."
    raise InputError(msg, argument=name)


def _exactly(
    energy: Float32Array, direction: Float32Array, particle: str, position: FloatArray | None
) -> Incident:
    """Incident of these very arrays, which are not normalised again."""
    made = object.__new__(Incident)
    object.__setattr__(made, "energy", energy)
    object.__setattr__(made, "direction", direction)
    object.__setattr__(made, "particle", particle)
    object.__setattr__(made, "position", position)
    return made


def _range(values: Float32Array) -> str:
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return low if low == high else f"{low}-{high}"


def float_array(values: ArrayLike, name: str) -> FloatArray:
    """Numbers as an array of float64, from any device, and without their gradients.

    Arguments:
        values: Numbers, as an array, a tensor or lists.
        name: Name of the argument, for the message.

    Raises:
        InputError: If they are no numbers, as many in each row, or some are masked.
    """
    if hasattr(values, "detach"):  # a tensor, perhaps on a GPU, perhaps with a gradient
        tensor: Any = values.detach().cpu()
        # numpy has no bfloat16
        values = tensor.double() if tensor.is_floating_point() else tensor
    refuse_masked(values, name)
    try:
        given = np.asarray(values)
        if given.dtype.kind not in "iufO":
            msg = f"{name} must be numbers, not {given.dtype.name} {str(values)[:40]!r}."
            raise InputError(msg, argument=name)
        with np.errstate(invalid="ignore"):  # a signalling NaN is still a NaN
            return given.astype(np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        msg = f"{name} must be numbers, as many in each row."
        raise InputError(msg, argument=name) from error


def _checked_positions(position: ArrayLike | None, n: int) -> NDArray[np.float64] | None:
    if position is None:
        return None
    try:
        checked = np.broadcast_to(float_array(position, "position"), (n, 3)).copy()
    except ValueError as error:
        msg = f"{n} primaries need positions of shape ({n}, 3) or (3,), in mm."
        raise InputError(msg) from error
    if not np.all(np.isfinite(checked)):
        msg = "A position must be three finite numbers, in mm."
        raise InputError(msg)
    return checked


def _checked_energies(energies: NDArray[np.float64]) -> Float32Array:
    # Checked after rounding: what is too small or too large for 32 bits is no energy either.
    with np.errstate(over="ignore", under="ignore"):
        rounded = energies.astype(np.float32)
    bad = energies[~(np.isfinite(rounded) & (rounded > 0))]
    if len(bad):
        msg = f"An incident energy must be positive and finite, in GeV, and {bad[0]:g} is not."
        raise InputError(msg)
    return rounded


def _unit_vectors(directions: NDArray[np.float64]) -> Float32Array:
    largest = np.abs(directions).max(axis=1, keepdims=True, initial=0.0)
    if not np.all(np.isfinite(largest)) or np.any(largest == 0):
        msg = (
            "A direction must be three finite numbers that are not all zero; 0,0,1 is straight in."
        )
        raise InputError(msg)
    with np.errstate(over="ignore", under="ignore"):
        scaled = directions / largest
        norms = np.linalg.norm(scaled, axis=1, keepdims=True)
        # A unit vector read back from 32 bits keeps its every bit.
        is_unit = np.abs(norms * largest - 1) < _UNIT_TOLERANCE
        unit: Float32Array = np.where(is_unit, directions, scaled / norms).astype(np.float32)
    backward = directions[unit[:, 2] <= 0]
    if len(backward):
        text = ",".join(f"{c:g}" for c in backward[0])
        msg = f"The direction {text} does not point into the calorimeter; its z' must be positive."
        raise InputError(msg)
    return unit
