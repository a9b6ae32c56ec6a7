"""Training batches: layer energies and images of Geant4 showers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from calozoo_core.detector import load_detector
from calozoo_core.frames import axis_offsets
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import Float32Array as FloatArray
from calozoo_gan3d.conditions import conditions, mirrored
from calozoo_gan3d.config import Gan3dConfig, GridConfig
from calozoo_gan3d.grid import Voxels, fill

__all__ = ["Sample", "Upright", "dense", "energy_batch", "image_batch", "roots", "upright"]

#: Positions in training files are rounded to this; spread again, or they gather in voxels.
POSITION_ROUNDING_MM = 0.25


@dataclass(frozen=True, eq=False)
class Upright:
    """Points of showers about the axis.

    Arguments:
        x: In mm, shape (N,).
        y: In mm.
        layer: Their layers.
        energy: In MeV.
        shower: Which shower each belongs to.
    """

    x: FloatArray
    y: FloatArray
    layer: NDArray[np.uint8]
    energy: FloatArray
    shower: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sample:
    """Geant4 showers as images.

    Arguments:
        voxels: Their voxels.
        condition: What networks see of their primaries, shape (n, 8).
        incident_gev: Energies of the primaries, shape (n,).
        energies: Energies of the layers inside the box, in MeV, shape (n, layers).
    """

    voxels: Voxels
    condition: FloatArray
    incident_gev: FloatArray
    energies: FloatArray

    def __len__(self) -> int:
        return len(self.incident_gev)

    @classmethod
    def of(cls, showers: Showers, grid: GridConfig, points: Upright) -> Sample:
        """The images of some showers.

        Arguments:
            showers: As they were read.
            grid: The voxels.
            points: The showers' points about the axis.
        """
        n = len(showers)
        voxels = fill(points.x, points.y, points.layer, points.energy, points.shower, n, grid)
        shower = np.repeat(np.arange(n), np.diff(voxels.offsets))
        layer = voxels.index // grid.cells**2
        sums = np.bincount(shower * grid.layers + layer, voxels.energy, minlength=n * grid.layers)
        return cls(
            voxels,
            conditions(showers.incident),
            showers.incident.energy.astype(np.float32),
            sums.reshape(n, grid.layers).astype(np.float32),
        )


def upright(showers: Showers, seed: int) -> Upright:
    """Points about the axis of their shower, with the rounding of their positions undone."""
    dx, dy = axis_offsets(showers, load_detector(showers.detector))
    jitter = stream(seed, 0, "rounding").random((2, len(showers.x)), np.float32) - np.float32(0.5)
    x = showers.x - dx + jitter[0] * POSITION_ROUNDING_MM
    y = showers.y - dy + jitter[1] * POSITION_ROUNDING_MM
    return Upright(
        x.astype(np.float32),
        y.astype(np.float32),
        showers.layer,
        showers.energy,
        showers.shower_index,
    )


def dense(
    voxels: Voxels, rows: NDArray[np.int64], mirror: FloatArray, grid: GridConfig
) -> FloatArray:
    """Images of some showers, those with mirror -1 with their columns the other way round.

    Returns:
        Deposits in MeV, shape (n, layers, cells, cells).
    """
    cells, size = grid.cells, grid.layers * grid.cells**2
    images = np.zeros((len(rows), size), np.float32)
    for image, row, sign in zip(images, rows, mirror, strict=True):
        found = slice(voxels.offsets[row], voxels.offsets[row + 1])
        index = voxels.index[found]
        if sign < 0:
            column = index % cells
            index = index + (cells - 1 - 2 * column)
        image[index] = voxels.energy[found]
    return images.reshape(len(rows), grid.layers, cells, cells)


def energy_batch(
    sample: Sample, latent: int, size: int, seed: int, step: int
) -> tuple[Tensor, ...]:
    """Layer energies of some showers, the batch of one optimiser step.

    Every other shower is mirrored at x' = 0, which is exact: the field lies along x' and is an
    axial vector.

    Returns:
        Energies in MeV, energies of the primaries in GeV, conditions, and noise for four draws.
    """
    random = stream(seed, step, "energy batch")
    rows = random.integers(len(sample), size=size)
    condition = mirrored(sample.condition[rows], _mirror(random, size))
    noise = random.standard_normal((4, size, latent), np.float32)
    arrays = sample.energies[rows], sample.incident_gev[rows], condition, noise
    return tuple(map(torch.from_numpy, arrays))


def image_batch(
    sample: Sample, config: Gan3dConfig, size: int, seed: int, step: int
) -> tuple[Tensor, ...]:
    """Images of some showers and the noise to draw as many, the batch of one optimiser step.

    Returns:
        Images, conditions, energies of the primaries in GeV, energies of the layers in MeV, latent
        numbers, noise of the voxels, labels of the real and the drawn images, directions in which
        sums are compared, and the number of the step.
    """
    random = stream(seed, step, "image batch")
    grid = config.grid
    rows = random.integers(len(sample), size=size)
    mirror = _mirror(random, size)
    images = dense(sample.voxels, rows, mirror, grid)
    condition = mirrored(sample.condition[rows], mirror)
    latent = random.standard_normal((size, config.generator.latent), np.float32)
    noise = random.standard_normal(images.shape, np.float32)
    flipped = random.random((2, size)) < config.loss.flip
    labels = np.where(flipped, [[0.0], [1.0]], [[1.0], [0.0]]).astype(np.float32)
    arrays = (
        images,
        condition,
        sample.incident_gev[rows],
        sample.energies[rows],
        latent,
        noise,
        labels,
        random.standard_normal((condition.shape[1], 1024), np.float32),
    )
    return (*map(torch.from_numpy, arrays), torch.tensor(step))


def roots(sample: Sample) -> FloatArray:
    """Square roots of the layer energies over the primary's, shape (n, layers)."""
    return np.sqrt(sample.energies / sample.incident_gev[:, None])


def _mirror(random: np.random.Generator, size: int) -> FloatArray:
    return random.choice(np.array([-1, 1], np.float32), size)
