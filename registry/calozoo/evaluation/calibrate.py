"""Calibration of a model: factors on its number of points and energy, fitted to Geant4."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from calozoo import api
from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError, OutputExistsError
from calozoo_core.generator import Generator
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerFile
from calozoo_core.observables import Deposits, merged_cells, placed_cells, points
from calozoo_core.placement import Placement, load_placement
from calozoo_core.representation import PointKind
from calozoo_core.showers import Showers
from calozoo_core.typing import BoolArray, FloatArray
from calozoo_core.weights import WEIGHT_FILES, sha256, write_config
from calozoo_core.weights.calibration import CalibrationRecord, Ratio

__all__ = ["FACTORS", "Factors", "ShowerTotals", "calibrate", "ratios"]

FACTORS = ("n_points", "energy")

FEWEST = 50
"""Smallest number of showers for a mean."""

WIDTH = 0.1
"""Relative width of the window in incident energy."""

MADE_AT_ONCE = 64

CLOSE = 2e-4
ROUNDS = 6

Factors = dict[str, float]


@dataclass(frozen=True, eq=False)
class ShowerTotals:
    """Number of deposits and visible energy of each shower.

    Arguments:
        energy_gev: Incident energies, shape (n,).
        n: Number of points or cells, shape (n,).
        visible_mev: Sum of their energies in MeV, shape (n,).
    """

    energy_gev: FloatArray
    n: FloatArray
    visible_mev: FloatArray

    @classmethod
    def concatenate(cls, parts: Sequence[ShowerTotals]) -> ShowerTotals:
        """Totals of several batches."""
        return cls(
            np.concatenate([part.energy_gev for part in parts]),
            np.concatenate([part.n for part in parts]),
            np.concatenate([part.visible_mev for part in parts]),
        )


def ratios(generated: ShowerTotals, reference: ShowerTotals, energy_gev: float) -> dict[str, Ratio]:
    """Ratios of the number of deposits, and of the visible energy at one incident energy.

    Both samples are of the same incident particles, one by one, so that their spectrum adds no
    error.

    Arguments:
        generated: Totals of a model.
        reference: Totals of Geant4.
        energy_gev: Incident energy of the visible energy.

    Returns:
        Generated over reference, under "n_points" and "energy".
    """
    there = near(reference.energy_gev, energy_gev)
    return {
        "n_points": _ratio(generated.n, reference.n),
        "energy": _ratio(generated.visible_mev[there], reference.visible_mev[there]),
    }


def near(energies: FloatArray, energy_gev: float) -> BoolArray:
    """Mask of the showers within a tenth of this energy, shape (n,)."""
    close: BoolArray = np.abs(energies / energy_gev - 1) <= WIDTH
    return close


def _ratio(mine: FloatArray, truth: FloatArray) -> Ratio:
    value = float(mine.sum() / truth.sum())
    away = mine - value * truth
    return Ratio(value=value, error=float(np.sqrt((away**2).sum()) / truth.sum()))


def calibrate(
    model: str,
    data: Sequence[Path],
    out: Path,
    *,
    folder: Path | None = None,
    energy_gev: float = 50.0,
    seed: int = 0,
    overwrite: bool = False,
    on_showers: Callable[[int], None] = lambda n: None,
) -> tuple[Factors, CalibrationRecord]:
    """Fit a model's factors on the number of points and on the energy, and write new weights.

    The model generates showers for the incident particles of the data, again and again with better
    factors, until the mean number of points of all showers and the mean visible energy at one
    incident energy are Geant4's. Points are compared where the data have the model's own; else
    cells above half of what a muon leaves.

    Arguments:
        model: `architecture[.tag]`.
        data: Shower files of Geant4.
        out: Folder for the new weights.
        folder: Folder of the weights to begin with; by default the model's own.
        energy_gev: Incident energy at which the visible energy is made to agree.
        seed: Seed of the generated showers.
        overwrite: Replace weights that are already there.
        on_showers: Called with the number of showers of each batch.

    Returns:
        The numbers that the factors were multiplied by, and the record of the calibration.

    Raises:
        ModelNameError: If no model is called so.
        InputError: If the model has no factors, or there are too few showers.
        OutputExistsError: If the folder has weights and `overwrite` is not set.
        ShowerFileError: If a file is missing or damaged.
        DetectorError: If the data are of a detector that the model's showers do not fit into.
        WeightsError: If weights cannot be read or written.
    """
    _check(data, out, energy_gev, overwrite=overwrite)
    source = folder or api.pull(model).folder
    start = generator = api.load(model, weights=source)
    start.calibrated({})  # refuses at once if there is nothing to calibrate
    assert source is not None  # what has a configuration has a folder
    comparison = _comparison(generator, data)
    reference = comparison.of_files(data, on_showers)
    n_there = int(near(reference.energy_gev, energy_gev).sum())
    if n_there < FEWEST:
        msg = (
            f"{n_there} showers within a tenth of {energy_gev:g} GeV are too few to calibrate on; "
            f"give at least {FEWEST}, or another energy_gev."
        )
        raise InputError(msg, argument="energy_gev")
    fit = _Fit()
    with tempfile.TemporaryDirectory() as scratch:
        while True:
            found = ratios(
                comparison.of_model(generator, data, seed, on_showers), reference, energy_gev
            )
            if fit.is_done(found):
                break
            write_config(Path(scratch), start.calibrated(fit.factors), source)
            generator = api.load(model, weights=Path(scratch))
    record = CalibrationRecord(
        files=tuple(path.name for path in data),
        sha256=tuple(sha256(path) for path in data),
        generators=comparison.generators,
        n_showers=len(reference.n),
        energy_gev=energy_gev,
        n_at_energy=n_there,
        seed=seed,
        compared=comparison.compared,
        readout=comparison.readout,
        before=fit.history[0][1],
        after=found,
    )
    write_config(out, start.calibrated(fit.factors, record), source)
    return fit.factors, record


class _Fit:
    """Secant method for the factors with which all ratios are 1, each by itself."""

    def __init__(self) -> None:
        self.factors = dict.fromkeys(FACTORS, 1.0)
        self.history: list[tuple[Factors, dict[str, Ratio]]] = []

    def is_done(self, found: dict[str, Ratio]) -> bool:
        """Add the ratios of the present factors; choose new factors if the ratios are not 1."""
        self.history.append((dict(self.factors), found))
        if all(abs(ratio.value - 1) < CLOSE for ratio in found.values()):
            return True
        if len(self.history) == ROUNDS:
            return True
        for name in FACTORS:
            self.factors[name] *= found[name].value ** (-1 / self._slope(name))
        return False

    def _slope(self, name: str) -> float:
        """Slope of the ratio over its factor, both as logarithms; cells merge points."""
        if len(self.history) < 2:
            return 1.0
        (before, old), (after, new) = self.history[-2:]
        step = math.log(after[name] / before[name])
        if abs(step) < 1e-6:
            return 1.0
        return min(max(math.log(new[name].value / old[name].value) / step, 0.2), 2.0)


@dataclass(frozen=True)
class _Comparison:
    """Comparison of points where both sides have the same ones, else of cells."""

    compared: Literal["points", "cells"]
    placement: Placement | None
    readout: str | None
    generators: tuple[str, ...]

    def of_files(self, paths: Sequence[Path], on_showers: Callable[[int], None]) -> ShowerTotals:
        """Totals of the showers in some files."""
        return self._of((showers, first) for first, showers in _batches(paths, on_showers))

    def of_model(
        self,
        generator: Generator,
        paths: Sequence[Path],
        seed: int,
        on_showers: Callable[[int], None],
    ) -> ShowerTotals:
        """Totals of the showers that a model generates for the same incident particles."""
        return self._of(
            (part, first)
            for first, incident in _incident_batches(paths, on_showers)
            for part in generator.batches(
                incident, seed=seed, first=first, batch_size=len(incident), extrapolate=True
            )
        )

    def _of(self, batches: Iterator[tuple[Showers, int]]) -> ShowerTotals:
        return ShowerTotals.concatenate([self._totals(*batch) for batch in batches])

    def _totals(self, showers: Showers, first: int) -> ShowerTotals:
        deposits = self._deposits(showers, first)
        return ShowerTotals(
            showers.incident.energy.astype(np.float64),
            deposits.occupancy.astype(np.float64),
            deposits.visible_energy,
        )

    def _deposits(self, showers: Showers, first: int) -> Deposits:
        detector = load_detector(showers.detector)
        if self.compared == "points":
            return points(showers, detector)
        if self.placement is None:
            return merged_cells(showers, detector, first=first)
        return placed_cells(self.placement.place(showers), showers.incident, self.placement)


def _check(data: Sequence[Path], out: Path, energy_gev: float, *, overwrite: bool) -> None:
    if not data:
        msg = "Give at least one file of Geant4 showers."
        raise InputError(msg)
    if not 0 < energy_gev < math.inf:
        msg = f"The energy to calibrate at must be positive, in GeV, not {energy_gev:g}."
        raise InputError(msg)
    if not overwrite and any((out / name).exists() for name in WEIGHT_FILES):
        msg = f"{out} already has weights in it. Add overwrite=True to replace them."
        raise OutputExistsError(msg, argument="overwrite=True")


def _comparison(generator: Generator, paths: Sequence[Path]) -> _Comparison:
    """Comparison of the showers in these files with those of a model."""
    spec = generator.spec
    kinds, generators = set(), []
    for path in paths:
        with ShowerFile(path) as file:
            if file.particle not in spec.conditions.particles:
                msg = (
                    f"{path} holds showers of {file.particle}; {spec.name} makes those of "
                    f"{', '.join(spec.conditions.particles)}."
                )
                raise InputError(msg)
            kinds.add(PointKind.of(file))
            generators.append(file.generator)
    if len(kinds) > 1:
        msg = "The files hold showers of different kinds; calibrate on those of one at a time."
        raise InputError(msg)
    kind, made_by = kinds.pop(), tuple(generators)
    detector = kind.detector
    if kind == PointKind.of(spec):
        return _Comparison("points", None, None, made_by)
    if detector == spec.detector:
        return _Comparison("cells", None, f"{detector} without gaps", made_by)
    return _Comparison("cells", load_placement(detector), detector, made_by)


def _batches(
    paths: Sequence[Path], on_showers: Callable[[int], None]
) -> Iterator[tuple[int, Showers]]:
    """Showers of some files, each batch with the number of its first."""
    first = 0
    for path in paths:
        with ShowerFile(path) as file:
            for rows in file.runs():
                yield first + rows.start, file[rows]
                on_showers(rows.stop - rows.start)
            first += len(file)


def _incident_batches(
    paths: Sequence[Path], on_showers: Callable[[int], None]
) -> Iterator[tuple[int, Incident]]:
    first = 0
    for path in paths:
        with ShowerFile(path) as file:
            for start in range(0, len(file), MADE_AT_ONCE):
                incident = file.incident(slice(start, start + MADE_AT_ONCE))
                yield first + start, incident
                on_showers(len(incident))
            first += len(file)
