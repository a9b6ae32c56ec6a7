"""What the generator knows before its first lesson: mean images for some energies."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from calozoo_core.typing import FloatArray
from calozoo_gan3d.networks import Generator, image_of
from calozoo_gan3d.training_data import Sample, dense

__all__ = ["start_from_means"]

#: Voxels that are filled more often than this have a spectrum about their mean.
OFTEN = 0.9
#: No voxel is surer than this to be empty, since showers not seen may fill it.
RARE = 1e-4


@torch.no_grad()
def start_from_means(generator: Generator, sample: Sample, showers: int = 4000) -> None:
    """Set the mean images so that voxels are filled as often, and as much, as in some showers.

    Arguments:
        generator: Gets new mean images.
        sample: Geant4 showers.
        showers: How many of them to look at.
    """
    grid, knots = generator.grid, generator.config.knots
    condition = torch.from_numpy(sample.condition[:showers])
    hats = generator.hats(condition).numpy()
    size = grid.layers * grid.cells**2
    weight = np.zeros((knots, 1))
    sums = np.zeros((3, knots, size))
    for first in range(0, len(hats), 200):
        part = hats[first : first + 200]
        rows = np.arange(first, first + len(part))
        image = dense(sample.voxels, rows, np.ones(len(rows), np.float32), grid)
        image = image.reshape(len(rows), size)
        mirrored = image.reshape(-1, grid.cells)[:, ::-1].reshape(len(rows), size)
        for seen in (image, mirrored):
            t = _inverse(seen)
            for moment, values in zip(sums, (seen > 0, t, t**2), strict=True):
                moment += part.T @ values
            weight += part.sum(axis=0)[:, None]
    filled, mean, square = sums / np.maximum(weight, 1e-9)
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    often = filled > OFTEN
    quantile = torch.special.ndtri(torch.from_numpy(np.clip(filled, RARE, OFTEN))).numpy()
    mean = np.where(often, mean, quantile)
    spread = np.where(often, np.clip(spread, 0.2, 3.0), 1.0)
    start = np.concatenate([mean, spread - 1 / spread], axis=1)
    generator.means.copy_(torch.from_numpy(start).float())


def _inverse(image: NDArray[np.float32]) -> FloatArray:
    """The t that gives this energy; 0 for none."""
    t = np.concatenate([[0.0], np.logspace(-3, 2, 2000)])
    energy = image_of(torch.from_numpy(t)).numpy()
    return np.interp(image, energy, t)
