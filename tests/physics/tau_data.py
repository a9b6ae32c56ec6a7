"""Events of pi0 for tests of the tau events, which need no Pythia."""

from __future__ import annotations

import numpy as np

from calozoo_core.detector import load_detector
from calozoo_core.events import Events
from calozoo_core.placement import load_placement

DETECTOR = load_detector("ild_siecal")
ILD = load_placement("ild_siecal")


def pi0_events(n=12):
    """Events of one pi0 of 20 GeV each, decayed to two photons that start on the face."""
    rng = np.random.default_rng(1)
    photons = []
    for _ in range(n):
        gamma = 20 / 0.1349768
        beta, cos = np.sqrt(1 - gamma**-2), rng.uniform(-0.5, 0.5)
        turn = rng.uniform(0, 2 * np.pi)
        for sign in (1, -1):
            along = gamma * (sign * cos + beta)
            across = sign * np.sqrt(1 - cos**2)
            half = 0.1349768 / 2
            photons.append(half * np.array([across * np.cos(turn), along, across * np.sin(turn)]))
    momenta = np.array(photons)
    energy = np.linalg.norm(momenta, axis=1)
    return Events.of(
        2 * np.arange(n + 1),
        np.full(2 * n, 22),
        energy,
        momenta,
        ILD.enter(momenta),
        mother=0,
        mother_pdg=111,
    )
