"""Quantile transport: every shower is changed a little, so that four quantities follow Geant4's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from calozoo_core.incident import Incident
from calozoo_core.observables.tails import (
    POINT_COLUMNS,
    TAIL_OBSERVABLES,
    TINY,
    AxisPoints,
    TailSample,
)
from calozoo_core.random import stream
from calozoo_core.typing import AnyFloatArray, FloatArray, IntArray

__all__ = [
    "N_TERMS",
    "QUANTILES",
    "TRANSPORTED",
    "ConditionalScaling",
    "IncidentRange",
    "QuantileTransport",
]

N_TERMS: Final = 9
"""Terms of a polynomial in ln(E) and 1 / cos(theta)."""

TRANSPORTED: Final = ("response", "depth", "width", "points")
"""Names of the observables that are transported."""

QUANTILES: Final[FloatArray] = np.concatenate(
    [
        [0.001, 0.0025, 0.005, 0.01, 0.02],
        np.linspace(0.05, 0.95, 19),
        [0.98, 0.99, 0.995, 0.9975, 0.999],
    ]
)
"""Quantiles at which the distributions are made to agree."""

LARGEST_FACTOR: Final = 2.0
STEEPEST: Final = 0.3
"""Largest change of a layer's energy from one layer to the next, as a logarithm."""

DEPTH_ITERATIONS: Final = 6

_COLUMNS: Final = [[o.name for o in TAIL_OBSERVABLES].index(name) for name in TRANSPORTED]
_RESPONSE, _DEPTH, _WIDTH, _POINTS = range(len(TRANSPORTED))
_LOG_LIMITS: Final = (-float(np.log(LARGEST_FACTOR)), float(np.log(LARGEST_FACTOR)))


@dataclass(frozen=True)
class IncidentRange:
    """Range of ln(E) and 1 / cos(theta) of reference primaries, and polynomials within it.

    Arguments:
        log_energy: Centre and half width of the range of ln(E / GeV).
        slant: Centre and half width of the range of 1 / cos(theta).
    """

    log_energy: tuple[float, float]
    slant: tuple[float, float]

    @classmethod
    def from_incident(cls, incident: Incident) -> IncidentRange:
        """Range of some primaries."""
        return cls(
            _centre_and_half_width(np.log(incident.energy)),
            _centre_and_half_width(1 / incident.direction[:, 2]),
        )

    def coordinates(self, incident: Incident) -> tuple[FloatArray, FloatArray]:
        """Coordinates ln(E) and 1 / cos(theta), from -1 to 1 within the range, shapes (n,)."""
        log_energy = np.log(incident.energy.astype(np.float64))
        slant = 1 / incident.direction[:, 2].astype(np.float64)
        return _rescaled(log_energy, *self.log_energy), _rescaled(slant, *self.slant)

    def terms(self, incident: Incident) -> FloatArray:
        """Polynomial terms in both coordinates, shape (n, 9)."""
        e, s = self.coordinates(incident)
        return np.column_stack([np.ones_like(e), e, e**2, e**3, s, s**2, e * s, e**2 * s, e * s**2])


@dataclass(frozen=True, eq=False)
class ConditionalScaling:
    """Mean and spread of several quantities as smooth functions of the primary.

    Arguments:
        incident_range: Range of the primaries.
        mean: Coefficients of the means, shape (9, n_quantities).
        log_spread: Coefficients of the logarithms of the spreads, shape (9, n_quantities).
    """

    incident_range: IncidentRange
    mean: FloatArray
    log_spread: FloatArray

    @classmethod
    def fit(
        cls, incident_range: IncidentRange, values: FloatArray, incident: Incident
    ) -> ConditionalScaling:
        """Least-squares fit; the standardised values have a variance of 1.

        Arguments:
            incident_range: Range of the primaries.
            values: Quantities of n showers, shape (n, n_quantities).
            incident: The n primaries.
        """
        terms = incident_range.terms(incident)
        mean = np.asarray(np.linalg.lstsq(terms, values, rcond=None)[0], np.float64)
        residual = values - terms @ mean
        log_residual: FloatArray = np.log(np.abs(residual) + 1e-3 * residual.std(axis=0) + 1e-9)
        log_spread = np.asarray(np.linalg.lstsq(terms, log_residual, rcond=None)[0], np.float64)
        log_spread[0] += np.log((residual / np.exp(terms @ log_spread)).std(axis=0) + 1e-9)
        return cls(incident_range, mean, log_spread)

    def standardise(self, values: FloatArray, incident: Incident) -> FloatArray:
        """Distance from the mean in units of the spread, shape (n, n_quantities)."""
        terms = self.incident_range.terms(incident)
        standard: FloatArray = (values - terms @ self.mean) / np.exp(terms @ self.log_spread)
        return standard

    def restore(self, standard: FloatArray, incident: Incident) -> FloatArray:
        """Inverse of `standardise`, shape (n, n_quantities)."""
        terms = self.incident_range.terms(incident)
        values: FloatArray = standard * np.exp(terms @ self.log_spread) + terms @ self.mean
        return values


