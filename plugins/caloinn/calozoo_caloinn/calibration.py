"""Calibration: a threshold and a factor for each ring of each layer, fitted after the training."""

from __future__ import annotations

import numpy as np
from torch import nn

from calozoo_caloinn.config import CaloInnConfig
from calozoo_caloinn.networks import samplers
from calozoo_caloinn.ring_energies import RingEnergySampler, VectorSampler
from calozoo_caloinn.training_data import TrainingRings
from calozoo_core.clumps.ring_calibration import fit_ring_calibration
from calozoo_core.random import stream
from calozoo_core.typing import Float32Array

__all__ = ["calibration_tables"]

REPEATS = 2


def calibration_tables(
    config: CaloInnConfig, networks: nn.ModuleDict, sample: TrainingRings, seed: int
) -> dict[str, Float32Array]:
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
    vectors = VectorSampler(config, samplers(networks))
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
    fitted = fit_ring_calibration(np.concatenate(parts), truth, config.codec.noise_mev)
    return {"threshold": fitted.threshold, "calibration": fitted.factor}
