"""How far out in the tails a shower is, among those of primaries like its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calozoo_core.incident import Incident
from calozoo_core.refining.observables import Sample
from calozoo_core.typing import FloatArray, IntArray

__all__ = ["PrimaryBins", "TailScore"]


@dataclass(frozen=True, eq=False)
class PrimaryBins:
    """Bins of the primaries, each with about as many showers: by energy, and by angle within it.

    A shower at 60 degrees is not in the tail of showers at 60 degrees because it is short; so both
    are held fixed.

    Arguments:
        energy_gev: Inner edges of the bins of energy, shape (n_energies - 1,).
        cosine: Inner edges of the bins of cos(theta) of each, shape (n_energies, n_angles - 1).
    """

    energy_gev: FloatArray
    cosine: FloatArray

    @classmethod
    def of(cls, incident: Incident, showers_per_bin: int) -> PrimaryBins:
        """As many as hold this many showers each; at most four by three.

        Example:
            >>> incident = Incident(np.linspace(1, 100, 4000), (0, 0, 1))
            >>> bins = PrimaryBins.of(incident, showers_per_bin=1000)
            >>> bins.n, np.bincount(bins.index(incident)).tolist()
            (4, [1000, 1000, 1000, 1000])
        """
        n = max(len(incident) // showers_per_bin, 1)
        cosine = incident.direction[:, 2].astype(np.float64)
        n_angles = min(3, int(np.sqrt(n))) if np.ptp(cosine) > 1e-3 else 1
        n_energies = min(4, n // n_angles)
        energy = incident.energy.astype(np.float64)
        if np.ptp(energy) < 1e-6 * energy.max():
            n_energies = 1
        edges = np.quantile(energy, np.arange(1, n_energies) / n_energies)
        belongs = np.searchsorted(edges, energy)
        cuts = np.arange(1, n_angles) / n_angles
        rows = [np.quantile(cosine[belongs == k], cuts) for k in range(n_energies)]
        return cls(edges, np.array(rows).reshape(n_energies, n_angles - 1))

    @property
    def n(self) -> int:
        """How many bins there are."""
        return len(self.cosine) * (int(self.cosine.shape[1]) + 1)

    def index(self, incident: Incident) -> IntArray:
        """Which bin each primary is in, shape (n,)."""
        energy = np.searchsorted(self.energy_gev, incident.energy.astype(np.float64))
        cosine = incident.direction[:, 2].astype(np.float64)
        angle = (cosine[:, None] > self.cosine[energy]).sum(axis=1)
        index: IntArray = energy * (self.cosine.shape[1] + 1) + angle
        return index


class TailScore:
    """Says for a shower how extreme the most extreme of its observables is.

    The score is the largest absolute rank of all observables, from 0 (every one of them is the
    median) to 1 (one is beyond all of the reference), among reference showers of about the same
    energy and angle.

    Arguments:
        reference: Geant4's showers.
        showers_per_bin: Of energy and angle, at the least.

    Example:
        >>> values = np.column_stack([np.arange(9.0)] * 8)
        >>> reference = Sample(values, Incident(np.full(9, 50.0), (0, 0, 1)))
        >>> TailScore(reference)(reference).round(2).tolist()
        [0.8, 0.6, 0.4, 0.2, 0.0, 0.2, 0.4, 0.6, 0.8]
    """

    def __init__(self, reference: Sample, showers_per_bin: int = 1000) -> None:
        self.bins = PrimaryBins.of(reference.incident, showers_per_bin)
        index = self.bins.index(reference.incident)
        self._sorted = [np.sort(reference.values[index == k], axis=0) for k in range(self.bins.n)]

    def ranks(self, sample: Sample) -> FloatArray:
        """The rank of each observable, from -1 (lowest) to 1 (highest), shape (n, n_observables).

        Of equal values it is the mean.
        """
        found = np.zeros(sample.values.shape)
        index = self.bins.index(sample.incident)
        for k, known in enumerate(self._sorted):
            rows = index == k
            for j, column in enumerate(known.T):
                below, upto = (
                    np.searchsorted(column, sample.values[rows, j], side=side)
                    for side in ("left", "right")
                )
                # Of n reference values the i-th stands at i / (n + 1); a new one between them.
                found[rows, j] = (below + upto + 1) / (len(column) + 1) - 1
        return np.clip(found, -1, 1)

    def __call__(self, sample: Sample) -> FloatArray:
        """The score of each shower, shape (n,)."""
        score: FloatArray = np.abs(self.ranks(sample)).max(axis=1)
        return score