@dataclass(frozen=True, eq=False)
class QuantileTransport:
    r"""Map of generated showers to showers whose four quantities are distributed as Geant4's.

    Each quantity is standardised by its mean and spread at the shower's energy and angle, taken
    from one quantile of the generated showers to the same of Geant4's, and restored. To get there

    - layer energies are multiplied by :math:`e^{\kappa l}`, which moves the depth,
    - points are dropped or split in two at random, which sets their number,
    - distances to the axis are multiplied, which sets the width,
    - energies are multiplied, which sets the visible energy.

    No shower is rejected, so there is no loss of acceptance; and a quantile is known far better
    than the ratio of two densities there. ConvL2LFlows calibrates the spectrum of cells in the same
    way.

    References:
        | Convolutional L2LFlows: https://arxiv.org/abs/2405.20407

    Arguments:
        generated: Mean and spread of the quantities of generated showers.
        reference: Mean and spread of the quantities of Geant4 showers.
        generated_nodes: Standardised quantiles of generated showers, shape (n_quantiles, 4).
        reference_nodes: Standardised quantiles of Geant4 showers, shape (n_quantiles, 4).
    """

    generated: ConditionalScaling
    reference: ConditionalScaling
    generated_nodes: FloatArray
    reference_nodes: FloatArray

    @classmethod
    def fit(
        cls, incident_range: IncidentRange, generated: TailSample, reference: TailSample
    ) -> QuantileTransport:
        """Transport from a model's showers to Geant4's, for equally distributed primaries."""
        sides = []
        for sample in (generated, reference):
            values = sample.values[:, _COLUMNS]
            scaling = ConditionalScaling.fit(incident_range, values, sample.incident)
            standard = scaling.standardise(values, sample.incident)
            sides.append((scaling, np.quantile(standard, QUANTILES, axis=0)))
        (mine, my_nodes), (theirs, their_nodes) = sides
        return cls(mine, theirs, my_nodes, their_nodes)

    @cached_property
    def shifts(self) -> FloatArray:
        """Shift of a standardised quantity at each quantile, shape (n_quantiles, 4)."""
        return self.reference_nodes - self.generated_nodes

    def targets(self, values: FloatArray, incident: Incident) -> FloatArray:
        """Transported values of the four quantities, shape (n, 4)."""
        standard = self.generated.standardise(values, incident)
        moved = np.empty_like(standard)
        for k in range(len(TRANSPORTED)):
            shift = np.interp(standard[:, k], self.generated_nodes[:, k], self.shifts[:, k])
            moved[:, k] = standard[:, k] + shift
        return self.reference.restore(moved, incident)

    def __call__(
        self, points: AxisPoints, seed: int, numbers: IntArray, pitch_mm: float
    ) -> AxisPoints:
        """Transported showers.

        Arguments:
            points: Points of n showers.
            seed: Seed of the sample they belong to.
            numbers: Their numbers in the sample, shape (n,); they seed the dropping of points.
            pitch_mm: Distance between the two halves of a split point.
        """
        values = _transported_values(points)
        targets = self.targets(values, points.incident)
        count_factor = np.exp(np.clip(targets[:, _POINTS] - values[:, _POINTS], *_LOG_LIMITS))
        tilted = _set_depth(points, targets[:, _DEPTH])
        counted = _scale_count(tilted, count_factor, seed, numbers, pitch_mm)
        return _set_width_and_response(counted, targets[:, _WIDTH], targets[:, _RESPONSE])


