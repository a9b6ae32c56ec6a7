"""Observables of showers and their binnings: what is histogrammed, in which bins, after whom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from calozoo_core.detector import Detector, load_detector
from calozoo_core.strict_model import StrictModel

__all__ = ["LEVELS", "Binning", "Observable", "observables"]


class Binning(StrictModel):
    """Bins of equal width; stored with every figure that depends on them.

    Four numbers say where all edges are, so that a result can name its bins in one line.

    Arguments:
        low: Lower edge of the first bin.
        high: Upper edge of the last.
        bins: Their number.
        spacing: Equal widths of the value, or of its logarithm.
        unit: Of the value.
        flow: Whether what lies below and above is compared too, as two more bins. Where it is not,
            it is left out, as in profiles that are defined within a radius.

    Example:
        >>> decades = Binning(low=0.1, high=1000, bins=4, spacing="log", unit="MeV")
        >>> decades.edges.tolist()
        [0.1, 1.0, 10.0, 100.0, 1000.0]
        >>> decades.index([0.05, 0.1, 999, 1000]).tolist()  # 0 and 5 are below and above
        [0, 1, 4, 5]
    """

    low: float
    high: float
    bins: int = Field(ge=1)
    spacing: Literal["linear", "log"] = "linear"
    unit: str
    flow: bool = False

    @model_validator(mode="after")
    def _rises(self) -> Binning:
        if not self.low < self.high or (self.spacing == "log" and self.low <= 0):
            msg = f"there are no {self.spacing} bins from {self.low:g} to {self.high:g}"
            raise ValueError(msg)
        return self

    @cached_property
    def edges(self) -> NDArray[np.float64]:
        """Edges of the bins, shape (bins + 1,)."""
        if self.spacing == "log":
            edges = np.logspace(np.log10(self.low), np.log10(self.high), self.bins + 1)
            edges[[0, -1]] = self.low, self.high
            return edges
        return np.linspace(self.low, self.high, self.bins + 1)

    def index(self, values: ArrayLike) -> NDArray[np.int64]:
        """The bin of each value: 1 to `bins`, 0 for what lies below and bins + 1 for above.

        A bin holds its lower edge and not its upper one.

        Arguments:
            values: Values in the unit of the bins, of any shape; none may be NaN.

        Returns:
            Numbers of bins, of the shape of the values.
        """
        given = np.asarray(values, np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            place = np.log10(np.maximum(given, 0)) if self.spacing == "log" else given
        low, high = (np.log10(e) if self.spacing == "log" else e for e in (self.low, self.high))
        # Arithmetic is five times as fast as a search, and may err by one bin at an edge.
        guess = np.floor((place - low) * (self.bins / (high - low))) + 1
        index: NDArray[np.int64] = np.clip(guess, 0, self.bins + 1).astype(np.int64)
        bounds = np.concatenate([[-np.inf], self.edges, [np.inf]])
        index -= given < bounds[index]
        index += given >= bounds[index + 1]
        return np.minimum(index, self.bins + 1)  # infinity is not below infinity

    def compared(self, contents: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of contents with both flow bins, shape (..., bins + 2), those that are compared."""
        return contents if self.flow else contents[..., 1:-1]


LEVELS: Final = ("points", "cells")
"""Local points about the shower axis, and the readout cells they fall into."""

P1: Final = "CaloClouds3, arXiv:2511.01460"

P2: Final = "Full physics benchmark, arXiv:2511.17293"


@dataclass(frozen=True)
class Observable:
    """A histogram of showers: what is filled into which bins.

    Arguments:
        name: `level.quantity`.
        label: The axis, with its unit.
        value: Attribute of `Deposits` that is filled, dots and all.
        per: One entry a deposit, or one a shower.
        weight: Attribute that an entry counts with; None counts entries.
        binning: The bins.
        source: Whose definition and bins these are; where a paper does not print its bins, they
            are our own, and the source says so.
    """

    name: str
    label: str
    value: str
    per: Literal["deposit", "shower"]
    weight: str | None
    binning: Binning
    source: str

    @property
    def level(self) -> str:
        """`points` or `cells`."""
        return self.name.partition(".")[0]


def observables(detector: Detector | str) -> dict[str, Observable]:
    """Every observable by its name.

    Arguments:
        detector: Whose layers and cells the bins follow, or its name.

    Raises:
        DetectorError: If no detector has that name.

    Example:
        >>> spectrum = observables("ild_siecal_regular")["cells.spectrum"]
        >>> spectrum.label, spectrum.binning.bins
        ('energy of a cell [MeV]', 100)
    """
    if isinstance(detector, str):
        detector = load_detector(detector)
    return {o.name: o for o in _table(detector.n_layers, detector.cell_mm)}


