"""The last correction: a factor for each ring of each layer, fitted on training showers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from calozoo_caloinn.networks import Drawer
from calozoo_caloinn.ring_energies import RingEnergies
from calozoo_caloinn.training_data import Sample
from calozoo_caloinn.weights_files import Trained
from calozoo_core.random import stream

__all__ = ["calibrated", "corrections"]

REPEATS = 2
MOST = 1.5
"""No factor is larger than this, or smaller than its inverse."""

HIGHEST = 20
"""No threshold is higher than so many widths of the noise: a minimum-ionising deposit."""


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
    threshold, factor = corrections(drawn, truth, noise_mev)
    tables = {"threshold": threshold, "calibration": factor}
    found = {name: torch.from_numpy(table.astype(np.float32)) for name, table in tables.items()}
    return trained._replace(template=replace(trained.template, **found))


def corrections(
    drawn: NDArray[np.float32], truth: NDArray[np.float32], noise_mev: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The threshold of each cell, in MeV, and the factor on its energy, both of shape (cells,).

    Arguments:
        drawn: Energies, with noise where they are empty, in MeV, shape (m, cells).
        truth: Those of Geant4, shape (n, cells).
        noise_mev: Width of the noise.
    """
    filled = (truth > noise_mev).mean(axis=0)
    quantiles = [np.quantile(column, 1 - f) for column, f in zip(drawn.T, filled, strict=True)]
    threshold = np.clip(quantiles, noise_mev, HIGHEST * noise_mev)
    mean = np.where(drawn < threshold, 0, drawn).mean(axis=0, dtype=np.float64)
    wanted = truth.mean(axis=0, dtype=np.float64)
    factor = np.clip(wanted / np.maximum(mean, 1e-12), 1 / MOST, MOST)
    # What no shower fills cannot be calibrated.
    return threshold, np.where((wanted > 0) & (mean > 0), factor, 1)
