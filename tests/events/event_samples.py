"""Small samples of events for tests."""

from __future__ import annotations

import numpy as np

from calozoo_core.events import Events
from calozoo_core.placement import load_placement

ILD = load_placement("ild_siecal")


def photons_on_the_face(n: int = 7, seed: int = 1) -> Events:
    """Events of one to three photons that start on the barrel's face, which a model takes."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 4, n)
    n_photons = int(counts.sum())
    theta, phi = (
        np.radians(rng.uniform(84, 96, n_photons)),
        np.radians(rng.uniform(88, 92, n_photons)),
    )
    unit = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], 1)
    energy = rng.uniform(6, 40, n_photons)
    return Events.of(
        np.concatenate([[0], counts.cumsum()]),
        np.full(n_photons, 22),
        energy,
        unit * energy[:, None],
        ILD.enter(unit),
    )
