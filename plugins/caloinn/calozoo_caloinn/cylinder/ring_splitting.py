"""Division of ring energies among the voxels of the rings."""

from __future__ import annotations

import numpy as np
import torch

from calozoo_caloinn.cylinder.sectors import (
    SectorTables,
    brightness,
    filled_class,
    gumbel,
    wave_around,
)
from calozoo_core.typing import Float32Array

__all__ = ["RingSplitter", "fit_lean"]

GAINS = np.array([1, 1.5, 2, 3, 4])
"""Factors on the weight of the lean that are compared."""

LEAN_SHOWERS = 400
"""Showers that they are compared on."""


class RingSplitter:
    """Sampler of voxel energies from ring energies.

    Arguments:
        tables: Fitted tables.
        centres: Centre of each voxel of a layer, in mm, shape (sectors, rings, 2).
    """

    def __init__(self, tables: SectorTables, centres: Float32Array) -> None:
        self._centres = np.ascontiguousarray(centres.transpose(1, 0, 2))
        self._side = centres[:, 0].T / np.hypot(*centres[0, 0])
        self._shares = tables.shares.numpy()
        self._ranking, self._wave = tables.ranking.numpy(), tables.wave.numpy()
        layers, self._rings = tables.threshold.shape
        zones = np.arange(layers) * len(self._shares) // layers
        knots = tables.knots.numpy()[zones]
        self._low, self._scale = knots[..., 0], knots[..., 1]
        self._zone = zones[:, None]
        self._ring = np.arange(self._rings)

    @property
    def uniforms(self) -> tuple[int, ...]:
        """Shape of the uniform random numbers of one shower."""
        return (*self._low.shape, self._shares.shape[-1] + 3)

    def __call__(self, rings: Float32Array, uniform: Float32Array) -> Float32Array:
        """Energies of voxels, in MeV, shape (n, layers, sectors, rings).

        Arguments:
            rings: Energies of rings, in MeV, shape (n, layers, rings).
            uniform: Between 0 and 1, shape (n, *uniforms).
        """
        shares = self._divisions(rings, uniform[..., 0], uniform[..., 1])
        classes = filled_class((shares > 0).sum(axis=-1))
        part = self._ranking[self._ring, classes]
        noise = gumbel(uniform[..., 3:])
        height = self._wave[self._ring, classes]
        noise += height[..., None] * wave_around(uniform[..., 2], noise.shape[-1])
        energies = shares * rings[..., None]
        n, layers, number, sectors = energies.shape
        voxels = np.zeros((n, layers, number, sectors), np.float32)
        # One more in front, so that the first layer and the first ring have dark neighbours.
        bright = np.zeros((n, layers + 1, number + 1, sectors), np.float32)
        moment, energy = np.zeros((n, 2), np.float32), np.full((n, 1), 1e-6, np.float32)
        # What is divided together lies on a diagonal: layers before and rings within are done.
        for diagonal in range(layers + number - 1):
            ring = np.arange(max(0, diagonal - layers + 1), min(number, diagonal + 1))
            layer = diagonal - ring
            own = part[:, layer, ring]
            before, within = bright[:, layer, ring + 1], bright[:, layer + 1, ring]
            beside = np.roll(before, 1, axis=-1) + np.roll(before, -1, axis=-1)
            lean = (moment / energy) @ self._side
            score = own[..., :1] * before + own[..., 1:2] * beside + own[..., 2:3] * within
            score += own[..., 3:] * lean[:, None]
            order = np.argsort(-(score + noise[:, layer, ring]), axis=-1)
            placed = np.empty_like(score)
            np.put_along_axis(placed, order, energies[:, layer, ring], axis=-1)
            voxels[:, layer, ring] = placed
            bright[:, layer + 1, ring + 1] = brightness(placed)
            moment += np.einsum("nrs,rsi->ni", placed, self._centres[ring])
            energy += placed.sum(axis=(1, 2))[:, None]
        return voxels.transpose(0, 1, 3, 2)

    def _divisions(
        self, rings: Float32Array, coin: Float32Array, pick: Float32Array
    ) -> Float32Array:
        """Shares of the sectors of each ring, the largest first, shape (n, layers, rings, sectors).

        An empty ring is looked up at any energy.
        """
        levels, members = self._shares.shape[2:4]
        log_energy = np.log(np.maximum(rings, np.float32(1e-6)))
        level = (log_energy - self._low) * self._scale
        near = np.clip(np.floor(level + coin), 0, levels - 1).astype(np.int64)
        member = (pick * members).astype(np.int64)
        found: Float32Array = self._shares[self._zone, self._ring, near, member]
        return found


def fit_lean(
    tables: SectorTables, voxels: Float32Array, centres: Float32Array, random: np.random.Generator
) -> SectorTables:
    """Tables with a factor on the weight of the lean that makes showers lean as Geant4's.

    The ranking of a ring is fitted given the true rings before it. Sampled one after the other,
    rings agree too little, since none of the earlier ones is quite the true one.

    Arguments:
        tables: Fitted tables.
        voxels: Energies of Geant4's showers, in MeV, shape (n, layers, sectors, rings).
        centres: Centre of each voxel of a layer, in mm, shape (sectors, rings, 2).
        random: Random stream of the sampled divisions.
    """
    some = voxels[:LEAN_SHOWERS]
    rings = some.sum(axis=2)

    def scaled(gain: float) -> SectorTables:
        factor = torch.tensor([1.0, 1.0, 1.0, gain])
        return tables._replace(ranking=tables.ranking * factor)

    def lean(energies: Float32Array) -> float:
        """Logarithm of the geometric mean distance of the centres of showers from the axis."""
        moment = np.einsum("nlsr,sri->ni", energies, centres)
        far = np.hypot(*moment.T) / energies.sum(axis=(1, 2, 3))
        return float(np.log(np.maximum(far, 1e-6)).mean())

    found = []
    for gain in GAINS:
        split = RingSplitter(scaled(float(gain)), centres)
        uniform = random.random((len(some), *split.uniforms), np.float32)
        found.append(lean(split(rings, uniform)))
    # Never the less for a larger factor, but for chance.
    return scaled(float(np.interp(lean(some), np.maximum.accumulate(found), GAINS)))
