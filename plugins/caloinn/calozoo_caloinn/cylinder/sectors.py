"""Division of ring energies among sectors, by tables fitted on Geant4 showers.

A division is a set of shares, the largest first. For every ring, in groups of layers, the tables
hold divisions of Geant4's at some energies of the ring. Shares are assigned to sectors by a ranking
from the Plackett-Luce model: a sector comes first with a probability in proportion to exp(score),
the next among the others, and so on. The score depends on the neighbours. Sectors that are close
get similar shares, since the score has a wave around the ring, of a given height and a random
phase. All of this is the same in every sector and for either sense of rotation, as
the detector is.

References:
    | Plackett, The analysis of permutations: https://doi.org/10.2307/2346567
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from calozoo_caloinn.cylinder.config import CylinderConfig
from calozoo_core.random import stream
from calozoo_core.typing import Float32Array, FloatArray, IntArray
from calozoo_core.voxels import CylinderVoxels
from calozoo_core.weights.layout import Layout, TensorLayout, zeros

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "CLASSES",
    "RingSplitter",
    "SectorTables",
    "brightness",
    "filled_class",
    "fit_lean",
    "fit_tables",
    "gumbel",
    "voxel_centres",
    "wave_around",
]

CLASSES = np.array([1, 2, 4, 8, 16])
"""Least number of filled sectors of each class of rings; a class has one ranking."""

N_HINTS = 4
"""Hints of a score: brightness of the same sector in the layer before, of those beside it there,
and of the same in the ring within; and lean of the shower to its side, in mm."""

BRIGHT_MEV = np.float32(0.03)
"""Unit of the energy in the brightness of a voxel: a third of a minimum-ionising deposit."""

FEWEST = 30
"""Least number of divisions a level chooses from, from further off if need be."""

PHASES = 8
"""Number of phases of the wave in the fit of a ranking."""

FEWEST_RANKED = 200
"""Least number of rings of a class for a ranking to be fitted."""


class SectorTables(NamedTuple):
    """Tables of divisions and rankings. A cell is a ring of a layer, a zone a group of layers.

    Arguments:
        knots: ln of the energy (MeV) of the lowest level, and levels per unit of it, shape (zones,
            rings, 2).
        shares: Shares of the energy of a ring, the largest first, shape (zones, rings, levels,
            members, sectors).
        ranking: Weight of each hint in the score of a sector, shape (rings, classes, 4).
        wave: Height of the wave in the scores, shape (rings, classes).
        threshold: Energy below which a cell is empty, in MeV, shape (layers, rings).
        calibration: Factor on the energy of each cell, shape (layers, rings).
    """

    knots: Float32Array
    shares: Float32Array
    ranking: Float32Array
    wave: Float32Array
    threshold: Float32Array
    calibration: Float32Array

    @classmethod
    def layout(cls, config: CylinderConfig) -> Layout:
        """Layout of the tables of a configuration."""
        codec, sectors = config.codec, config.sectors
        rings = codec.voxels
        return {
            "knots": TensorLayout.table(sectors.zones, rings, 2),
            "shares": TensorLayout.table(
                sectors.zones, rings, sectors.levels, sectors.members, config.n_sectors
            ),
            "ranking": TensorLayout.table(rings, len(CLASSES), N_HINTS),
            "wave": TensorLayout.table(rings, len(CLASSES)),
            "threshold": TensorLayout.table(codec.layers, rings),
            "calibration": TensorLayout.table(codec.layers, rings),
        }

    @classmethod
    def zeros(cls, config: CylinderConfig) -> SectorTables:
        """Empty tables of a configuration."""
        return cls(**zeros(cls.layout(config)))


def fit_tables(voxels: Float32Array, config: CylinderConfig, seed: int) -> SectorTables:
    """Tables fitted on Geant4 showers.

    Arguments:
        voxels: Energies, in MeV, shape (n, layers, sectors, rings).
        config: Sizes.
        seed: Seed of the choice of divisions.
    """
    fitted = SectorTables.zeros(config)
    tables = fitted._asdict()
    tables["shares"][..., 0] = 1
    zones = np.arange(config.codec.layers) * config.sectors.zones // config.codec.layers
    for zone, ring in np.ndindex(config.sectors.zones, config.codec.voxels):
        random = stream(seed, zone * config.codec.voxels + ring, "sectors")
        some = voxels[:, zones == zone, :, ring].reshape(-1, config.n_sectors)
        some = some[some.sum(axis=1) > config.codec.noise_mev]
        if len(some):
            _fit_divisions(tables, (zone, ring), some, random)
    bright, lean = brightness(voxels), _leans(voxels, voxel_centres(config.voxels))
    for ring, one in np.ndindex(tables["wave"].shape):
        random = stream(seed, ring * len(CLASSES) + one, "ranking")
        rows = _rings_of_class(voxels[..., ring], one)
        rows = rows[random.permutation(len(rows))[: config.sectors.ranked]]
        if len(rows):
            shower, layer = rows.T
            hints = _hints(bright, lean, shower, layer, ring)
            weights, height = _plackett_luce(voxels[shower, layer, :, ring], hints)
            tables["ranking"][ring, one] = weights
            tables["wave"][ring, one] = height
    tables["threshold"][:] = config.codec.noise_mev
    tables["calibration"][:] = 1
    return fitted


def voxel_centres(voxels: CylinderVoxels) -> Float32Array:
    """Centre of each voxel of a layer, in mm, shape (sectors, rings, 2)."""
    bins = voxels.layers[0]
    edges = np.array(bins.r_edges_mm)
    angle = 2 * np.pi * (np.arange(bins.n_alpha) + 0.5) / bins.n_alpha - np.pi
    side = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    middle = (edges[1:] + edges[:-1]) / 2
    arm: Float32Array = (side[:, None] * middle[:, None]).astype(np.float32)
    return arm


def brightness(energy: Float32Array) -> Float32Array:
    """Brightness of a voxel, as its neighbours see it: ln(1 + E / 0.03 MeV)."""
    result: Float32Array = np.log1p(energy / BRIGHT_MEV)
    return result


def filled_class(number: IntArray) -> IntArray:
    """Class of rings with this number of filled sectors; empty ones are in the first."""
    found: IntArray = np.searchsorted(CLASSES, np.maximum(number, 1), side="right") - 1
    return found


def _fit_divisions(
    tables: dict[str, Float32Array],
    cell: tuple[int, int],
    rings: Float32Array,
    random: np.random.Generator,
) -> None:
    levels, members = tables["shares"].shape[2:4]
    energy = rings.sum(axis=1)
    divisions = -np.sort(-rings / energy[:, None], axis=1)
    log_energy = np.log(energy)
    low, high = np.quantile(log_energy, [0.002, 0.998])
    scale = (levels - 1) / max(high - low, 1e-3)
    tables["knots"][cell] = low, scale
    order = np.argsort(log_energy, kind="stable")
    at = (log_energy[order] - low) * scale
    for level in range(levels):
        first, last = np.searchsorted(at, [level - 0.5, level + 0.5])
        if last - first < FEWEST:
            first = np.clip(np.searchsorted(at, level) - FEWEST // 2, 0, max(len(at) - FEWEST, 0))
            last = min(first + FEWEST, len(at))
        # Evenly over the stretch, each from another part of it.
        chosen = (np.arange(members) + random.random(members)) / members * (last - first)
        tables["shares"][cell][level] = divisions[order[first + chosen.astype(np.int64)]]


def _leans(voxels: Float32Array, arm: Float32Array) -> Float32Array:
    """Lean of a shower to the side of each sector before each diagonal, in mm.

    Cells of a diagonal are divided together: their layer and ring have the same sum. The lean
    is the centre of gravity of all those before, seen from a sector; shape (n, diagonals, sectors).
    """
    n, layers, _, rings = voxels.shape
    moment = np.zeros((n, layers + rings - 1, 2), np.float32)
    energy = np.zeros((n, layers + rings - 1, 1), np.float32)
    for ring in range(rings):
        own = slice(ring, ring + layers)
        moment[:, own] += voxels[..., ring] @ arm[:, ring]
        energy[:, own, 0] += voxels[..., ring].sum(axis=2)
    before = np.cumsum(moment, axis=1) - moment
    centre = before / np.maximum(np.cumsum(energy, axis=1) - energy, np.float32(1e-6))
    side = arm[:, 0] / np.hypot(*arm[0, 0])
    lean: Float32Array = centre @ side.T
    return lean


def _rings_of_class(energy: Float32Array, one: int) -> IntArray:
    """Shower and layer of the rings of a class, shape (m, 2); empty if there are too few."""
    number = (energy > 0).sum(axis=2)
    rows = np.argwhere((filled_class(number) == one) & (number > 0))
    return rows if len(rows) >= FEWEST_RANKED else rows[:0]


def _hints(
    bright: Float32Array,
    lean: Float32Array,
    shower: IntArray,
    layer: IntArray,
    ring: int,
) -> Float32Array:
    """Hints of the scores of some rings, shape (m, sectors, 4)."""
    before = bright[shower, layer - 1, :, ring] * (layer > 0)[:, None]
    within = bright[shower, layer, :, ring - 1] * (ring > 0)
    beside = np.roll(before, 1, axis=1) + np.roll(before, -1, axis=1)
    return np.stack([before, beside, within, lean[shower, layer + ring]], axis=2)


def wave_around(phase: Float32Array, sectors: int) -> Float32Array:
    """Wave of height 1 around a ring, shape (..., sectors).

    Arguments:
        phase: Position of its crest, from 0 to 1 once around, shape (...).
        sectors: Number of sectors of a ring.
    """
    at = np.arange(sectors, dtype=np.float32) / sectors
    return np.cos(np.float32(2 * np.pi) * (phase[..., None] - at))


def gumbel(uniform: Float32Array) -> Float32Array:
    """Gumbel noise, which turns the order of scores into a sample of the Plackett-Luce model."""
    noise: Float32Array = -np.log(-np.log(np.clip(uniform, 1e-7, 1 - 1e-7)))
    return noise


def _plackett_luce(energy: Float32Array, hints: Float32Array) -> tuple[FloatArray, float]:
    """Maximum-likelihood weights of the hints and height of the wave, from the order of sectors.

    The phase of the wave is unknown: the likelihood is the mean over some phases.
    """
    import torch

    sectors = energy.shape[1]
    order = np.argsort(-energy, axis=1, kind="stable")
    by_energy = np.take_along_axis(hints, order[..., None], axis=1)
    x = torch.from_numpy(by_energy.astype(np.float64))
    phases: Float32Array = np.arange(PHASES).astype(np.float32) / np.float32(PHASES)
    around = np.broadcast_to(wave_around(phases, sectors), (len(energy), PHASES, sectors))
    waves = np.take_along_axis(around, order[:, None], axis=2)
    wave = torch.from_numpy(waves.astype(np.float64))
    ranked = torch.from_numpy(np.take_along_axis(energy, order, axis=1) > 0)[:, None]
    weights = torch.zeros(N_HINTS, dtype=torch.float64, requires_grad=True)
    height = torch.full((), 0.5, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, height], max_iter=20, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        score = (x @ weights)[:, None] + height * wave
        among = score.flip(2).logcumsumexp(2).flip(2)
        likelihood = ((score - among) * ranked).sum(dim=2).logsumexp(1)
        # A trace of a penalty, for a hint that is never there, and a wave that says nothing.
        penalty = 1e-4 * (weights @ weights + height * height)
        value: Tensor = penalty - likelihood.sum() / ranked.sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weights.detach().numpy(), abs(float(height.detach()))


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
        self._shares = tables.shares
        self._ranking, self._wave = tables.ranking, tables.wave
        layers, self._rings = tables.threshold.shape
        zones = np.arange(layers) * len(self._shares) // layers
        knots = tables.knots[zones]
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
        factor = np.array([1.0, 1.0, 1.0, gain], np.float32)
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
