"""Calibration: a threshold and a factor for each ring of each layer, fitted after the training."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from calozoo_caloinn.config import CaloInnConfig
from calozoo_caloinn.ring_energies import RingEnergySampler, VectorSampler
from calozoo_caloinn.training_data import TrainingRings
from calozoo_core.random import stream

__all__ = ["calibration_tables", "ring_corrections"]

REPEATS = 2
LARGEST_FACTOR = 1.5
"""Largest factor; the smallest is its inverse."""

HIGHEST_THRESHOLD = 20
"""Highest threshold in widths of the noise: a minimum-ionising deposit."""


def calibration_tables(
    config: CaloInnConfig, networks: nn.ModuleDict, sample: TrainingRings, seed: int
) -> dict[str, Tensor]:
    """Tables "threshold" and "calibration" that bring sampled rings closer to Geant4's.

    A threshold makes each ring empty as often as Geant4's; noise that a network draws a little too
    high would be a point otherwise. A factor then makes the mean energies agree.

    Arguments:
        config: Configuration of the networks.
        networks: Trained networks.
        sample: Geant4 showers.
        seed: Seed of the sampled showers.

    Returns:
        Both tables, each of shape (layers x rings,).
    """
    vectors = VectorSampler(config, networks)
    cells = config.codec.layers * config.rings.number
    uncalibrated = RingEnergySampler(
        vectors, np.zeros(cells, np.float32), np.ones(cells, np.float32)
    )
    parts = []
    for repeat in range(REPEATS):
        random = stream(seed, repeat, "calibration")
        noise = random.standard_normal((len(sample), vectors.noise), np.float32)
        parts.append(uncalibrated(sample.energy_gev, sample.condition[:, 1:], noise))
    truth = sample.rings.energies.reshape(len(sample), -1)
    threshold, factor = ring_corrections(np.concatenate(parts), truth, config.codec.noise_mev)
    tables = {"threshold": threshold, "calibration": factor}
    return {name: torch.from_numpy(table.astype(np.float32)) for name, table in tables.items()}


def ring_corrections(
    sampled: NDArray[np.float32], truth: NDArray[np.float32], noise_mev: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Threshold of each cell, in MeV, and factor on its energy, both of shape (cells,).

    Arguments:
        sampled: Energies of generated showers, with noise where empty, in MeV, shape (m, cells).
        truth: Energies of Geant4's showers, in MeV, shape (n, cells).
        noise_mev: Width of the noise.
    """
    filled = (truth > noise_mev).mean(axis=0)
    quantiles = [np.quantile(column, 1 - f) for column, f in zip(sampled.T, filled, strict=True)]
    threshold = np.clip(quantiles, noise_mev, HIGHEST_THRESHOLD * noise_mev)
    mean = np.where(sampled < threshold, 0, sampled).mean(axis=0, dtype=np.float64)
    mean_truth = truth.mean(axis=0, dtype=np.float64)
    factor = np.clip(mean_truth / np.maximum(mean, 1e-12), 1 / LARGEST_FACTOR, LARGEST_FACTOR)
    # What no shower fills cannot be calibrated.
    return threshold, np.where((mean_truth > 0) & (mean > 0), factor, 1)
