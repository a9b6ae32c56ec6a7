"""Geant4 showers as images, and the training batches made of them."""

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
from calozoo_core.typing import Float32Array
from calozoo_gan3d.config import Gan3dConfig, GridConfig
from calozoo_gan3d.grid import Voxels, fill
from calozoo_gan3d.primaries import conditions, mirrored

__all__ = [
    "ImageSample",
    "UprightPoints",
    "dense_images",
    "energy_batch",
    "energy_roots",
    "image_batch",
    "upright_points",
]

#: Rounding of positions in training files, which has to be undone before binning.
POSITION_ROUNDING_MM = 0.25


@dataclass(frozen=True, eq=False)
class UprightPoints:
    """Points of showers in the upright frame.

    Arguments:
        x: Positions along x', in mm, shape (N,).
        y: Positions along y', in mm.
        layer: Indices of the layers.
        energy: Energies in MeV.
        shower: Index of the shower of each point.
    """

    x: Float32Array
    y: Float32Array
    layer: NDArray[np.uint8]
    energy: Float32Array
    shower: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ImageSample:
    """Geant4 showers as images.

    Arguments:
        voxels: Voxels with energy.
        condition: Condition of the primaries, shape (n, 8).
        incident_gev: Incident energies, shape (n,).
        energies: Energies of the layers inside the box, in MeV, shape (n, layers).
    """

    voxels: Voxels
    condition: Float32Array
    incident_gev: Float32Array
    energies: Float32Array

    def __len__(self) -> int:
        return len(self.incident_gev)

    @classmethod
    def from_showers(cls, showers: Showers, grid: GridConfig, points: UprightPoints) -> ImageSample:
        """Images of showers.

        Arguments:
            showers: The showers.
            grid: The voxels.
            points: The points of the showers, from `upright_points`.
        """
        n = len(showers)
        voxels = fill(points.x, points.y, points.layer, points.energy, points.shower, n, grid)
        shower = np.repeat(np.arange(n), np.diff(voxels.offsets))
        layer = voxels.voxel // grid.cells**2
        sums = np.bincount(shower * grid.layers + layer, voxels.energy, minlength=n * grid.layers)
        return cls(
            voxels,
            conditions(showers.incident),
            showers.incident.energy.astype(np.float32),
            sums.reshape(n, grid.layers).astype(np.float32),
        )


def upright_points(showers: Showers, seed: int) -> UprightPoints:
    """Points in the upright frame, spread over the rounding of their positions."""
    dx, dy = axis_offsets(showers, load_detector(showers.detector))
    jitter = stream(seed, 0, "rounding").random((2, len(showers.x)), np.float32) - np.float32(0.5)
    x = showers.x - dx + jitter[0] * POSITION_ROUNDING_MM
    y = showers.y - dy + jitter[1] * POSITION_ROUNDING_MM
    return UprightPoints(
        x.astype(np.float32),
        y.astype(np.float32),
        showers.layer,
        showers.energy,
        showers.shower_index,
    )


def dense_images(
    voxels: Voxels, rows: NDArray[np.int64], mirror: Float32Array, grid: GridConfig
) -> Float32Array:
    """Images of showers of a sample.

    Arguments:
        voxels: Voxels of the sample.
        rows: Indices of the showers, shape (n,).
        mirror: -1 for images mirrored at x' = 0, otherwise 1, shape (n,).
        grid: The voxels.

    Returns:
        Deposits in MeV, shape (n, layers, cells, cells).
    """
    cells, size = grid.cells, grid.layers * grid.cells**2
    images = np.zeros((len(rows), size), np.float32)
    for image, row, sign in zip(images, rows, mirror, strict=True):
        own = slice(voxels.offsets[row], voxels.offsets[row + 1])
        index = voxels.voxel[own]
        if sign < 0:
            column = index % cells
            index = index + (cells - 1 - 2 * column)
        image[index] = voxels.energy[own]
    return images.reshape(len(rows), grid.layers, cells, cells)


def energy_batch(
    sample: ImageSample, latent: int, size: int, seed: int, step: int
) -> tuple[Tensor, ...]:
    """Layer energies of random showers, the batch of one optimiser step.

    Half of them, at random, are mirrored at x' = 0, which is exact: the field lies along x' and is
    an axial vector.

    Returns:
        Layer energies in MeV, incident energies in GeV, conditions, and noise for four draws.
    """
    random = stream(seed, step, "energy batch")
    rows = random.integers(len(sample), size=size)
    condition = mirrored(sample.condition[rows], _random_signs(random, size))
    noise = random.standard_normal((4, size, latent), np.float32)
    arrays = sample.energies[rows], sample.incident_gev[rows], condition, noise
    return tuple(map(torch.from_numpy, arrays))


def image_batch(
    sample: ImageSample, config: Gan3dConfig, size: int, seed: int, step: int
) -> tuple[Tensor, ...]:
    """Images of random showers and noise for as many, the batch of one optimiser step.

    Returns:
        Images, conditions, incident energies in GeV, layer energies in MeV, latent variables, noise
        of the voxels, labels of the real and the generated images, mixtures of the conditions for
        the comparison of sums, and the number of the step.
    """
    random = stream(seed, step, "image batch")
    grid = config.grid
    rows = random.integers(len(sample), size=size)
    mirror = _random_signs(random, size)
    images = dense_images(sample.voxels, rows, mirror, grid)
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


def energy_roots(sample: ImageSample) -> Float32Array:
    """Square roots of the layer energies over the incident energy, shape (n, layers)."""
    roots: Float32Array = np.sqrt(sample.energies / sample.incident_gev[:, None])
    return roots


def _random_signs(random: np.random.Generator, size: int) -> Float32Array:
    return random.choice(np.array([-1, 1], np.float32), size)
