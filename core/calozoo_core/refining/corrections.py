"""From a ratio of densities to showers with Geant4's: by weights, or by keeping some of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from calozoo_core.incident import Incident
from calozoo_core.typing import FloatArray

__all__ = ["MODES", "Mode", "Quality", "Strength", "Weights"]

Mode = Literal["none", "weights", "accept-reject", "metropolis"]
MODES: Final = ("none", "weights", "accept-reject", "metropolis")

NODES: Final = 6
"""Energies at which the mean weight is made 1."""

ROUNDS: Final = 30


@dataclass(frozen=True)
class Strength:
    """How much of a ratio of densities is believed.

    A classifier is least sure where there are the fewest showers, and one shower of weight 50
    is worth none. The power draws all ratios towards 1; the cap bounds what is left.

    Arguments:
        power: The ratio is taken to this power, from 0 (nothing is corrected) to 1.
        cap: The largest weight. Accept-reject keeps one in `cap` of the showers it is offered.
    """

    power: float
    cap: float


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights of showers, 1 on average at every incident energy, none above the cap.

    So weights leave the spectrum of the primaries as it is.

    Arguments:
        strength: How much of the ratio is believed.
        log_energy: ln(E / GeV) of the nodes, shape (n_nodes,).
        log_mean: What is taken from the logarithm of the ratio at each.
    """

    strength: Strength
    log_energy: FloatArray
    log_mean: FloatArray

    @classmethod
    def fitted(cls, strength: Strength, log_ratio: FloatArray, incident: Incident) -> Weights:
        """Those whose mean is 1, at several energies, for these showers of a model."""
        log_energy = np.log(incident.energy.astype(np.float64))
        edges = np.quantile(log_energy, np.linspace(0, 1, NODES + 1))
        belongs = np.clip(np.searchsorted(edges, log_energy, side="right") - 1, 0, NODES - 1)
        present = np.unique(belongs)
        nodes = np.array([log_energy[belongs == k].mean() for k in present])
        logs = [_log_mean(strength, log_ratio[belongs == k]) for k in present]
        return cls(strength, nodes, np.array(logs))

    def __call__(self, log_ratio: FloatArray, incident: Incident) -> FloatArray:
        """The weight of each shower, shape (n,)."""
        log_energy = np.log(incident.energy.astype(np.float64))
        mean = np.interp(log_energy, self.log_energy, self.log_mean)
        return _clipped(self.strength, log_ratio, mean)


@dataclass(frozen=True)
class Quality:
    """What a set of weights costs.

    Arguments:
        acceptance: Part of the showers that accept-reject keeps.
        ess: Effective part of the showers, if they are weighted: (sum w)^2 / (n sum w^2).
        clipped: Part of the showers whose weight was cut down to the cap.
    """

    acceptance: float
    ess: float
    clipped: float

    @classmethod
    def of(cls, weights: FloatArray, cap: float) -> Quality:
        """Of the weights of a model's showers.

        Example:
            >>> Quality.of(np.array([0.5, 0.5, 2.0]), cap=2.0)
            Quality(acceptance=0.5, ess=0.6666666666666666, clipped=0.3333333333333333)
        """
        mean = float(weights.mean())
        return cls(
            acceptance=mean / cap,
            ess=mean**2 / float((weights**2).mean()),
            clipped=float((weights >= cap * (1 - 1e-9)).mean()),
        )


def _clipped(strength: Strength, log_ratio: FloatArray, log_mean: FloatArray | float) -> FloatArray:
    weights = np.exp(np.clip(strength.power * log_ratio - log_mean, -50, 50))
    clipped: FloatArray = np.minimum(weights, strength.cap)
    return clipped


def _log_mean(strength: Strength, log_ratio: FloatArray) -> float:
    """What makes the mean of the clipped weights 1."""
    log_mean = 0.0
    for _ in range(ROUNDS):
        log_mean += float(np.log(_clipped(strength, log_ratio, log_mean).mean()))
    return log_mean