@cache
def _table(n_layers: int, cell_mm: float) -> tuple[Observable, ...]:
    return (
        *_of_both("points", "point", n_layers),
        *_radial(
            "points", Binning(low=0, high=100, bins=100, unit="mm", flow=True), "our own bins"
        ),
        *_of_both("cells", "cell", n_layers),
        *_radial("cells", _rings(cell_mm), f"{P1}, a cell wide and not stretched to the last hit"),
        *_within(),
        *_angles(),
    )


def _rings(cell_mm: float) -> Binning:
    # The first is half as wide in effect: it begins half a cell below 0, as in the paper's figures.
    return Binning(low=-cell_mm / 2, high=69.5 * cell_mm, bins=70, unit="mm", flow=True)


def _of_both(level: str, deposit: str, n_layers: int) -> tuple[Observable, ...]:
    """Observables that points and cells have in common."""
    are_points = level == "points"
    spectrum = (1e-3, 100.0) if are_points else (0.01, 1100.0)
    most, highest = (10_000, 10_000.0) if are_points else (3000, 4000.0)
    layers = Binning(low=0, high=n_layers, bins=n_layers, unit="layer")
    across = Binning(low=-250, high=250, bins=2000, unit="mm", flow=True)

    def one(
        name: str,
        label: str,
        value: str,
        binning: Binning,
        *,
        per: Literal["deposit", "shower"] = "shower",
        weight: str | None = None,
        source: str = P1,
    ) -> Observable:
        return Observable(f"{level}.{name}", label, value, per, weight, binning, source)

    return (
        one(
            "spectrum",
            f"energy of a {deposit} [MeV]",
            "energy",
            Binning(
                low=spectrum[0], high=spectrum[1], bins=100, spacing="log", unit="MeV", flow=True
            ),
            per="deposit",
        ),
        one("layer_energy", "layer", "layer", layers, per="deposit", weight="energy"),
        one("layer_count", "layer", "layer", layers, per="deposit"),
        one(
            "occupancy",
            f"{deposit}s in a shower",
            "occupancy",
            Binning(low=0, high=most, bins=50, unit=f"{deposit}s", flow=True),
        ),
        one(
            "visible_energy",
            "visible energy [MeV]",
            "visible_energy",
            Binning(low=0, high=highest, bins=50, unit="MeV", flow=True),
        ),
        one(
            "response",
            "visible / incident energy [MeV/GeV]",
            "response",
            Binning(low=0, high=50, bins=100, unit="MeV/GeV", flow=True),
            source="our own bins",
        ),
        one("centre_x", "centre of gravity x' [mm]", "centre_x", across),
        one("centre_y", "centre of gravity y' [mm]", "centre_y", across),
        one(
            "centre_z",
            "centre of gravity [layers]",
            "centre_z",
            Binning(low=0, high=n_layers, bins=2 * n_layers, unit="layer", flow=True),
        ),
    )


def _radial(level: str, binning: Binning, source: str) -> tuple[Observable, ...]:
    """Profiles over the distance to the axis within the layer."""
    label = "distance to the axis in the layer [mm]"
    return tuple(
        Observable(f"{level}.{name}", label, "radius", "deposit", weight, binning, source)
        for name, weight in (("radial_energy", "energy"), ("radial_count", None))
    )


def _within() -> tuple[Observable, ...]:
    """Profiles over the shortest distance to the axis, within 100 and 30 mm."""
    return tuple(
        Observable(
            f"cells.radial_energy_{high}",
            "shortest distance to the axis [mm]",
            "distance",
            "deposit",
            "energy",
            Binning(low=0, high=high, bins=bins, unit="mm"),
            f"{P2}, Table I; our own bins",
        )
        for high, bins in ((100, 20), (30, 30))
    )


def _angles() -> tuple[Observable, ...]:
    """The direction of a shower by itself, against that of its primary."""
    return tuple(
        Observable(
            f"cells.{angle}_{share}",
            f"{label} with {share} % of the hits [degrees]",
            f"residuals_{share}.{angle}",
            "shower",
            None,
            Binning(
                low=0 if angle == "angle" else -reach,
                high=reach,
                bins=50,
                unit="degrees",
                flow=True,
            ),
            f"{P1}, section 4.3; our own bins",
        )
        for share, reach in ((100, 15), (4, 5))
        for angle, label in (
            ("phi", "azimuth, shower minus primary,"),
            ("theta", "polar angle, shower minus primary,"),
            ("angle", "angle between shower and primary"),
        )
    )
