"""Importance weights from a density ratio, and the choice of how much of the ratio is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from calozoo_core.incident import Incident
from calozoo_core.observables.tails import TailSample
from calozoo_core.typing import FloatArray
from calozoo_refine.tail_excess import tail_excess

__all__ = [
    "ImportanceWeights",
    "Mode",
    "Regularisation",
    "WeightStatistics",
    "choose_regularisation",
]

Mode = Literal["none", "weights", "accept-reject", "metropolis"]

POWERS: Final = (0.25, 0.5, 0.75, 1.0)
CAPS: Final = (1.1, 1.2, 1.25, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0, 5.0, 10.0)
LEVELS: Final = (0.01, 0.03, 0.1)
"""Parts of Geant4's showers in the tails by which power and cap are chosen."""

SUFFICIENT_GAIN: Final = 0.9
"""Excess after the correction over that before, above which there is no correction."""

ENERGY_NODES: Final = 6
"""Energies at which the mean weight is made 1."""

ITERATIONS: Final = 30


@dataclass(frozen=True)
class Regularisation:
    """Power and cap that limit importance weights.

    A classifier is least certain where there are the fewest showers, and a shower with a weight of
    50 has next to no statistical power. The power draws all ratios towards 1; the cap bounds them.

    Arguments:
        power: The ratio is taken to this power, from 0 (no correction) to 1.
        cap: Largest weight. Accept-reject keeps one in `cap` of the proposed showers.
    """

    power: float
    cap: float


@dataclass(frozen=True, eq=False)
class ImportanceWeights:
    """Weights of showers, 1 on average at every incident energy and never above the cap.

    The spectrum of the primaries therefore does not change.

    Arguments:
        regularisation: Power and cap.
        log_energy: ln(E / GeV) of the nodes, shape (n_nodes,).
        log_mean: Logarithm of the normalisation at each node, shape (n_nodes,).
    """

    regularisation: Regularisation
    log_energy: FloatArray
    log_mean: FloatArray

    @classmethod
    def fit(
        cls, regularisation: Regularisation, log_ratio: FloatArray, incident: Incident
    ) -> ImportanceWeights:
        """Weights whose mean is 1 at several energies for these showers of a model."""
        log_energy = np.log(incident.energy.astype(np.float64))
        edges = np.quantile(log_energy, np.linspace(0, 1, ENERGY_NODES + 1))
        last = ENERGY_NODES - 1
        node = np.clip(np.searchsorted(edges, log_energy, side="right") - 1, 0, last)
        present = np.unique(node)
        nodes = np.array([log_energy[node == k].mean() for k in present])
        logs = [_log_mean(regularisation, log_ratio[node == k]) for k in present]
        return cls(regularisation, nodes, np.array(logs))

    def __call__(self, log_ratio: FloatArray, incident: Incident) -> FloatArray:
        """Weight of each shower, shape (n,)."""
        log_energy = np.log(incident.energy.astype(np.float64))
        log_mean = np.interp(log_energy, self.log_energy, self.log_mean)
        return _clipped(self.regularisation, log_ratio, log_mean)


@dataclass(frozen=True)
class WeightStatistics:
    """Statistical cost of a set of weights.

    Arguments:
        acceptance: Part of the showers that accept-reject keeps.
        ess: Effective sample size over the number of showers, (sum w)^2 / (n sum w^2).
        clipped: Part of the showers whose weight is the cap.
    """

    acceptance: float
    ess: float
    clipped: float

    @classmethod
    def from_weights(cls, weights: FloatArray, cap: float) -> WeightStatistics:
        """Statistics of the weights of a model's showers, shape (n,).

        Example:
            >>> WeightStatistics.from_weights(np.array([0.5, 0.5, 2.0]), cap=2.0)
            WeightStatistics(acceptance=0.5, ess=0.6666666666666666, clipped=0.3333333333333333)
        """
        mean = float(weights.mean())
        return cls(
            acceptance=mean / cap,
            ess=mean**2 / float((weights**2).mean()),
            clipped=float((weights >= cap * (1 - 1e-9)).mean()),
        )


def choose_regularisation(
    generated: TailSample,
    reference: TailSample,
    log_ratio: FloatArray,
    mode: Mode,
    lowest_acceptance: float,
) -> Regularisation | None:
    """Power and cap with the smallest excesses in the tails; None if none is a sufficient gain.

    Arguments:
        generated: A model's showers.
        reference: Geant4's showers.
        log_ratio: Log ratio of the generated showers, from networks that were trained without
            them, shape (n,).
        mode: Use of the weights.
        lowest_acceptance: Smallest acceptance of accept-reject, or effective sample size otherwise.
    """
    without = _rms_excess(generated, reference, None)
    found: list[tuple[float, Regularisation]] = []
    for power in POWERS:
        for cap in CAPS:
            regularisation = Regularisation(power, cap)
            weights = ImportanceWeights.fit(regularisation, log_ratio, generated.incident)
            each = weights(log_ratio, generated.incident)
            statistics = WeightStatistics.from_weights(each, cap)
            kept = statistics.acceptance if mode == "accept-reject" else statistics.ess
            if kept >= lowest_acceptance:
                found.append((_rms_excess(generated, reference, each), regularisation))
    if not found:
        return None
    excess, best = min(found, key=lambda pair: pair[0])
    return best if excess < SUFFICIENT_GAIN * without else None


def _rms_excess(generated: TailSample, reference: TailSample, weights: FloatArray | None) -> float:
    """Root mean square excess in all tails at several levels, in units of its standard error."""
    squares = [
        (tail_excess(reference, generated, level, weights) ** 2).mean() * level for level in LEVELS
    ]
    return float(np.sqrt(np.mean(squares)))


def _clipped(
    regularisation: Regularisation, log_ratio: FloatArray, log_mean: FloatArray | float
) -> FloatArray:
    """Regularised weights, divided by their mean."""
    weights = np.exp(np.clip(regularisation.power * log_ratio - log_mean, -50, 50))
    clipped: FloatArray = np.minimum(weights, regularisation.cap)
    return clipped


def _log_mean(regularisation: Regularisation, log_ratio: FloatArray) -> float:
    """Logarithm of the normalisation that makes the mean of the clipped weights 1."""
    log_mean = 0.0
    for _ in range(ITERATIONS):
        log_mean += float(np.log(_clipped(regularisation, log_ratio, log_mean).mean()))
    return log_mean
