"""Training showers and batches: vectors of ring energies, with fresh noise in empty rings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from calozoo_caloinn.config import CaloInnConfig
from calozoo_caloinn.ring_energies import conditions
from calozoo_caloinn.template_fit import RingPoints, ring_points
from calozoo_caloinn.voxel_encoding import Codec
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.training.tail_sampler import TailEnhancedSampler
from calozoo_core.typing import Float32Array

__all__ = ["Batch", "TrainingRings", "batch", "vectors"]

TEMPLATE_SHOWERS = 4000
"""Showers whose points the template is fitted on; its rings are filled by all."""

Batch = tuple[Tensor, ...]
"""Layers' part, voxels' part, condition, condition of the voxels, and a seed for each row."""


@dataclass(frozen=True, eq=False)
class TrainingRings:
    """Geant4 showers as rings.

    Arguments:
        rings: Energies and counts of all showers, points of some.
        energy_gev: Incident energies, shape (n,).
        condition: (ln E, p_x, p_y, p_z), shape (n, 4).
        sampler: Sampler that draws showers of the tails more often; None draws all alike.
    """

    rings: RingPoints
    energy_gev: Float32Array
    condition: Float32Array
    sampler: TailEnhancedSampler | None = None

    @classmethod
    def from_showers(
        cls,
        showers: Showers,
        config: CaloInnConfig,
        keep: int = TEMPLATE_SHOWERS,
        tails: float = 1.0,
    ) -> TrainingRings:
        """Showers sorted into rings; those of the tails are drawn `tails` times as often."""
        incident = showers.incident
        return cls(
            ring_points(showers, config.rings, keep),
            incident.energy,
            conditions(incident.energy, incident.direction),
            TailEnhancedSampler.from_showers(showers, boost=tails) if tails > 1 else None,
        )

    def __len__(self) -> int:
        return len(self.energy_gev)

    def random_rows(self, random: np.random.Generator, n: int) -> NDArray[np.int64]:
        """Rows of a batch, shape (n,)."""
        if self.sampler is not None:
            return self.sampler.draw(random, n)
        return random.integers(len(self), size=n)


def batch(sample: TrainingRings, codec: Codec, size: int, seed: int, step: int) -> Batch:
    """Vectors and conditions of some showers, the batch of one optimiser step.

    Every other shower is mirrored at x' = 0. That is exact: the field lies along x' and is an axial
    vector. Rings do not change, so it is the direction alone that is mirrored.
    """
    random = stream(seed, step, "batch")
    rows = sample.random_rows(random, size)
    condition = sample.condition[rows]
    condition[:, 1] *= random.choice(np.array([-1, 1], np.float32), size)
    return vectors(sample, codec, rows, condition, random)


def vectors(
    sample: TrainingRings,
    codec: Codec,
    rows: NDArray[np.int64] | slice,
    condition: Float32Array,
    random: np.random.Generator,
) -> Batch:
    """Vectors of some showers, under conditions that may be mirrored."""
    filled = codec.add_noise(sample.rings.energies[rows], random)
    layers, voxels = codec.encode(filled, sample.energy_gev[rows])
    own = random.integers(2**62)
    arrays = (layers, voxels, condition, codec.voxel_condition(layers, condition))
    return (*map(torch.from_numpy, arrays), torch.tensor(own))
