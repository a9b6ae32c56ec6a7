"""Reference showers of a refinement: Geant4 files, checked, split and read batch by batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from calozoo_core.detector import load_detector
from calozoo_core.errors import ConditionsError, DetectorError, InputError
from calozoo_core.generator import Conditions, ModelSpec
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerFile
from calozoo_core.observables.tails import AxisPoints, TailSample
from calozoo_core.random import stream
from calozoo_core.representation import REPRESENTATIONS, Representation
from calozoo_core.showers import Showers
from calozoo_core.typing import BoolArray, Float32Array
from calozoo_core.weights import sha256
from calozoo_refine.evaluation import EvaluationSample, SampleBuilder
from calozoo_refine.refinement import ReferenceRecord

__all__ = ["ReferenceShowers", "covered_conditions"]

MIN_SHOWERS: Final = 1000
"""Smallest reference; the tails of a smaller one are next to empty."""


@dataclass(frozen=True)
class ReferenceShowers:
    """Geant4 showers in one or more files, of which a random part is held out.

    Arguments:
        paths: Shower files.
        held_out: Probability of each shower to be held out, from 0.1 to 0.9.
        seed: Seed of the split.
    """

    paths: tuple[Path, ...]
    held_out: float
    seed: int

    @classmethod
    def find(cls, paths: Sequence[Path], held_out: float, seed: int) -> ReferenceShowers:
        """Reference from these files, and from all `.h5` files in these folders and below.

        Raises:
            InputError: If there are no files, or `held_out` is out of range.
        """
        if not 0.1 <= held_out <= 0.9:
            msg = f"Between 0.1 and 0.9 of the reference can be held out, not {held_out:g}."
            raise InputError(msg)
        found: list[Path] = []
        for path in paths:
            found += sorted(path.rglob("*.h5")) if path.is_dir() else [path]
        if not found:
            words = ", ".join(str(path) for path in paths)
            msg = f"There are no shower files in {words}; pass reference files, or their folder."
            raise InputError(msg, argument="reference")
        return cls(tuple(found), held_out, seed)

    @cached_property
    def n_showers(self) -> int:
        """Number of showers in all files."""
        total = 0
        for path in self.paths:
            with ShowerFile(path) as file:
                total += len(file)
        return total

    @cached_property
    def is_held_out(self) -> BoolArray:
        """Mask of the held-out showers, shape (n_showers,)."""
        held_out: BoolArray = (
            stream(self.seed, 0, "held out").random(self.n_showers) < self.held_out
        )
        return held_out

    def check(self, spec: ModelSpec) -> None:
        """Refuse showers that cannot be compared with those of a model.

        Raises:
            InputError: If they are too few, of another particle, or coarser than the model's.
            DetectorError: If they are of another detector.
            ShowerFileError: If a file is missing or damaged.
        """
        for path in self.paths:
            with ShowerFile(path) as file:
                _check_file(file, path, spec)
        if self.n_showers < MIN_SHOWERS:
            msg = f"{self.n_showers} showers are too few to refine on; give at least {MIN_SHOWERS}."
            raise InputError(msg)

    def read(
        self, spec: ModelSpec, on_showers: Callable[[int], None]
    ) -> tuple[TailSample, EvaluationSample]:
        """Tail observables of the showers to fit, and the evaluation sample of the others.

        Arguments:
            spec: Spec of the model, to whose representation finer showers are merged.
            on_showers: Called with the number of showers of each batch.
        """
        detector = load_detector(spec.detector)
        merge = Representation.named(spec.representation, detector.cell_mm)
        builder, fitting, first = SampleBuilder(detector), [], 0
        for showers in self._batches():
            rows = self.is_held_out[first : first + len(showers)]
            if showers.representation != spec.representation:
                showers = merge(showers, self.seed, first)
            points = AxisPoints.from_showers(showers, detector)
            kept = points[np.flatnonzero(~rows)]
            if rows.any():
                builder.add(points[np.flatnonzero(rows)].to_showers(spec.representation))
            if len(kept):
                fitting.append(TailSample.from_points(kept))
            first += len(rows)
            on_showers(len(rows))
        return TailSample.concatenate(fitting), builder.sample()

    def record(self) -> ReferenceRecord:
        """Names, digests and numbers of showers, as kept in a configuration."""
        generators = []
        for path in self.paths:
            with ShowerFile(path) as file:
                generators.append(file.generator)
        n_held_out = int(np.count_nonzero(self.is_held_out))
        return ReferenceRecord(
            files=tuple(path.name for path in self.paths),
            sha256=tuple(sha256(path) for path in self.paths),
            generators=tuple(generators),
            n_fitted=self.n_showers - n_held_out,
            n_held_out=n_held_out,
        )

    def _batches(self) -> Iterator[Showers]:
        for path in self.paths:
            with ShowerFile(path) as file:
                for rows in file.runs():
                    yield file[rows]


def covered_conditions(spec: ModelSpec, incident: Incident) -> Conditions:
    """Conditions that both the primaries of a reference and the model cover.

    Raises:
        ConditionsError: If the model was not trained on all of the primaries.
    """
    energy, theta = incident.energy, incident.theta
    try:
        spec.conditions.check(incident, spec.name)
    except ConditionsError as error:
        (low, high), angles = spec.conditions.energy_gev, spec.conditions.theta_deg
        msg = (
            f"The reference has primaries of {energy.min():.3g} to {energy.max():.3g} GeV and "
            f"{theta.min():.2g} to {theta.max():.2g} degrees, and {spec.name} was trained on "
            f"{low:g}-{high:g} GeV and {angles[0]:g}-{angles[1]:g} degrees; leave the others out."
        )
        raise ConditionsError(msg) from error
    return Conditions(
        particles=(incident.particle,),
        energy_gev=_rounded_range(energy, spec.conditions.energy_gev),
        theta_deg=_rounded_range(theta, spec.conditions.theta_deg),
    )


def _check_file(file: ShowerFile, path: Path, spec: ModelSpec) -> None:
    if file.particle not in spec.conditions.particles:
        msg = (
            f"{path} holds showers of {file.particle}; {spec.name} makes those of "
            f"{', '.join(spec.conditions.particles)}."
        )
        raise InputError(msg)
    if file.detector != spec.detector:
        msg = (
            f"{path} holds showers in {file.detector}, and {spec.name} makes them in "
            f"{spec.detector}; pass a reference made in that."
        )
        raise DetectorError(msg, argument="reference")
    if _cells_split(file.representation) < _cells_split(spec.representation):
        msg = (
            f"{path} holds {file.representation} showers, coarser than the "
            f"{spec.representation} of {spec.name}; pass a finer reference."
        )
        raise InputError(msg, argument="reference")


def _cells_split(representation: str) -> float:
    """Sub-cells per cell along an axis; infinite for steps."""
    return REPRESENTATIONS[representation] or np.inf


def _rounded_range(values: Float32Array, limits: tuple[float, float]) -> tuple[float, float]:
    """Range of the values, rounded outwards to two digits, within the model's limits.

    Uniform energies up to 100 GeV end at 99.99. Where the range ends within 2 % of the width of
    the limits from a limit, it ends at the limit.
    """
    tolerance = 0.02 * (limits[1] - limits[0]) + 1e-6
    low = _two_digits(float(values.min()), math.floor)
    high = _two_digits(float(values.max()), math.ceil)
    return (
        limits[0] if low - limits[0] < tolerance else low,
        limits[1] if limits[1] - high < tolerance else high,
    )


def _two_digits(value: float, rounding: Callable[[float], int]) -> float:
    """Value with two significant digits.

    Example:
        >>> _two_digits(99.98, math.ceil), _two_digits(10.03, math.floor)
        (100.0, 10.0)
        >>> _two_digits(0.0, math.floor)
        0.0
    """
    if value <= 0:
        return 0.0
    digit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return rounding(value / digit) * digit
