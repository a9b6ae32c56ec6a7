"""Pi0 finder: pairs of photons whose mass is that of a pi0, by a constrained fit.

References:
    | GammaGammaCandidateFinder and GammaGammaSolutionFinder: https://github.com/iLCSoft/MarlinReco
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np

from calozoo.reconstruction.parameters import Pi0Parameters
from calozoo.reconstruction.photon_finder import FoundPhotons, PhotonFinder
from calozoo_core.typing import FloatArray

__all__ = ["MassFit", "Pi0Candidate", "best_pairs", "find_pi0", "fit_mass", "opening_angle"]

_MOST_ROUNDS = 50
_MOST_PHOTONS = 16


@dataclass(frozen=True)
class MassFit:
    """Fit of two photons with the mass of a pi0 as its constraint.

    Arguments:
        energies_gev: Fitted energies.
        angle: Fitted opening angle in rad.
        chi2: Sum of squared distances from what was measured, in errors; one degree of freedom.
    """

    energies_gev: tuple[float, float]
    angle: float
    chi2: float

    @property
    def probability(self) -> float:
        """Probability of a larger chi2."""
        return math.erfc(math.sqrt(self.chi2 / 2))


@dataclass(frozen=True)
class Pi0Candidate:
    """Pair of photons that may be a pi0.

    Arguments:
        photons: Numbers of the two photons.
        mass_gev: Mass without the fit.
        momentum_gev: Sum of their momenta.
        fit: The fit.
    """

    photons: tuple[int, int]
    mass_gev: float
    momentum_gev: tuple[float, float, float]
    fit: MassFit


def fit_mass(
    energies: tuple[float, float],
    angle: float,
    energy_errors: tuple[float, float],
    angle_error: float,
    mass: float,
) -> MassFit:
    r"""Least change of two energies and an opening angle that gives the mass.

    The constraint, as a logarithm, is

    .. math:: \ln E_1 + \ln E_2 + \ln 2(1 - \cos\eta) = 2 \ln m

    Arguments:
        energies: Measured energies in GeV.
        angle: Measured opening angle in rad.
        energy_errors: Errors of the energies.
        angle_error: Error of the angle.
        mass: Mass in GeV.
    """
    measured = np.array([*energies, angle])
    variance = np.array([*energy_errors, angle_error]) ** 2
    values = measured.copy()
    for _ in range(_MOST_ROUNDS):
        half = values[2] / 2
        excess = (
            math.log(values[0] * values[1]) + 2 * math.log(2 * math.sin(half)) - 2 * math.log(mass)
        )
        slope = np.array([1 / values[0], 1 / values[1], 1 / math.tan(half)])
        scale = (excess + slope @ (measured - values)) / (slope @ (variance * slope))
        target = measured - variance * slope * scale
        # A step that would leave the physical region is cut.
        step = np.where(target > 0.2 * values, target, 0.2 * values) - values
        values += step
        if np.all(np.abs(step) < 1e-12 * np.abs(values)):
            break
    chi2 = float(((values - measured) ** 2 / variance).sum())
    return MassFit((float(values[0]), float(values[1])), float(values[2]), chi2)


def find_pi0(
    photons: FoundPhotons, finder: PhotonFinder, parameters: Pi0Parameters
) -> list[Pi0Candidate]:
    """Pi0 of an event: most pairs that use each photon once, and among those the best fit.

    Arguments:
        photons: Photons of the event.
        finder: Finder that found them, which knows their errors.
        parameters: Parameters.
    """
    usable = np.flatnonzero(photons.energy > parameters.least_energy_gev)[:_MOST_PHOTONS].tolist()
    candidates = [
        candidate
        for i, k in combinations(usable, 2)
        if (candidate := _candidate(photons, (i, k), finder, parameters)) is not None
    ]
    chosen = best_pairs([(c.photons, c.fit.chi2) for c in candidates])
    return [candidates[number] for number in chosen]


def best_pairs(pairs: list[tuple[tuple[int, int], float]]) -> list[int]:
    """Numbers of the pairs of the best solution: most pairs, then the least sum of chi2.

    Arguments:
        pairs: Two photons each, and their chi2.

    Example:
        >>> best_pairs([((0, 1), 0.1), ((0, 2), 1.0), ((1, 3), 1.0)])
        [1, 2]
    """

    @cache
    def solution(number: int, used: frozenset[int]) -> tuple[int, float, tuple[int, ...]]:
        """Best of the pairs from this one on: minus their number, their chi2, the pairs."""
        if number == len(pairs):
            return 0, 0.0, ()
        without = solution(number + 1, used)
        members, chi2 = pairs[number]
        if used.intersection(members):
            return without
        n, total, chosen = solution(number + 1, used.union(members))
        return min(without, (n - 1, total + chi2, (number, *chosen)))

    return list(solution(0, frozenset())[2])


def _candidate(
    photons: FoundPhotons,
    pair: tuple[int, int],
    finder: PhotonFinder,
    parameters: Pi0Parameters,
) -> Pi0Candidate | None:
    energy, direction = photons.energy[list(pair)], photons.direction[list(pair)]
    angle = opening_angle(direction[0], direction[1])
    if angle <= 0:
        return None
    mass = math.sqrt(2 * energy[0] * energy[1] * (1 - math.cos(angle)))
    if abs(mass - parameters.mass_gev) >= parameters.window_gev:
        return None
    errors = finder.energy_error(energy).tolist()
    angle_error = float(np.hypot(*finder.angle_error(energy)))
    fit = fit_mass(
        (float(energy[0]), float(energy[1])),
        angle,
        (errors[0], errors[1]),
        angle_error,
        parameters.mass_gev,
    )
    if fit.probability <= parameters.least_probability:
        return None
    x, y, z = (energy[:, None] * direction).sum(axis=0).tolist()
    return Pi0Candidate(pair, mass, (x, y, z), fit)


def opening_angle(one: FloatArray, other: FloatArray) -> float:
    """Angle between two unit vectors, in rad."""
    return 2 * math.asin(min(1.0, float(np.linalg.norm(one - other)) / 2))
