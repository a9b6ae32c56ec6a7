"""Energy resolution and linearity: width and mean of the central 90 % of the visible energies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.metrics.resampling import jackknife_error
from calozoo_core.observables.deposits import Deposits
from calozoo_core.typing import FloatArray, IntArray

__all__ = [
    "FEWEST_IN_WINDOW",
    "ResponsePoint",
    "Responses",
    "Window",
    "central_90",
    "energy_windows",
    "response_curve",
]

FEWEST_IN_WINDOW: Final = 50
"""Of fewer showers the 5 % at either end are two or three, and the width says nothing."""

_MOST_FIXED = 40
_ROUNDING = 1e-4


@dataclass(frozen=True)
class Window:
    """A range of incident energies, in GeV, both ends included."""

    low_gev: float
    high_gev: float

    @property
    def centre_gev(self) -> float:
        """Its middle."""
        return (self.low_gev + self.high_gev) / 2


@dataclass(frozen=True, eq=False)
class Responses:
    """Response of the calorimeter to each shower of a sample: 21 bytes a shower.

    Arguments:
        energy_gev: Incident energies, shape (n,), float32.
        visible_mev: Visible energies, shape (n,), float32.
        cells: Numbers of cells above threshold, shape (n,), int32.
        centre_mm: Centre of gravity along x' and y', from the shower axis, shape (n, 2), float32;
            NaN for showers without a cell.
        block: Block of each shower, shape (n,), uint8.
    """

    energy_gev: NDArray[np.float32]
    visible_mev: NDArray[np.float32]
    cells: NDArray[np.int32]
    centre_mm: NDArray[np.float32]
    block: NDArray[np.uint8]

    @classmethod
    def of(cls, cells: Deposits, block: IntArray) -> Responses:
        """Responses of showers, by their readout cells and blocks."""
        return cls(
            cells.incident.energy,
            cells.visible_energy.astype(np.float32),
            cells.occupancy.astype(np.int32),
            np.stack([cells.centre_x, cells.centre_y], axis=1).astype(np.float32),
            block.astype(np.uint8),
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Responses]) -> Responses:
        """One sample out of parts, which may be none."""
        return cls(
            np.concatenate([np.zeros(0, np.float32), *(part.energy_gev for part in parts)]),
            np.concatenate([np.zeros(0, np.float32), *(part.visible_mev for part in parts)]),
            np.concatenate([np.zeros(0, np.int32), *(part.cells for part in parts)]),
            np.concatenate([np.zeros((0, 2), np.float32), *(part.centre_mm for part in parts)]),
            np.concatenate([np.zeros(0, np.uint8), *(part.block for part in parts)]),
        )

    def __len__(self) -> int:
        return len(self.energy_gev)

    def __getitem__(self, rows: NDArray[np.bool_]) -> Responses:
        """Those of the showers that are set, shape (n,)."""
        return Responses(
            self.energy_gev[rows],
            self.visible_mev[rows],
            self.cells[rows],
            self.centre_mm[rows],
            self.block[rows],
        )

    def inside(self, window: Window) -> Responses:
        """Those of the showers whose primaries have these energies."""
        return self[(self.energy_gev >= window.low_gev) & (self.energy_gev <= window.high_gev)]

    @property
    def per_gev(self) -> FloatArray:
        """Visible over incident energy, in MeV per GeV, shape (n,)."""
        return self.visible_mev.astype(np.float64) / self.energy_gev


def central_90(values: FloatArray) -> tuple[float, float]:
    """Mean and standard deviation of the values between their 5 % and 95 % quantiles.

    The benchmark paper calls this the central 90 % interval; it is not the narrowest one.

    References:
        | Full physics benchmark, section IV A: https://arxiv.org/abs/2511.17293

    Example:
        >>> mean, width = central_90(np.arange(101.0))
        >>> mean, round(width, 3)
        (50.0, 26.268)
    """
    low, high = np.quantile(values, [0.05, 0.95])
    inside = values[(values >= low) & (values <= high)]
    return float(inside.mean()), float(inside.std())


def energy_windows(energy_gev: NDArray[np.floating]) -> tuple[Window, ...]:
    """Windows of incident energy in which resolution and linearity are given.

    At each energy, if they have few; of a continuous spectrum, in windows of 10 GeV around 10, 20,
    30 GeV and so on. In a window the visible energy is taken relative to the incident one, but the
    resolution still changes within it: two samples must have the same spectrum there.

    Example:
        >>> energy_windows(np.array([10.0, 50.0, 10.0]))[1].centre_gev
        50.0
        >>> [w.centre_gev for w in energy_windows(np.linspace(1, 24, 1000))]
        [10.0, 20.0]
    """
    values = np.unique(np.asarray(energy_gev, np.float64))
    if len(values) <= _MOST_FIXED:
        return tuple(Window(v * (1 - _ROUNDING), v * (1 + _ROUNDING)) for v in map(float, values))
    last = int((values[-1] + 5) // 10)
    return tuple(Window(10.0 * k - 5, 10.0 * k + 5) for k in range(1, last + 1))


@dataclass(frozen=True)
class ResponsePoint:
    """Linearity and resolution of the showers in one window of incident energies.

    Arguments:
        window: The incident energies.
        n: Showers in it.
        linearity: mu90, the mean visible over incident energy, in MeV per GeV.
        linearity_error: Its statistical error.
        resolution: sigma90 / mu90.
        resolution_error: Its statistical error.
    """

    window: Window
    n: int
    linearity: float
    linearity_error: float
    resolution: float
    resolution_error: float


def response_curve(
    responses: Responses, windows: Sequence[Window], n_blocks: int
) -> tuple[ResponsePoint, ...]:
    """Linearity and resolution over incident energy.

    Windows of fewer than 50 showers, or whose showers are mostly empty, have no point.

    Arguments:
        responses: Of a sample.
        windows: From `energy_windows`, of the sample it is compared with.
        n_blocks: Blocks in the sample.
    """
    points = []
    for window in windows:
        inside = responses.inside(window)
        if len(inside) < FEWEST_IN_WINDOW or not central_90(inside.per_gev)[0] > 0:
            continue
        linearity, width = central_90(inside.per_gev)

        def mean(rows: NDArray[np.bool_], part: Responses = inside) -> float:
            return central_90(part.per_gev[rows[part.block]])[0]

        def ratio(rows: NDArray[np.bool_], part: Responses = inside) -> float:
            mu90, sigma90 = central_90(part.per_gev[rows[part.block]])
            return sigma90 / mu90

        points.append(
            ResponsePoint(
                window=window,
                n=len(inside),
                linearity=linearity,
                linearity_error=jackknife_error(mean, n_blocks),
                resolution=width / linearity,
                resolution_error=jackknife_error(ratio, n_blocks),
            )
        )
    return tuple(points)
