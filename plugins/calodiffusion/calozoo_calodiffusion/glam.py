"""Geometry latent mapping: layers with bins of their own onto one grid, and back (GLaM).

References:
    | CaloDiffusion, section 3.3: https://arxiv.org/abs/2308.03876
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from calozoo_calodiffusion.config import GeometryConfig
from calozoo_core.typing import Float32Array

__all__ = ["GeometryMapping", "overlaps"]


NOISE: Final = 1e-5
"""Standard deviation of what is added to the areas at the beginning."""


class GeometryMapping(nn.Module):
    """Trainable matrices from the rings of each layer to those of a common grid, and back.

    It begins with the parts of areas that overlap, and back with the pseudo-inverse of that. A
    layer of one sector is divided evenly among those of the grid, and back they are added up.

    Arguments:
        config: Edges and sectors of the layers.
        generator: Draws the little noise that the matrices begin with.
    """

    def __init__(self, config: GeometryConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = nn.ParameterList(), nn.ParameterList()
        for edges in config.edges_mm:
            begin = torch.from_numpy(overlaps(edges, config.all_edges_mm))
            noise = NOISE * torch.randn(begin.shape, generator=generator)
            self.encoder.append(nn.Parameter(begin + noise))
            self.decoder.append(nn.Parameter(torch.linalg.pinv(begin)))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of voxels of the layers."""
        config = self.config
        return tuple(
            n * (len(edges) - 1) for n, edges in zip(config.sectors, config.edges_mm, strict=True)
        )

    def encode(self, voxels: Tensor) -> Tensor:
        """Voxels on the grid, shape (n, layers, sectors, rings).

        Arguments:
            voxels: Voxels of the layers one after the other, rings fastest, shape (n, voxels).
        """
        sectors = self.config.grid[1]
        layers = []
        for own, matrix, n in zip(
            torch.split(voxels, list(self.sizes), dim=1),
            self.encoder,
            self.config.sectors,
            strict=True,
        ):
            image = own.reshape(len(own), n, -1)
            if n < sectors:
                image = image.expand(-1, sectors, -1) / sectors
            layers.append(image @ matrix.T)
        return torch.stack(layers, dim=1)

    def decode(self, grid: Tensor) -> Tensor:
        """Voxels of the layers one after the other, shape (n, voxels); the way back of `encode`.

        Arguments:
            grid: Voxels on the grid, shape (n, layers, sectors, rings).
        """
        layers = []
        for image, matrix, n in zip(grid.unbind(1), self.decoder, self.config.sectors, strict=True):
            own = image @ matrix.T
            layers.append(own.sum(1) if n < grid.shape[2] else own.flatten(1))
        return torch.cat(layers, dim=1)


def overlaps(edges: tuple[float, ...], onto: tuple[float, ...]) -> Float32Array:
    """Part of the area of each ring that lies in each ring of a grid, shape (onto, rings).

    Arguments:
        edges: Edges of the rings.
        onto: Edges of the rings of the grid.

    Example:
        >>> overlaps((0, 2), (0, 1, 2)).ravel().tolist()
        [0.25, 0.75]
    """
    low, high = (np.square(np.array(own)) for own in (edges[:-1], edges[1:]))
    first, last = (np.square(np.array(own))[:, None] for own in (onto[:-1], onto[1:]))
    shared = np.clip(np.minimum(high, last) - np.maximum(low, first), 0, None)
    return np.asarray(shared / (high - low), np.float32)
