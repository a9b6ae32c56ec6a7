"""Moves every shower a little, so that four of its quantities get Geant4's distributions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.incident import Incident
from calozoo_core.random import stream
from calozoo_core.refining.clouds import COLUMNS, Cloud
from calozoo_core.refining.observables import OBSERVABLES, TINY, Sample
from calozoo_core.refining.trend import Span, Trend
from calozoo_core.typing import FloatArray

__all__ = ["MOVED", "NODES", "Transport"]

MOVED: Final = ("response", "depth", "width", "points")
_COLUMN: Final = [[o.name for o in OBSERVABLES].index(name) for name in MOVED]
_RESPONSE, _DEPTH, _WIDTH, _POINTS = range(len(MOVED))

NODES: Final[FloatArray] = np.concatenate(
    [
        [0.001, 0.0025, 0.005, 0.01, 0.02],
        np.linspace(0.05, 0.95, 19),
        [0.98, 0.99, 0.995, 0.9975, 0.999],
    ]
)
"""Quantiles at which the distributions are made to agree."""

LARGEST_FACTOR: Final = 2.0
STEEPEST: Final = 0.3
"""By how much the energy of a layer may change from one to the next, as a logarithm."""

STEPS: Final = 6


@dataclass(frozen=True, eq=False)
class Transport:
    r"""A map of showers to showers, fitted on both sides' distributions of four quantities.

    Each quantity is standardised by its mean and spread at the shower's energy and angle, taken
    from one quantile of the generated showers to the same of Geant4's, and restored. To get there

    - layer energies are multiplied by :math:`e^{\kappa l}`, which moves the depth,
    - points are dropped or split in two at random, which sets their number,
    - distances to the axis are multiplied, which sets the width,
    - energies are multiplied, which sets the visible energy.

    No shower is thrown away, so this costs no acceptance; and a quantile is known far better than
    the ratio of two densities there. It is the calibration of a spectrum by a spline as
    ConvL2LFlows does it, on quantities of showers instead of energies of cells.

    References:
        | Convolutional L2LFlows: https://arxiv.org/abs/2405.20407

    Arguments:
        generated: Mean and spread of the quantities in generated showers.
        reference: In Geant4's.
        generated_nodes: Standardised quantiles of the generated showers, shape (n_nodes, 4).
        reference_nodes: Of Geant4's.
    """

    generated: Trend
    reference: Trend
    generated_nodes: FloatArray
    reference_nodes: FloatArray

    @classmethod
    def fitted(cls, span: Span, generated: Sample, reference: Sample) -> Transport:
        """From a model's showers and Geant4's, of primaries with the same distribution."""
        sides = []
        for sample in (generated, reference):
            values = sample.values[:, _COLUMN]
            trend = Trend.fitted(span, values, sample.incident)
            away = trend.standardised(values, sample.incident)
            sides.append((trend, np.quantile(away, NODES, axis=0)))
        (mine, my_nodes), (theirs, their_nodes) = sides
        return cls(mine, theirs, my_nodes, their_nodes)

    @cached_property
    def shifts(self) -> FloatArray:
        """What is added to a standardised quantity at each of its nodes."""
        return self.reference_nodes - self.generated_nodes

    def targets(self, values: FloatArray, incident: Incident) -> FloatArray:
        """What the four quantities shall be, shape (n, 4), from what they are."""
        away = self.generated.standardised(values, incident)
        moved = np.empty_like(away)
        for k in range(len(MOVED)):
            shift = np.interp(away[:, k], self.generated_nodes[:, k], self.shifts[:, k])
            moved[:, k] = away[:, k] + shift
        return self.reference.restored(moved, incident)

    def __call__(self, cloud: Cloud, seed: int, numbers: NDArray[np.int64], pitch: float) -> Cloud:
        """The moved showers.

        Arguments:
            cloud: n showers.
            seed: Of the sample they belong to.
            numbers: Their numbers in it, shape (n,); points are dropped and split by these.
            pitch: How far from the other half a half of a split point lies, in mm.
        """
        values = _quantities(cloud)
        targets = self.targets(values, cloud.incident)
        many = np.exp(np.clip(targets[:, _POINTS] - values[:, _POINTS], *_LIMITS))
        tilted = _tilted(cloud, targets[:, _DEPTH])
        counted = _counted(tilted, many, seed, numbers, pitch)
        return _scaled(counted, targets[:, _WIDTH], targets[:, _RESPONSE])


_LIMITS: Final = (-float(np.log(LARGEST_FACTOR)), float(np.log(LARGEST_FACTOR)))


def _quantities(cloud: Cloud) -> FloatArray:
    """The four of each shower, as `observed` has them, without the others, shape (n, 4)."""
    layers, energy = cloud.layer_energy, cloud.incident.energy.astype(np.float64)
    total = np.maximum(layers.sum(axis=1), TINY)
    spread = cloud.sums(cloud.energy * cloud.square_distance) / total
    n_points = np.maximum(np.diff(cloud.offsets), TINY)
    depth = layers @ (np.arange(layers.shape[1]) + 0.5) / total
    width = 0.5 * np.log(np.maximum(spread, TINY**2))
    return np.column_stack([np.log(total / energy), depth, width, np.log(n_points / energy)])


def _tilted(cloud: Cloud, depth: FloatArray) -> Cloud:
    """Layer energies times exp(kappa l), with the kappa that moves the centre of gravity there."""
    layers = cloud.layer_energy
    middle = np.arange(layers.shape[1]) + 0.5
    away = middle - layers.shape[1] / 2
    kappa = np.zeros(len(layers))
    for _ in range(STEPS):
        tilted = layers * np.exp(kappa[:, None] * away)
        total = np.maximum(tilted.sum(axis=1), 1e-9)
        mean = tilted @ middle / total
        # A shower in a single layer has nowhere to go.
        variance = np.maximum(tilted @ middle**2 / total - mean**2, 0.5)
        kappa = np.clip(kappa + (depth - mean) / variance, -STEEPEST, STEEPEST)
    factor = np.exp(kappa[:, None] * away).astype(np.float32).ravel()
    return replace(cloud, energy=cloud.energy * factor[cloud.row])


def _counted(
    cloud: Cloud, many: FloatArray, seed: int, numbers: NDArray[np.int64], pitch: float
) -> Cloud:
    """About `many` times as many points: some dropped, or split in two, the brightest never."""
    n_points = np.diff(cloud.offsets)
    mean = cloud.sums(cloud.energy) / np.maximum(n_points, 1)
    copies = np.ones(len(cloud.energy), np.int64)
    second, part = [np.zeros(0, np.int64)], [np.zeros(0)]
    for i, start in enumerate(cloud.offsets[:-1]):
        random = stream(seed, int(numbers[i]), "transport")
        wanted = round(abs(many[i] - 1) * n_points[i])
        # Drawn again and again, as many are too bright.
        rows = start + random.integers(max(n_points[i], 1), size=min(4 * wanted, 2 * n_points[i]))
        faint = np.unique(rows[cloud.energy[rows] < mean[i]][:wanted])
        copies[faint] = 2 if many[i] > 1 else 0
        if many[i] > 1:
            second.append(faint)
            part.append(random.uniform(0.1, 0.9, len(faint)))
    before = np.concatenate([[0], np.cumsum(copies)])
    rows = np.repeat(np.arange(len(copies)), copies)
    columns = {name: getattr(cloud, name)[rows] for name in COLUMNS}
    halves = before[1:][np.concatenate(second)] - 1
    share = np.concatenate(part).astype(np.float32)
    columns["energy"][halves] *= share
    columns["energy"][halves - 1] *= 1 - share
    columns["dx"][halves] += np.float32(pitch)
    return Cloud(before[cloud.offsets], **columns, incident=cloud.incident, detector=cloud.detector)


def _scaled(cloud: Cloud, log_width: FloatArray, log_response: FloatArray) -> Cloud:
    """Of this width and visible energy."""
    n_points = np.diff(cloud.offsets)
    total = np.maximum(cloud.sums(cloud.energy), 1e-9)
    spread = cloud.sums(cloud.energy * cloud.square_distance) / total
    wider = log_width - 0.5 * np.log(np.maximum(spread, 1e-9))
    brighter = log_response + np.log(cloud.incident.energy) - np.log(total)
    factors = (np.exp(np.clip(log, *_LIMITS)).astype(np.float32) for log in (wider, brighter))
    stretch, scale = (np.repeat(factor, n_points) for factor in factors)
    return replace(
        cloud,
        dx=cloud.dx * stretch,
        dy=cloud.dy * stretch,
        square_distance=cloud.square_distance * stretch**2,
        energy=cloud.energy * scale,
    )
