"""Sub-cell grids on which the deposits of a layer are merged: x1, x9, x25, x100, x225."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from calozoo_core.detector import load_detector
from calozoo_core.errors import DetectorError, InputError
from calozoo_core.ragged import group
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import IntArray

__all__ = ["REPRESENTATIONS", "PointKind", "Representation", "is_finer", "nests"]

REPRESENTATIONS: Final[dict[str, int | None]] = {
    "x1": 1,
    "x9": 3,
    "x25": 5,
    "x100": 10,
    "x225": 15,
    "steps": None,
}
"""Sub-cells per cell along each axis, by name; None where every step is kept."""


class _HasPoints(Protocol):
    @property
    def representation(self) -> str: ...
    @property
    def detector(self) -> str: ...


class PointKind(NamedTuple):
    """Kind of points: those of two samples are comparable if it is the same, else only cells are.

    Arguments:
        representation: How finely deposits are merged.
        detector: Name of the detector the showers were made for.

    Example:
        >>> x9, x25 = (PointKind(name, "ild_siecal_regular") for name in ("x9", "x25"))
        >>> x9.difference(x25)
        'Points of x9 and x25 showers cannot be compared; their cells can.'
    """

    representation: str
    detector: str

    @classmethod
    def of(cls, showers: _HasPoints) -> PointKind:
        """Kind of the points of showers, of a shower file, or of a model by its spec."""
        return cls(showers.representation, showers.detector)

    def difference(self, other: PointKind) -> str | None:
        """Reason why points of two kinds cannot be compared; None if they can."""
        if self.representation != other.representation:
            pair = f"of {self.representation} and {other.representation} showers"
        elif self.detector != other.detector:
            pair = f"in {self.detector} and in {other.detector}"
        else:
            return None
        return f"Points {pair} cannot be compared; their cells can."


_CELL_TOLERANCE = 1e-3
_FARTHEST_MM = 1e9


@dataclass(frozen=True)
class Representation:
    r"""Merges the deposits of a shower sideways, cell by sub-cell.

    A model never sees Geant4's steps one by one: deposits of one layer that fall into the same
    sub-cell become one point with their summed energy, at the time of the first. The point lies
    where the most energetic of them was, as point clouds have it, or in the middle of the sub-cell,
    which is all that a regular grid knows.

    Each shower lies on a grid of its own, shifted along both axes by up to half a cell, so that a
    model cannot learn where the borders of the cells are. The shift is that of the readout cells:
    at one seed the sub-cells of a shower always nest in its cells.

    References:
        | CaloClouds3, section 2.2: https://arxiv.org/abs/2511.01460
        | Full physics benchmark, section II B: https://arxiv.org/abs/2511.17293

    Arguments:
        split: Sub-cells per cell along each axis: 1 (x1), 3 (x9), 5 (x25), 10 (x100), 15 (x225);
            None keeps every step.
        cell: Pitch of the readout cells, in mm.
        at: Where a point lies: at the "peak" of its sub-cell, or at its "centre".

    Raises:
        InputError: If there is no such split or place, or the pitch is not a length.

    Example:
        >>> from calozoo_core.incident import Incident
        >>> steps = Showers([0, 3], x=[0.0, 0.01, 40.0], y=[0, 0, 0], layer=[7, 7, 7],
        ...                 energy=[0.25, 0.5, 0.125], incident=Incident(10, (0, 0, 1)),
        ...                 representation="steps", detector="ild_siecal_regular")
        >>> x9 = Representation(split=3, cell=5.088)
        >>> merged = x9(steps, seed=0)
        >>> merged.representation, merged.energy.tolist()
        ('x9', [0.75, 0.125])
        >>> float(merged.energy.sum()) == float(steps.energy.sum())
        True
    """

    split: int | None
    cell: float
    at: Literal["peak", "centre"] = "peak"

    def __post_init__(self) -> None:
        if self.split not in REPRESENTATIONS.values():
            msg = "A cell is split in 1, 3, 5, 10 or 15, or None to keep every step, "
            raise InputError(msg + f"not {self.split}.")
        if not (math.isfinite(self.cell) and self.cell > 0):
            msg = f"The pitch of the cells must be a positive length in mm, not {self.cell}."
            raise InputError(msg)
        if self.at not in ("peak", "centre"):
            msg = f"A point lies at the peak or at the centre of its sub-cell, not at {self.at!r}."
            raise InputError(msg)

    @classmethod
    def named(
        cls, name: str, cell: float, at: Literal["peak", "centre"] = "peak"
    ) -> Representation:
        """The representation of this name, for cells of this pitch in mm.

        Raises:
            InputError: If there is none of that name.

        Example:
            >>> Representation.named("x25", cell=5.088).split
            5
        """
        if name not in REPRESENTATIONS:
            known = ", ".join(REPRESENTATIONS)
            msg = f"No representation is called {name!r}; there are {known}."
            raise InputError(msg)
        return cls(split=REPRESENTATIONS[name], cell=cell, at=at)

    @property
    def name(self) -> str:
        """Its name: "x1", "x9", "x25", "x100", "x225" or "steps"."""
        return next(name for name, split in REPRESENTATIONS.items() if split == self.split)

    def __call__(self, showers: Showers, seed: int, first: int = 0) -> Showers:
        """These showers, merged.

        The points come out sorted by shower, layer, y' and x' of their sub-cell. Showers that are
        in this representation already come back as they are.

        Arguments:
            showers: At least as fine as this representation.
            seed: The user's seed; with the shower's number it fixes the shift of its grid.
            first: Number of the first of the showers in the whole sample.

        Raises:
            DetectorError: If the showers were made for a detector with another pitch.
            InputError: If the showers are coarser already, or a position or energy is not a number.
        """
        self._check(showers)
        if showers.representation == self.name:
            return showers
        assert self.split is not None  # steps are refused or returned above
        if not np.all(np.isfinite(showers.energy)):
            msg = "A deposit has an energy that is not a number of MeV."
            raise InputError(msg)
        shift = grid_offsets(len(showers), self.cell, seed, first)[showers.shower_index]
        pitch = self.cell / self.split
        ix = _grid_index(showers.x, shift[:, 0], pitch)
        iy = _grid_index(showers.y, shift[:, 1], pitch)
        order, starts = group(showers.shower_index, showers.layer.astype(np.int64), iy, ix)
        top = _most_energetic(showers, order, starts)
        if self.at == "peak":
            return _merged(showers, order, starts, top, showers.x[top], showers.y[top], self.name)
        x = (ix[top] + 0.5) * pitch + shift[top, 0]
        y = (iy[top] + 0.5) * pitch + shift[top, 1]
        return _merged(showers, order, starts, top, x, y, self.name)

    def _check(self, showers: Showers) -> None:
        pitch = load_detector(showers.detector).cell_mm
        if not math.isclose(pitch, self.cell, rel_tol=_CELL_TOLERANCE):
            msg = (
                f"These showers were made for {showers.detector}, whose cells are {pitch:g} mm "
                f"wide, not {self.cell:g} mm."
            )
            raise DetectorError(msg)
        if _fineness(showers.representation) < _fineness(self.name):
            msg = (
                f"{showers.representation} showers cannot be made finer; ask for "
                f"{showers.representation} or coarser instead of {self.name}."
            )
            raise InputError(msg)


def is_finer(one: str, other: str) -> bool:
    """True if points of one representation can be merged to those of another.

    Example:
        >>> is_finer("x225", "x25"), is_finer("x25", "x25"), is_finer("x9", "steps")
        (True, False, False)
    """
    return _fineness(one) > _fineness(other)


def nests(fine: str, coarse: str) -> bool:
    """True if each sub-cell of one representation lies in a single sub-cell of another.

    Example:
        >>> nests("x225", "x25"), nests("x25", "x9")
        (True, False)
    """
    if fine in ("steps", coarse):
        return True
    many, few = REPRESENTATIONS[fine], REPRESENTATIONS[coarse]
    return many is not None and few is not None and many % few == 0


def grid_offsets(n: int, cell: float, seed: int, first: int = 0) -> NDArray[np.float64]:
    """Offsets of the grids of showers `first` to `first + n`, in mm, shape (n, 2).

    Uniform from minus to plus half a cell along x' and y', so that every position of a shower
    in its cell is as likely.
    """
    offsets = [stream(seed, index, "grid").random(2) for index in range(first, first + n)]
    return (np.array(offsets).reshape(n, 2) - 0.5) * cell


def _grid_index(
    position: NDArray[np.float32], shift: NDArray[np.float64], pitch: float
) -> IntArray:
    if not np.all(np.abs(position) < _FARTHEST_MM):
        msg = "A deposit has a position that is not a number of mm, or lies 1,000 km away."
        raise InputError(msg)
    return np.floor((position - shift) / pitch).astype(np.int64)


def _merged(
    showers: Showers,
    order: IntArray,
    starts: IntArray,
    top: IntArray,
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    name: str,
) -> Showers:
    """One point at x and y for each group of deposits, in the layer of its row `top`."""
    energy = showers.energy[order].astype(np.float64)
    return Showers(
        offsets=np.searchsorted(showers.shower_index[top], np.arange(len(showers) + 1)),
        x=x.astype(np.float32),
        y=y.astype(np.float32),
        layer=showers.layer[top],
        energy=np.add.reduceat(energy, starts).astype(np.float32),
        incident=showers.incident,
        representation=name,
        detector=showers.detector,
        time=None if showers.time is None else np.minimum.reduceat(showers.time[order], starts),
    )


def _most_energetic(showers: Showers, order: IntArray, starts: IntArray) -> IntArray:
    """Row of the most energetic deposit of each group; of equal ones, that of least x', then y'."""
    energy = showers.energy[order]
    sizes = np.diff(np.append(starts, len(order)))
    highest = np.repeat(np.maximum.reduceat(energy, starts), sizes)
    candidates = np.flatnonzero(energy == highest)
    rows = order[candidates]
    owner = np.repeat(np.arange(len(starts)), sizes)[candidates]
    top: IntArray = rows[np.searchsorted(owner, np.arange(len(starts)))]
    # Only the groups in which two deposits tie need ranking.
    tied = np.bincount(owner, minlength=len(starts))[owner] > 1
    rows, owner = rows[tied], owner[tied]
    ranked = np.lexsort((showers.y[rows], showers.x[rows], owner))
    winners, first = np.unique(owner[ranked], return_index=True)
    top[winners] = rows[ranked[first]]
    return top


def _fineness(name: str) -> float:
    split = REPRESENTATIONS.get(name, 0)
    return math.inf if split is None else split
