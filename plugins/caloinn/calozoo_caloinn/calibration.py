"""The last correction: a factor for each ring of each layer, fitted on training showers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from calozoo_caloinn.data import Sample
from calozoo_caloinn.energies import RingEnergies
from calozoo_caloinn.files import Trained
from calozoo_caloinn.networks import Drawer
from calozoo_core.random import stream

__all__ = ["calibrated"]

REPEATS = 2
MOST = 1.5
"""No factor is larger than this, or smaller than its inverse."""

HIGHEST_MEV = 0.2
"""No threshold is higher than this, the deposit of a minimum-ionising particle."""


def calibrated(trained: Trained, sample: Sample, seed: int) -> Trained:
    """The model with thresholds and factors that bring its rings closer to Geant4's.

    A threshold makes each ring empty as often as Geant4's; noise that a network draws a little too
    high would be a point otherwise. A factor then makes the mean energies agree.

    Arguments:
        trained: The model; its own calibration is put aside first.
        sample: Geant4 showers.
        seed: Of what is drawn.
    """
    drawer = Drawer(trained.config, trained.networks)
    cells, noise_mev = len(trained.template.calibration), trained.config.codec.noise_mev
    plain = RingEnergies(drawer, np.zeros(cells, np.float32), np.ones(cells, np.float32))
    parts = []
    for repeat in range(REPEATS):
        random = stream(seed, repeat, "calibration")
        noise = random.standard_normal((len(sample), drawer.noise), np.float32)
        parts.append(plain(sample.energy_gev, sample.condition[:, 1:], noise))
    drawn = np.concatenate(parts)
    truth = sample.rings.energies.reshape(len(sample), -1)
    threshold = _thresholds(drawn, (truth > noise_mev).mean(axis=0), noise_mev)
    mean = np.where(drawn < threshold, 0, drawn).mean(axis=0, dtype=np.float64)
    wanted = truth.mean(axis=0, dtype=np.float64)
    factor = np.clip(wanted / np.maximum(mean, 1e-12), 1 / MOST, MOST)
    # What no shower fills cannot be calibrated.
    factor = np.where((wanted > 0) & (mean > 0), factor, 1)
    tables = {"threshold": threshold, "calibration": factor}
    found = {name: torch.from_numpy(table.astype(np.float32)) for name, table in tables.items()}
    return trained._replace(template=replace(trained.template, **found))


def _thresholds(
    drawn: NDArray[np.float32], filled: NDArray[np.floating], noise_mev: float
) -> NDArray[np.float64]:
    """The energy that each ring exceeds in such a part of the showers, shape (cells,)."""
    quantiles = [np.quantile(column, 1 - f) for column, f in zip(drawn.T, filled, strict=True)]
    return np.clip(quantiles, noise_mev, HIGHEST_MEV)
