"""Record of a model's calibration, kept with its weights."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from calozoo_core.strict_model import StrictModel

__all__ = ["CalibrationRecord", "Ratio"]


class Ratio(StrictModel):
    """A mean of generated showers over that of Geant4's, for the same primaries.

    Arguments:
        value: The ratio.
        error: Its statistical error.
    """

    value: float
    error: float = Field(ge=0)


class CalibrationRecord(StrictModel):
    """Record of a calibration: the data, and the ratios before and after.

    Arguments:
        files: Names of the shower files.
        sha256: Of each.
        generators: Who made each.
        n_showers: Showers of all of them.
        energy_gev: Where the visible energy was made to agree.
        n_at_energy: Showers there.
        seed: Of the generated showers.
        compared: What was counted and summed: points, or cells.
        readout: Whose cells; None for points.
        before: Number of deposits and visible energy, `n_points` and `energy`, to begin with.
        after: The same with the new factors.
    """

    files: tuple[str, ...]
    sha256: tuple[str, ...]
    generators: tuple[str, ...]
    n_showers: int
    energy_gev: float
    n_at_energy: int
    seed: int
    compared: Literal["points", "cells"]
    readout: str | None = None
    before: dict[str, Ratio]
    after: dict[str, Ratio]
