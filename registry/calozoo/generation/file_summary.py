"""Summary of a shower file: counts, ranges and means, read batch by batch."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from calozoo_core.errors import ShowerFileError
from calozoo_core.io import ShowerFile

__all__ = ["FileSummary", "RunningMean", "Summary", "summarise"]

BATCH = 256


@dataclass
class RunningMean:
    """Mean and its error, of values that come batch by batch.

    Attributes:
        n: Number of values.
        value: Their mean.
        error: Standard error of the mean; 0 for a single value.

    Example:
        >>> mean = RunningMean()
        >>> mean.add([1.0, 2.0])
        >>> mean.add([3.0])
        >>> mean.value, round(mean.error, 3)
        (2.0, 0.577)
    """

    n: int = 0
    value: float = 0.0
    squares: float = field(default=0.0, repr=False)

    def add(self, values: ArrayLike) -> None:
        """Add a batch of values, shape (n,)."""
        batch = np.asarray(values, dtype=np.float64)
        if len(batch) == 0:
            return
        n, shift = self.n + len(batch), float(batch.mean()) - self.value
        # Sums of squared distances to the mean add up like this; sums of squares would cancel.
        self.squares += float(((batch - batch.mean()) ** 2).sum())
        self.squares += shift**2 * self.n * len(batch) / n
        self.value += shift * len(batch) / n
        self.n = n

    @property
    def error(self) -> float:
        return math.sqrt(self.squares / (self.n - 1) / self.n) if self.n > 1 else 0.0


@dataclass
class Summary:
    """Contents of a file in numbers."""

    def as_dict(self) -> dict[str, Any]:
        """Numbers and strings for JSON; a mean becomes its value and its error."""
        plain = asdict(self)
        for name, value in vars(self).items():
            if isinstance(value, RunningMean):
                plain[name] = {"mean": value.value, "error": value.error}
        return plain


@dataclass
class FileSummary(Summary):
    """Contents of a shower file in numbers.

    Arguments:
        file: Name of the file.
        n_bytes: Size of the file.
        model: Generator of the showers.
        seed: Seed of the generation.
        representation: Representation of the points.
        detector: Detector the showers were made for.
        particle: PDG name of the incident particles.
        n_showers: Number of showers.
        n_points: Number of points of all showers.
        energy_gev: Lowest and highest incident energy, in GeV.
        theta_deg: Smallest and largest angle to the calorimeter normal, in degrees.
        incident_energy_gev: Mean incident energy, in GeV.
        visible_energy_mev: Mean energy deposited in a shower, in MeV.
        visible_percent: Mean of that over the incident energy, in percent.
        points_per_shower: Mean number of points.
        hits_detector: Detector the showers were placed into; None if they were not.
        hits_threshold_mev: Energy below which hits were left out.
        n_hits: Number of hits of all showers.
        hits_per_shower: Mean number of hits.
        hit_energy_mev: Mean sum of a shower's hits, in MeV.
    """

    file: str
    n_bytes: int
    model: str
    seed: str
    representation: str
    detector: str
    particle: str
    n_showers: int
    n_points: int
    energy_gev: tuple[float, float] = (math.inf, -math.inf)
    theta_deg: tuple[float, float] = (math.inf, -math.inf)
    incident_energy_gev: RunningMean = field(default_factory=RunningMean)
    visible_energy_mev: RunningMean = field(default_factory=RunningMean)
    visible_percent: RunningMean = field(default_factory=RunningMean)
    points_per_shower: RunningMean = field(default_factory=RunningMean)
    hits_detector: str | None = None
    hits_threshold_mev: float = 0.0
    n_hits: int = 0
    hits_per_shower: RunningMean = field(default_factory=RunningMean)
    hit_energy_mev: RunningMean = field(default_factory=RunningMean)


def summarise(path: Path) -> FileSummary:
    """Summary of a shower file, read batch by batch.

    Raises:
        ShowerFileError: If the file is missing, damaged, empty, or not one of ours.
    """
    with ShowerFile(path) as file:
        if len(file) == 0:
            msg = f"{path} holds no showers; make it again."
            raise ShowerFileError(msg)
        summary = FileSummary(
            file=str(path),
            n_bytes=path.stat().st_size,
            model=file.generator,
            seed=file.seed,
            representation=file.representation,
            detector=file.detector,
            particle=file.particle,
            n_showers=len(file),
            n_points=file.n_points,
            hits_detector=file.hits_detector,
            hits_threshold_mev=file.hits_threshold_mev,
            n_hits=file.n_hits,
        )
        for showers in file.batches(BATCH):
            energy = showers.incident.energy.astype(np.float64)
            summary.energy_gev = _widened(summary.energy_gev, energy)
            summary.theta_deg = _widened(summary.theta_deg, showers.incident.theta)
            summary.incident_energy_gev.add(energy)
            summary.visible_energy_mev.add(showers.visible_energy)
            summary.visible_percent.add(showers.visible_energy / (1000 * energy) * 100)
            summary.points_per_shower.add(showers.n_points)
        for first in range(0, len(file) if file.hits_detector else 0, BATCH):
            hits = file.hits(slice(first, first + BATCH))
            running = np.concatenate([[0.0], np.cumsum(hits.energy, dtype=np.float64)])
            summary.hits_per_shower.add(np.diff(hits.offsets))
            summary.hit_energy_mev.add(np.diff(running[hits.offsets]))
    return summary


def _widened(bounds: tuple[float, float], values: ArrayLike) -> tuple[float, float]:
    return min(bounds[0], float(np.min(values))), max(bounds[1], float(np.max(values)))
