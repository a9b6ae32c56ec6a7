"""Photon pairs: how well two photons close to each other are told apart, model against Geant4.

Photons only, found by calozoo's photon finder; there are no tracks, hadrons or conversions.

References:
    | Full physics benchmark, section IV: https://arxiv.org/abs/2511.17293
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from calozoo.physics.comparison import compare_samples
from calozoo.reconstruction.photon_finder import PhotonFinder
from calozoo.reconstruction.truth import main_truth, shares
from calozoo_core.event_hits import EventHits
from calozoo_core.events import Events
from calozoo_core.metrics.divergence import js_divergence
from calozoo_core.metrics.result import MetricResult
from calozoo_core.typing import BoolArray, FloatArray, IntArray

__all__ = [
    "PairMeasurement",
    "compare_pairs",
    "curve_js",
    "mean_curve",
    "measure_pairs",
    "rise",
]

BIN_MM, MOST_MM = 3.0, 90.0
_PLATEAU_MM = 15.0
_MIDDLES = np.arange(2.0, 30.0, 0.1)
_WIDTHS = np.array([0.3, 0.6, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0])
_FINE_MM = 0.5

_UNITS = {"d50": "mm", "width": "mm", "position": "mm"}
_SOURCE = "Full physics benchmark, arXiv:2511.17293, section IV; photons only, calozoo's finder"


@dataclass(frozen=True, eq=False)
class PairMeasurement:
    """Reconstruction of pairs of photons, and of each of their photons alone.

    Arguments:
        energy_gev: Energy of each photon.
        separation: Distance of the two photons on the face, in mm, shape (n,).
        n_found: Number of photons found in each pair, shape (n,).
        is_resolved: Mask of the pairs found as two, each with another true photon and an energy
            within three standard deviations, shape (n,).
        sharing: (E1 - E2) / (E1 + E2) of the pairs found as two, else NaN, shape (n,).
        n_single: Number of photons found in each photon alone, shape (n, 2).
        single_energy: Energy of the strongest of them in GeV, NaN for none, shape (n, 2).
        single_offset: Its distance along the beam from the true place, in mm, shape (n, 2).
    """

    energy_gev: float
    separation: FloatArray
    n_found: IntArray
    is_resolved: BoolArray
    sharing: FloatArray
    n_single: IntArray
    single_energy: FloatArray
    single_offset: FloatArray

    def __len__(self) -> int:
        return len(self.separation)

    def rows(self, rows: IntArray) -> PairMeasurement:
        """Measurement of some of the pairs."""
        columns = {name: value[rows] for name, value in vars(self).items() if name != "energy_gev"}
        return PairMeasurement(self.energy_gev, **columns)

    def quantities(self) -> dict[str, float]:
        """Quantities of the sample, by the names of `calozoo.physics.results.LABELS`."""
        middle, width = rise(self.separation, self.n_found)
        energy = self.single_energy[np.isfinite(self.single_energy)] / self.energy_gev
        offset = self.single_offset[np.isfinite(self.single_offset)]
        far = self.separation > _PLATEAU_MM
        shared = self.sharing[np.isfinite(self.sharing)]
        gev = f"{self.energy_gev:g}GeV"
        of_pairs = {
            "d50": middle,
            "width": width,
            "plateau": float(self.n_found[far].mean()) if far.any() else np.nan,
            "resolved": float(self.is_resolved.mean()),
            "sharing": float(shared.std()) if len(shared) else np.nan,
        }
        of_singles = {
            "split": float((self.n_single > 1).mean()),
            "response": float(energy.mean()) if len(energy) else np.nan,
            "sigma90": _sigma90(energy) / float(energy.mean()) if len(energy) else np.nan,
            "position": _half_width(offset) if len(offset) else np.nan,
        }
        named = {f"pairs.{gev}.{name}": value for name, value in of_pairs.items()}
        return named | {f"singles.{gev}.{name}": value for name, value in of_singles.items()}

    def distances(self, other: PairMeasurement) -> dict[str, float]:
        """JS divergence in nats of the curves of the number of photons, each over its sum."""
        return {f"pairs.{self.energy_gev:g}GeV.number": curve_js(self, other)}


def measure_pairs(
    hits: EventHits,
    events: Events,
    separation: FloatArray,
    finder: PhotonFinder,
) -> PairMeasurement:
    """Reconstruction of a sample of pairs.

    Arguments:
        hits: Hits of the pairs.
        events: The pairs.
        separation: Distances of their photons, in mm, shape (n,).
        finder: Photon finder.
    """
    n = len(hits)
    energy = float(events.energy[0])
    error = 3 * float(finder.energy_error(np.array([energy]))[0])
    n_found, is_resolved = np.zeros(n, np.int64), np.zeros(n, np.bool_)
    sharing = np.full(n, np.nan)
    for i in range(n):
        photons = finder.find(hits.hits[i])
        n_found[i] = len(photons)
        if len(photons) == 2:
            truth = main_truth(shares(hits[i : i + 1], photons, 2))
            first, second = photons.energy[:: -1 if truth[0] == 1 else 1]
            sharing[i] = (first - second) / (first + second)
            is_near = np.abs(photons.energy - energy) < error
            is_resolved[i] = set(truth.tolist()) == {0, 1} and bool(is_near.all())
    n_single = np.zeros((n, 2), np.int64)
    single_energy, single_offset = np.full((n, 2), np.nan), np.full((n, 2), np.nan)
    for number in (0, 1):
        alone = hits.of_primary(number, threshold_mev=0.1)
        for i in range(n):
            photons = finder.find(alone[i])
            n_single[i, number] = len(photons)
            if len(photons):
                single_energy[i, number] = photons.energy[0]
                place = events.vertex[2 * i + number, 2]
                single_offset[i, number] = photons.position[0, 2] - place
    return PairMeasurement(
        energy, separation, n_found, is_resolved, sharing, n_single, single_energy, single_offset
    )


def mean_curve(separation: FloatArray, values: FloatArray | IntArray) -> FloatArray:
    """Mean of values in bins of 3 mm of the separation, NaN where there are none.

    Arguments:
        separation: In mm, shape (n,).
        values: Shape (n,).

    Returns:
        Shape (30,).
    """
    n_bins = int(MOST_MM / BIN_MM)
    number = np.clip((separation / BIN_MM).astype(np.int64), 0, n_bins - 1)
    counts = np.bincount(number, minlength=n_bins)
    sums = np.bincount(number, weights=values, minlength=n_bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        curve: FloatArray = sums / counts
    return curve


def rise(separation: FloatArray, n_found: IntArray) -> tuple[float, float]:
    """Middle and width in mm of the rise of the number of photons from one to two.

    An error function is fitted by least squares on a grid of middles and widths.

    Arguments:
        separation: In mm, shape (n,).
        n_found: Number of photons found, shape (n,); more than two count as two.
    """
    n_bins = int(MOST_MM / _FINE_MM)
    number = np.clip((separation / _FINE_MM).astype(np.int64), 0, n_bins - 1)
    counts = np.bincount(number, minlength=n_bins)
    sums = np.bincount(number, weights=np.clip(n_found, 1, 2) - 1.0, minlength=n_bins)
    shape, shape_squared = _rise_shapes()
    squares = shape_squared @ counts - 2 * shape @ sums
    middle, width = np.unravel_index(squares.argmin(), squares.shape)
    return float(_MIDDLES[middle]), float(_WIDTHS[width])


def compare_pairs(
    models: Sequence[PairMeasurement],
    truth: PairMeasurement,
    again: PairMeasurement | None = None,
) -> tuple[MetricResult, ...]:
    """Figures of a model and of the truth, with errors by a bootstrap over pairs.

    Arguments:
        models: Measurements of the model, one a seed.
        truth: Measurement of the truth, of the same pairs.
        again: Measurement of the truth simulated with another seed, for the noise floors.
    """
    units = {
        name: unit
        for name in truth.quantities()
        if (unit := _UNITS.get(name.rpartition(".")[2])) is not None
    }
    return compare_samples(models, truth, again=again, units=units, source=_SOURCE)


def curve_js(model: PairMeasurement, truth: PairMeasurement) -> float:
    """JS divergence in nats of two curves of the mean number of photons, each over its sum."""
    one, other = (mean_curve(m.separation, m.n_found) for m in (model, truth))
    both = np.isfinite(one) & np.isfinite(other)
    return float(js_divergence(one[both], other[both]))


@cache
def _rise_shapes() -> tuple[FloatArray, FloatArray]:
    """Error functions in fine bins, for each middle and width of the grid, and their squares."""
    at = (np.arange(int(MOST_MM / _FINE_MM)) + 0.5) * _FINE_MM
    shapes = _normal_integral((at - _MIDDLES[:, None, None]) / _WIDTHS[:, None])
    return shapes, shapes**2


def _normal_integral(z: FloatArray) -> FloatArray:
    """Integral of the normal distribution up to z, to 1e-4, without scipy.

    References:
        | Abramowitz and Stegun, 26.2.17
    """
    t = 1 / (1 + 0.2316419 * np.abs(z))
    series = (0.319381530, -0.356563782, 1.781477937, -1.821255978, 1.330274429)
    tail = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    tail = tail * sum(c * t ** (k + 1) for k, c in enumerate(series))
    integral: FloatArray = np.where(z >= 0, 1 - tail, tail)
    return integral


def _half_width(values: FloatArray) -> float:
    """Half of the width around the median that holds 68 per cent of values."""
    return float(np.quantile(np.abs(values - np.median(values)), 0.68))


def _sigma90(values: FloatArray) -> float:
    """Standard deviation of the narrowest 90 per cent of values."""
    ordered = np.sort(values)
    n = max(2, int(np.ceil(0.9 * len(ordered))))
    widths = ordered[n - 1 :] - ordered[: len(ordered) - n + 1]
    begin = int(widths.argmin())
    return float(ordered[begin : begin + n].std())