def _transported_values(points: AxisPoints) -> FloatArray:
    """Values of the four quantities, as in `TailSample`, shape (n, 4)."""
    layers, energy = points.layer_energy, points.incident.energy.astype(np.float64)
    total = np.maximum(layers.sum(axis=1), TINY)
    spread = points.sums(points.energy * points.square_distance) / total
    n_points = np.maximum(np.diff(points.offsets), TINY)
    depth = layers @ (np.arange(layers.shape[1]) + 0.5) / total
    width = 0.5 * np.log(np.maximum(spread, TINY**2))
    return np.column_stack([np.log(total / energy), depth, width, np.log(n_points / energy)])


def _set_depth(points: AxisPoints, depth: FloatArray) -> AxisPoints:
    """Layer energies times exp(kappa l), with the kappa that gives this centre of gravity."""
    layers = points.layer_energy
    middle = np.arange(layers.shape[1]) + 0.5
    centred = middle - layers.shape[1] / 2
    kappa = np.zeros(len(layers))
    for _ in range(DEPTH_ITERATIONS):
        tilted = layers * np.exp(kappa[:, None] * centred)
        total = np.maximum(tilted.sum(axis=1), 1e-9)
        mean = tilted @ middle / total
        # A shower in a single layer has no variance and cannot be moved.
        variance = np.maximum(tilted @ middle**2 / total - mean**2, 0.5)
        kappa = np.clip(kappa + (depth - mean) / variance, -STEEPEST, STEEPEST)
    factor = np.exp(kappa[:, None] * centred).astype(np.float32).ravel()
    return replace(points, energy=points.energy * factor[points.shower_layer])


def _scale_count(
    points: AxisPoints, factor: FloatArray, seed: int, numbers: IntArray, pitch_mm: float
) -> AxisPoints:
    """About `factor` times as many points: some are dropped or split, never the brightest."""
    n_points = np.diff(points.offsets)
    mean = points.sums(points.energy) / np.maximum(n_points, 1)
    copies = np.ones(len(points.energy), np.int64)
    split, shares = [np.zeros(0, np.int64)], [np.zeros(0)]
    for i, start in enumerate(points.offsets[:-1]):
        random = stream(seed, int(numbers[i]), "transport")
        wanted = round(abs(factor[i] - 1) * n_points[i])
        # More are drawn than wanted, since many are too bright.
        rows = start + random.integers(max(n_points[i], 1), size=min(4 * wanted, 2 * n_points[i]))
        faint = np.unique(rows[points.energy[rows] < mean[i]][:wanted])
        copies[faint] = 2 if factor[i] > 1 else 0
        if factor[i] > 1:
            split.append(faint)
            shares.append(random.uniform(0.1, 0.9, len(faint)))
    ends = np.concatenate([[0], np.cumsum(copies)])
    rows = np.repeat(np.arange(len(copies)), copies)
    columns = {name: getattr(points, name)[rows] for name in POINT_COLUMNS}
    halves = ends[1:][np.concatenate(split)] - 1
    share = np.concatenate(shares).astype(np.float32)
    columns["energy"][halves] *= share
    columns["energy"][halves - 1] *= 1 - share
    columns["dx"][halves] += np.float32(pitch_mm)
    return AxisPoints(
        ends[points.offsets], **columns, incident=points.incident, detector=points.detector
    )


def _set_width_and_response(
    points: AxisPoints, log_width: FloatArray, log_response: FloatArray
) -> AxisPoints:
    """Points with this width and visible energy."""
    n_points = np.diff(points.offsets)
    total = np.maximum(points.sums(points.energy), 1e-9)
    spread = points.sums(points.energy * points.square_distance) / total
    wider = log_width - 0.5 * np.log(np.maximum(spread, 1e-9))
    brighter = log_response + np.log(points.incident.energy) - np.log(total)
    factors = (np.exp(np.clip(log, *_LOG_LIMITS)).astype(np.float32) for log in (wider, brighter))
    stretch, scale = (np.repeat(factor, n_points) for factor in factors)
    return replace(
        points,
        dx=points.dx * stretch,
        dy=points.dy * stretch,
        square_distance=points.square_distance * stretch**2,
        energy=points.energy * scale,
    )


def _centre_and_half_width(values: AnyFloatArray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    return (high + low) / 2, (high - low) / 2


def _rescaled(values: FloatArray, centre: float, half_width: float) -> FloatArray:
    """Values in units of the half width; zeros where there is a single energy or angle."""
    return (values - centre) / half_width if half_width > 1e-4 else np.zeros_like(values)
