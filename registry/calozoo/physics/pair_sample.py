"""Photon pairs on the face of the barrel, as the full physics benchmark defines them.

References:
    | Full physics benchmark, section IV: https://arxiv.org/abs/2511.17293
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calozoo_core.events import Events
from calozoo_core.random import stream
from calozoo_core.typing import FloatArray

__all__ = ["FACE_MM", "PAIR_ENERGIES_GEV", "PairSample"]

FACE_MM = 1804.7
"""Distance of the face of the barrel's upper stave from the beam."""

PAIR_ENERGIES_GEV = (5, 20, 100)
"""Energies of the photons of a pair; both have the same."""

_THETA_DEG, _PHI_DEG = (83.0, 87.0), (88.0, 92.0)


@dataclass(frozen=True)
class PairSample:
    """Pairs of photons of one energy, with random separation, orientation and place.

    The middle of a pair lies in a window of about 126 mm x 126 mm of the upper stave. The photons
    start on the face and fly as if from the interaction point. Pair i depends on the seed and on i
    alone.

    Arguments:
        energy_gev: Energy of each photon.
        n: Number of pairs.
        most_mm: Largest separation; separations are uniform from 0.
        seed: Seed of the sample.
    """

    energy_gev: float
    n: int
    most_mm: float = 90.0
    seed: int = 0

    @property
    def name(self) -> str:
        """Name of the sample, without its size."""
        return f"pairs-{self.energy_gev:g}GeV-{self.most_mm:g}mm"

    def separations(self) -> FloatArray:
        """Distances of the two photons on the face, in mm, shape (n,)."""
        return np.array([self._drawn(i)[2] for i in range(self.n)]) * self.most_mm

    def events(self) -> Events:
        """Events of two photons that start on the face."""
        theta, phi, share, turn = np.array([self._drawn(i) for i in range(self.n)]).T
        theta = np.radians(_THETA_DEG[0] + theta * (_THETA_DEG[1] - _THETA_DEG[0]))
        phi = np.radians(_PHI_DEG[0] + phi * (_PHI_DEG[1] - _PHI_DEG[0]))
        middle = FACE_MM * np.stack(
            [1 / np.tan(phi), np.ones(self.n), 1 / (np.tan(theta) * np.sin(phi))], axis=1
        )
        turn *= 2 * np.pi
        half = share[:, None] * self.most_mm / 2
        away = half * np.stack([np.cos(turn), np.zeros(self.n), np.sin(turn)], axis=1)
        vertex = np.stack([middle + away, middle - away], axis=1).reshape(-1, 3)
        direction = vertex / np.linalg.norm(vertex, axis=1, keepdims=True)
        return Events.of(
            2 * np.arange(self.n + 1),
            np.full(2 * self.n, 22),
            np.full(2 * self.n, float(self.energy_gev)),
            direction * self.energy_gev,
            vertex,
        )

    def _drawn(self, number: int) -> FloatArray:
        return stream(self.seed, number, f"pair {self.energy_gev:g} {self.most_mm:g}").random(4)
